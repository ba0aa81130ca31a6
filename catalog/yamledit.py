"""YAML text with one value set or taken away. Every other byte stays: comments, order, how things are written. Pure.

PyYAML's tree of nodes says where each value begins and ends. New values are written on one line, as JSON would, but
without quotes where YAML needs none.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

import yaml

from catalog import yamltext
from catalog.jsontext import Json
from catalog.yamltext import Path_

Order = Callable[[Path_], Sequence[str]]
"""The keys of the mapping at a path, in the order that they should have."""


class CannotEdit(ValueError):
    """The text is written in a way that this module does not change; a person can."""


class _Span(NamedTuple):
    """Text to put in the place of what is between two offsets."""

    start: int
    end: int
    text: str


def _as_it_comes(path: Path_) -> Sequence[str]:
    del path
    return ()


def with_value(text: str, path: Path_, value: Json, order: Order = _as_it_comes) -> str:
    """The text with ``value`` at ``path``. What is missing above it is made; a list grows by an entry if the last part
    of the path is its length. Raises CannotEdit."""
    data = _data(text)
    wanted = copy.deepcopy(data)
    while path[:-1] and not _has(data, path[:-1]):
        path, value = path[:-1], [value] if isinstance(path[-1], int) else {str(path[-1]): value}
    _set(_at(wanted, path[:-1]), path[-1], value)
    if not _has(data, path):
        span = _added(text, _node(text, path[:-1]), path[-1], value, order(path[:-1]))
    elif _at(data, path) == value:
        return text
    else:
        span = _replaced(text, path, value)
    return _checked(text, span, wanted)


def without(text: str, path: Path_) -> str:
    """The text without what is at ``path``, and without what would be empty then. Raises CannotEdit."""
    data = _data(text)
    if not _has(data, path):
        return text
    while len(path) > 1 and _size(_at(data, path[:-1])) == 1:
        path = path[:-1]
    wanted = copy.deepcopy(data)
    above = _at(wanted, path[:-1])
    if isinstance(above, dict):
        del above[str(path[-1])]
    elif isinstance(above, list):
        del above[int(path[-1])]
    return _checked(text, _removed(text, _node(text, path[:-1]), path[-1]), wanted)


def flow(value: Json) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        is_plain = yamltext.parse(f"- [{value}]\n- {{k: {value}}}\n".encode(errors="replace"), "").data
        return value if is_plain == [[value], {"k": value}] else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _data(text: str) -> Json:
    document = yamltext.parse(text.encode(), "")
    if document.problems:
        raise CannotEdit(document.problems[0].text)
    return document.data


def _checked(text: str, span: _Span, wanted: Json) -> str:
    made = text[: span.start] + span.text + text[span.end :]
    if _data(made) != wanted:
        raise CannotEdit("the text would mean something else")
    return made


def _at(data: Json, path: Path_) -> Json:
    for part in path:
        if isinstance(data, dict):
            data = data[str(part)]
        elif isinstance(data, list):
            data = data[int(part)]
        else:
            raise CannotEdit(f"{part} is not in a list or a block of `key: value` lines")
    return data


def _has(data: Json, path: Path_) -> bool:
    try:
        _at(data, path)
    except (KeyError, IndexError, ValueError):
        return False
    return True


def _size(data: Json) -> int:
    return len(data) if isinstance(data, dict | list) else 0


def _set(above: Json, last: str | int, value: Json) -> None:
    if isinstance(above, dict):
        above[str(last)] = value
    elif isinstance(above, list) and int(last) == len(above):
        above.append(value)
    elif isinstance(above, list) and int(last) < len(above):
        above[int(last)] = value
    else:
        raise CannotEdit(f"{last} has no place there")


def _node(text: str, path: Path_) -> yaml.Node:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for part in path:
        found = [value for key, value in _entries(node) if key == part]
        node = found[-1]
    assert node is not None
    return node


def _entries(node: yaml.Node | None) -> list[tuple[str | int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        return [(key.value, value) for key, value in node.value]
    return list(enumerate(node.value)) if isinstance(node, yaml.SequenceNode) else []


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _end(text: str, node: yaml.Node) -> int:
    """Where a value ends. A block of lines itself ends only where the next thing begins."""
    if _is_block(node) and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    start: int = node.start_mark.index
    end: int = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return start + len(text[start:end].rstrip("\r\n "))
    return end


def _line_end(text: str, place: int) -> int:
    """Before the end of the line, and before a carriage return."""
    end = text.find("\n", place)
    end = len(text) if end < 0 else end
    return end - 1 if text[place:end].endswith("\r") else end


def _line_start(text: str, place: int) -> int:
    return text.rfind("\n", 0, place) + 1


def _break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _replaced(text: str, path: Path_, value: Json) -> _Span:
    node = _node(text, path)
    start, end = node.start_mark.index, _end(text, node)
    if _is_block(node) and isinstance(path[-1], str):
        above = _node(text, path[:-1])
        key = next(key for key, one in above.value if key.value == path[-1])
        return _Span(key.end_mark.index, end, f": {flow(value)}")
    is_glued = start == end and text[:start].endswith((":", "-"))
    return _Span(start, end, f" {flow(value)}" if is_glued else flow(value))


def _added(text: str, above: yaml.Node, key: str | int, value: Json, order: Sequence[str]) -> _Span:
    if not isinstance(above, yaml.CollectionNode):
        raise CannotEdit(f"there is no place for {key}")
    entries = _entries(above)
    words = f"{key}: {flow(value)}" if isinstance(above, yaml.MappingNode) else flow(value)
    if not _is_block(above):
        if not entries:
            braces = "{}" if isinstance(above, yaml.MappingNode) else "[]"
            return _Span(above.start_mark.index, above.end_mark.index, braces[0] + words + braces[1])
        place = _end(text, entries[-1][1])
        return _Span(place, place, f", {words}")
    column: int = above.start_mark.column
    if isinstance(above, yaml.SequenceNode):
        words = f"- {words}"
    elif column == 0 and isinstance(value, dict) and value:
        words = _break(text).join([f"{key}:", *(f"  {flow(name)}: {flow(one)}" for name, one in value.items())])
    before = _before([name for name, _ in entries], key, order)
    if before < 0:
        place = above.start_mark.index
        return _Span(place, place, words + _break(text) + " " * column)
    place = _line_end(text, _end(text, entries[before][1]))
    return _Span(place, place, _break(text) + " " * column + words)


def _before(names: Sequence[str | int], key: str | int, order: Sequence[str]) -> int:
    """The position of the entry after which a new one belongs: the last, if no order is known; -1 for the front."""
    if key not in order:
        return len(names) - 1
    earlier = set(order[: order.index(str(key))])
    return max((place for place, name in enumerate(names) if name in earlier or name not in order), default=-1)


def _removed(text: str, above: yaml.Node, last: str | int) -> _Span:
    pairs = above.value if isinstance(above, yaml.MappingNode) else [(one, one) for one in above.value]
    place = next(number for number, (name, _) in enumerate(_entries(above)) if name == last)
    start, end = pairs[place][0].start_mark.index, _end(text, pairs[place][1])
    if not _is_block(above):
        if place:
            return _Span(_end(text, pairs[place - 1][1]), end, "")
        return _Span(start, pairs[1][0].start_mark.index if len(pairs) > 1 else end, "")
    line = _line_start(text, start)
    if text[line:start].strip(" -") or ("-" in text[line:start] and isinstance(above, yaml.MappingNode)):
        return _Span(start, pairs[1][0].start_mark.index if len(pairs) > 1 else end, "")
    if len(pairs) == 1:
        raise CannotEdit("nothing would be left")
    after = _line_end(text, end)
    return _Span(line, min(after + len(_break(text)), len(text)), "")
