"""Words that two YAML readers understand differently.

The Hub's server, huggingface_hub (PyYAML, YAML 1.1) and our own reader (YAML 1.2 core) must understand the same. An
unquoted word that YAML 1.1 (https://yaml.org/type/) reads as a boolean, a date or another number is a trap, and so is a
version that is read as a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import yaml

from catalog import hublists
from catalog.jsontext import Json
from catalog.problems import Problem, show
from catalog.yamltext import Document, Path_

_TEXT_KEYS = ("version", "revision", "date")
_TAG = "tag:yaml.org,2002:"


class _Resolver(Protocol):
    """The part of PyYAML's resolver that is used; it has no types of its own."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool], /) -> str: ...


_RESOLVER: _Resolver = yaml.resolver.Resolver()


def traps(text: str, document: Document) -> list[Problem]:
    """Every trap in YAML that ``document`` was read from."""
    values = {place: path for path, place in document.value_places.items()}
    keys = {place: path for path, place in document.key_places.items()}
    found = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if not isinstance(event, yaml.ScalarEvent) or not event.implicit[0] or event.style:
            continue
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        if place in keys:
            found += list(_of_key(event.value, keys[place], document))
        elif place in values:
            found += list(_of_value(event.value, values[place], document))
    return found


def _of_key(word: str, path: Path_, document: Document) -> Iterator[Problem]:
    tag = _tag(word)
    if tag != "str":
        what = f"the key {show(word)} is read as {_NAMES.get(tag, tag)} by YAML 1.1"
        yield document.problem(path, what, f'Put it in quotes: "{word}"', key=True)


def _of_value(word: str, path: Path_, document: Document) -> Iterator[Problem]:
    tag = _tag(word)
    value = _at(document.data, path)
    instead = _instead(word, path, tag)
    if tag in ("bool", "timestamp", "merge", "value") and isinstance(value, str):
        other = yaml.safe_load(word) if tag == "bool" else None
        name = str(other).lower() if tag == "bool" else _NAMES[tag]
        yield document.problem(path, f"{show(word)} is read as {name} by YAML 1.1", instead)
    elif tag in ("int", "float"):
        other = yaml.safe_load(word)
        if isinstance(value, str) or value != other:
            yield document.problem(path, f"{show(word)} is read as the number {other} by YAML 1.1", instead)
        elif _wants_text(path):
            yield document.problem(path, f"{word} is read as a number", instead)


def _instead(word: str, path: Path_, tag: str) -> str:
    """The remedy depends on what the key requires: quotes around a word only help where text is required."""
    if _wants_number(path):
        return "Write a number, such as 20.9"
    if _wants_boolean(path):
        return "Write true or false"
    quoted = f'Put it in quotes: "{word}"'
    if tag == "float" and not word[-1].isdigit() and not _wants_text(path):  # .nan, .inf
        return f'Write a number. If it is a word, put it in quotes: "{word}"'
    return quoted


def _wants_text(path: Path_) -> bool:
    last = path[-1] if path else ""
    return isinstance(last, str) and any(last == key or last.endswith(f"_{key}") for key in _TEXT_KEYS)


def _wants_number(path: Path_) -> bool:
    """The value of a metric (``model-index``, ``.eval_results``) and amounts of CO2."""
    metric = path[-1:] == ("value",) and (path[:1] == ("model-index",) or isinstance(path[0], int))
    return metric or path in (("co2_eq_emissions",), ("co2_eq_emissions", "emissions"))


def _wants_boolean(path: Path_) -> bool:
    if path[-1:] == ("verified",):
        return True
    known = {**hublists.card_keys("model"), **hublists.card_keys("dataset")}
    return len(path) == 1 and known.get(str(path[0])) in ("boolean", "inference")


def _tag(word: str) -> str:
    return _RESOLVER.resolve(yaml.ScalarNode, word, (True, False)).removeprefix(_TAG)


def _at(data: Json, path: Path_) -> Json:
    for part in path:
        if isinstance(data, dict):
            data = data[str(part)]
        elif isinstance(data, list):
            data = data[int(part)]
    return data


_NAMES = {
    "bool": "a boolean", "timestamp": "a date", "int": "a number", "float": "a number", "null": "nothing",
    "merge": "a merge of blocks", "value": "a default value",
}  # fmt: skip
