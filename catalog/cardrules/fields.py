"""What each key of a card's metadata may say.

Sources: modelcard.md and datasetcard.md of hub-docs (https://github.com/huggingface/hub-docs), the docstrings of
huggingface_hub.ModelCardData and DatasetCardData, https://huggingface.co/docs/hub/model-cards and
https://huggingface.co/docs/hub/datasets-cards. catalog/data/card-keys.json lists the keys, with its date and its
sources. Other keys are accepted (``hints`` names them), unless they are a near miss of a known one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from catalog import hublists, licences
from catalog.cardrules.evaluation import model_index
from catalog.cardrules.shape import Rule, anything, block, boolean, keys, one_of, repo_id, several, text, url
from catalog.jsontext import Json, JsonObject
from catalog.problems import Problem, did_you_mean, show
from catalog.yamltext import Document, Path_

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})+\Z")
_LICENCE_FILES = ("LICENSE", "LICENSE.md")
_SPELLED = {
    "licence": "license", "licenses": "license", "languages": "language", "lang": "language", "dataset": "datasets",
    "tag": "tags", "basemodel": "base_model", "library": "library_name", "pipeline": "pipeline_tag",
    "model_index": "model-index", "task_category": "task_categories", "size_category": "size_categories",
}  # fmt: skip


def check_fields(document: Document, kind: str) -> list[Problem]:
    """Every problem of metadata that is valid YAML. kind is ``model`` or ``dataset``."""
    data = _block(document)
    rules = _rules(kind)
    found: list[Problem] = []
    for name, value in data.items():
        if name in rules:
            found += (
                _nothing(document, name, kind) if value is None else rules[name](document, (name,), value)
            )
        elif near := _near(name, data, rules):
            what = f"the Hub does not support the key {show(name)}"
            found.append(document.problem((name,), what, f"Write {near}", key=True))
    found += _licence_words(document, data)
    if kind == "model" and "base_model_relation" in data and not data.get("base_model"):
        what = "a relation to a base model is given without a base model"
        found.append(
            document.problem(("base_model_relation",), what, "Add `base_model: OWNER/NAME`", key=True)
        )
    return found


def hints(document: Document, kind: str) -> list[Problem]:
    """Keys that neither the Hub nor a widespread tool reads, as far as is known: allowed, but worth a look."""
    rules = _rules(kind)
    other = _rules("dataset" if kind == "model" else "model")
    found = []
    data = _block(document)
    for name in data:
        if name in rules or _near(name, data, rules):
            continue
        what = f"the Hub does not use the key {show(name)}"
        if name in other:
            what = f"{show(name)} is a key of {'dataset' if kind == 'model' else 'model'} cards"
        found.append(document.problem((name,), what, "Keep it only if your own tools read it", key=True))
    return found


def _block(document: Document) -> JsonObject:
    """The metadata, which ``header`` found to be a block."""
    assert isinstance(document.data, dict)
    return document.data


def _nothing(document: Document, name: str, kind: str) -> list[Problem]:
    if hublists.card_keys(kind)[name] in ("text or nothing", "anything"):
        return []
    return [document.problem((name,), "nothing follows the colon", "Write a value, or delete the key")]


def _near(name: str, data: JsonObject, rules: dict[str, Rule]) -> str | None:
    """The known key that ``name`` probably means: it differs by case, dashes, one letter or a common synonym."""
    folded = name.casefold().replace("-", "_").replace(" ", "_")
    near = _SPELLED.get(folded)
    if near is None:
        near = next((key for key in rules if key.replace("-", "_") == folded), None)
    if near is None and len(name) > 5:
        near = next((key for key in rules if one_letter(folded, key.replace("-", "_"))), None)
    return near if near in rules and near not in data else None


def _licence(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    known = hublists.licences()
    if not isinstance(value, str):
        yield from text(document, path, value)
    elif value not in known:
        spdx = licences.canonical(value)
        near = licences.hub_identifier(spdx) if spdx else "other"
        if near == "other":
            word = value.lower().replace(" ", "-")
            versions = [one for one in known if one.startswith(f"{word}-")]
            near = versions[0] if len(versions) == 1 else did_you_mean(word, known) or "other"
        instead = f"Write {near}"
        if near == "other":
            instead = "Write `license: other`, with the licence's own name in license_name"
        yield document.problem(path, f"{show(value)} is not a licence identifier of the Hub", instead)


def _licence_words(document: Document, data: JsonObject) -> Iterator[Problem]:
    given = data.get("license")
    if (given == "other" or given == ["other"]) and not data.get("license_name"):
        what = "the licence is `other`, and its name is missing"
        yield document.problem(("license",), what, "Add `license_name:` with the licence's own name")
    if (
        isinstance(given, str)
        and given != "other"
        and given in hublists.licences()
        and data.get("license_name")
    ):
        what = f"the licence is {given}, which needs no separate name"
        yield document.problem(
            ("license_name",), what, "Delete license_name, or write `license: other`", key=True
        )


def _licence_link(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    if value not in _LICENCE_FILES:
        for problem in url(document, path, value):
            yield document.problem(path, problem.what, "Write LICENSE, LICENSE.md or https://...")


def language(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """ISO 639-1, -2 or -3 in lower case, or ``code`` or ``multilingual``; regions have another key."""
    if not isinstance(value, str):
        yield from text(document, path, value)
        return
    if value in hublists.languages():
        return
    if value.lower() in hublists.languages():
        yield document.problem(path, f"language {show(value)} is not in lower case", f"Write {value.lower()}")
    elif _LANGUAGE.match(value):
        primary = re.split("[-_]", value)[0].lower()
        other = (
            "language_details"
            if path[0] == "language" and "pretty_name" in _block(document)
            else "language_bcp47"
        )
        what = f"{show(value)} is more than a language: it has a region or script"
        yield document.problem(
            path, what, f"Write {primary} here, and {value.replace('_', '-')} under {other}"
        )
    else:
        what = f"{show(value)} is not a language code of ISO 639"
        yield document.problem(path, what, "Write two or three letters, such as en or gsw")


def _bcp47(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """A language tag (RFC 5646) as far as its form and its language go."""
    if not isinstance(value, str):
        yield from text(document, path, value)
        return
    primary, *rest = value.split("-")
    sound = all(re.fullmatch(r"[A-Za-z0-9]{1,8}", part) for part in rest)
    if primary.lower() not in hublists.languages() or not sound:
        yield document.problem(path, f"{show(value)} is not a language tag (BCP 47)", "Write such as fr-CA")


def _library(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """Any name in lower case; a near miss of a well-known one is reported."""
    if not isinstance(value, str) or not value.strip():
        yield from text(document, path, value)
        return
    known = hublists.libraries()
    near = did_you_mean(value, known)
    if value not in known and near and (near == value.lower() or one_letter(value.lower(), near)):
        yield document.problem(path, f"{show(value)} is not a library that the Hub supports", f"Write {near}")


def one_letter(one: str, other: str) -> bool:
    """Whether the two differ by two swapped letters, or by one missing, extra or different letter."""
    if len(one) == len(other):
        different = [index for index in range(len(one)) if one[index] != other[index]]
        return len(different) == 1 or sorted(one) == sorted(other)
    short, long = sorted((one, other), key=len)
    return any(short == long[:index] + long[index + 1 :] for index in range(len(long)))


def _tag(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    yield from text(document, path, value, longest=100)


def _data_files(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """A path or glob, several of them, or splits with paths
    (https://huggingface.co/docs/hub/datasets-manual-configuration)."""
    if isinstance(value, str):
        return
    entry: Rule = anything
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        entry = keys({"split": text, "path": several(text)}, {})
    yield from several(entry, alone=False)(document, path, value)


def _emissions(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """Grams of CO2, alone or as ``emissions`` of a block (https://huggingface.co/docs/hub/model-cards-co2)."""
    given, at = (value.get("emissions"), (*path, "emissions")) if isinstance(value, dict) else (value, path)
    if isinstance(given, bool) or not isinstance(given, int | float) or given < 0:
        yield document.problem(
            at, f"{show(given)} is not a number of grams", "Write a number, such as 149200"
        )


def _source_dataset(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    if value not in ("original", "extended") and not str(value).startswith("extended|"):
        yield from repo_id(document, path, value)


_FIELD_TYPES = ("text", "checkbox", "date_picker", "country", "ip_location", "select")


def _form(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """Questions of a gated repository: a block of ``question: type``, or a list of such blocks
    (https://huggingface.co/docs/hub/models-gated, "Customize requested information").
    """
    blocks = (
        [((*path, i), entry) for i, entry in enumerate(value)] if isinstance(value, list) else [(path, value)]
    )
    for at, questions in blocks:
        if not isinstance(questions, dict):
            yield from block(document, at, questions)
            continue
        for question, answer in questions.items():
            yield from _question(document, (*at, question), answer)


def _question(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    given, at = (value.get("type"), (*path, "type")) if isinstance(value, dict) else (value, path)
    if given not in _FIELD_TYPES:
        near = did_you_mean(given, _FIELD_TYPES) if isinstance(given, str) else None
        instead = f"Write {near}" if near else f"Write one of: {', '.join(_FIELD_TYPES)}"
        yield document.problem(at, f"{show(given)} is not a type of question that the Hub supports", instead)
    elif given == "select" and not (isinstance(value, dict) and isinstance(value.get("options"), list)):
        yield document.problem(
            at, "a select needs its options", "Write `type: select` and `options: [one, two]`"
        )


def _inference(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """true, false or a block (``ApiModelMetadata.inference``); older cards have a word."""
    if isinstance(value, list) or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield from boolean(document, path, value)


def _long(longest: int) -> Rule:
    return lambda document, path, value: text(document, path, value, longest=longest)


def _rule_table() -> dict[str, Rule]:
    """What the words of catalog/data/card-keys.json mean."""
    task = one_of(hublists.tasks(), "task")
    return {
        "anything": anything,
        "boolean": boolean,
        "configs": several(
            keys({"config_name": text}, {"data_files": _data_files, "data_dir": text}), alone=False
        ),
        "emissions": _emissions,
        "form": _form,
        "inference": _inference,
        "languages": several(language),
        "library": _library,
        "licence_link": _licence_link,
        "licences": several(_licence),
        "long text": _long(20_000),
        "model_index": model_index,
        "name": _long(200),
        "relation": one_of(hublists.base_model_relations(), "relation to a base model"),
        "repositories": several(repo_id),
        "repository": repo_id,
        "size_categories": several(one_of(hublists.size_categories(), "size category")),
        "source_datasets": several(_source_dataset),
        "tags": several(_tag, alone=False, none=True),
        "tags_bcp47": several(_bcp47),
        "task": task,
        "tasks": several(task),
        "text": text,
        "text or nothing": text,
        "texts": several(text),
    }


@functools.cache
def _rules(kind: str) -> dict[str, Rule]:
    """The rule of every key that a card of this kind may have."""
    table = _rule_table()
    return {name: table[word] for name, word in hublists.card_keys(kind).items()}
