"""YAML text to plain data in which every key and value still knows its line and column.

Only what a recipe needs: mappings with string keys, lists, strings, numbers, booleans and null, by the rules of
YAML 1.2's core schema (so ``no`` is a word, not False). Anchors, aliases, tags and several documents are refused,
and size, depth and number of values are bounded, so hostile text costs no more than reading it.
PyYAML's event stream is used because its own loader resolves aliases and 1.1 booleans before we could object.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import yaml

from catalog import conflicts
from catalog.filenames import absence
from catalog.jsontext import Json, JsonObject
from catalog.problems import Problem, dotted, show
from catalog.unseen import named

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_VALUES = 20_000

Path_ = tuple[str | int, ...]
Place = tuple[int, int]

_DIFFERENT = re.compile(r"\t|(?:^|[\s\[{,:])!|[|>][^\n]*#|\?|[,\[{]\s*:|:\s*[,\]}]")
"""Where libyaml accepts what PyYAML refuses, or counts columns differently; found by comparing both on damaged texts
(``tests/catalog/test_yaml_parsers.py``)."""

_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())
}
# Characters that a terminal or a browser interprets instead of showing: C0/C1 controls, bidirectional overrides,
# line and paragraph separators, lone surrogates, characters that YAML does not allow.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)


# Where YAML needs a space (indentation, after a colon or a dash) or a colon, and another character looks like one.
_ODD = "[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000]"
_LOOKALIKE = re.compile(
    rf"^(?:[ ]*(?:- +)*(?:[\w.\"'-]+:)?|[ ]*(?:- +)*-)(?=.)[ ]*({_ODD})"
    r"|^[ ]*(?:- +)*[\w-]+[ ]?([\uff1a\ufe55\ua789\u2236])",
    re.MULTILINE,
)
_ODD_SPACE = re.compile(_ODD)
_ODD_EDGE = re.compile(rf"\A{_ODD}|(?<=\w:){_ODD}|{_ODD}+\Z|{_ODD}+(?=#)")


@dataclass
class Document:
    """data is None when problems were found. ``value_places`` and ``key_places`` hold (line, column) per path."""

    file: str
    data: Json = None
    problems: list[Problem] = field(default_factory=list)
    value_places: dict[Path_, Place] = field(default_factory=dict)
    key_places: dict[Path_, Place] = field(default_factory=dict)

    def place(self, path: Path_, *, key: bool = False) -> Place:
        """The place of ``path``, or of the nearest value around it."""
        places = self.key_places if key else self.value_places
        while path and path not in places:
            path = path[:-1]
        return places.get(path, self.value_places.get((), (1, 1)))

    def problem(self, path: Path_, what: str, instead: str, *, key: bool = False) -> Problem:
        line, column = self.place(path, key=key)
        return Problem(self.file, line, column, dotted(path), what, instead)


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def read(path: Path, shown_as: str) -> Document:
    """Read and parse a file; every failure is a problem in the result, never an exception."""
    try:
        if not path.is_file():
            found = (
                "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else absence(path)
            )
            return _failed(shown_as, f"the file {found}", "Name an existing YAML file")
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return _failed(shown_as, f"the file cannot be read ({error.strerror})", "Check its permissions")
    return parse(raw, shown_as)


def parse(raw: bytes, shown_as: str) -> Document:
    """Parse YAML bytes; every failure is a problem in the result, never an exception."""
    if len(raw) > MAX_BYTES:
        what = f"the file is larger than {MAX_BYTES // 1024} KiB"
        return _failed(shown_as, what, "Keep prompts and texts in corpus files and name them under corpus:")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        return _failed(shown_as, what, "Save the file as UTF-8", line, column)
    text = text.removeprefix("\ufeff")  # YAML 1.2, section 5.2: a byte order mark may begin a file
    if line := conflicts.line_of(text):
        return _failed(shown_as, conflicts.WHAT, conflicts.SOLVE, line)
    if unseen := _UNSEEN.search(text):
        what = f"character {named(unseen.group())} is invisible and not allowed"
        return _failed(shown_as, what, "Delete it", *_place(text, unseen.start()))
    return _quickly(text, shown_as) or _parsed(text, shown_as)


def _quickly(text: str, shown_as: str) -> Document | None:
    """By libyaml, which takes a sixth of the time. None without it, for a text that the two may read differently, and
    for one with a problem: PyYAML's own parser decides what is valid, and words it."""
    if not yaml.__with_libyaml__ or _DIFFERENT.search(text):
        return None
    document = Document(shown_as)
    try:
        document.data = _Builder(document, yaml.CSafeLoader).build(text)
    except (_Refused, yaml.YAMLError, ValueError):
        return None
    return None if document.problems else document


def _parsed(text: str, shown_as: str) -> Document:
    document = Document(shown_as)
    try:
        document.data = _Builder(document, yaml.SafeLoader).build(text)
    except _Refused as refused:
        document.problems.append(refused.problem)
    except yaml.MarkedYAMLError as error:
        if odd := _LOOKALIKE.search(text):
            char = odd.group(1) or odd.group(2)
            instead = "Write a plain space" if odd.group(1) else "Write a plain colon, and a space after it"
            what = f"not valid YAML: {named(char)} is where a plain {'space' if odd.group(1) else 'colon'} is needed"
            place = _place(text, odd.start(1) if odd.group(1) else odd.start(2))
            return _failed(shown_as, what, instead, *place)
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if "".join(text.splitlines()[line - 1 : line])[column - 1 : column] == "\t":
            return _failed(shown_as, "not valid YAML: a tab is where a space is needed", "Write spaces", line, column)
        what = "not valid YAML: " + " ".join(part for part in (error.context, error.problem) if part)
        document.problems.append(
            Problem(shown_as, line, column, "", what, "Check indentation, colons and quotes")
        )
    except (yaml.YAMLError, ValueError) as error:
        document.problems.append(Problem(shown_as, 1, 1, "", f"not valid YAML: {error}", "Check the text"))
    if document.problems:
        document.data = None
    return document


def _place(text: str, offset: int) -> Place:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _failed(file: str, what: str, instead: str, line: int = 1, column: int = 1) -> Document:
    return Document(file, problems=[Problem(file, line, column, "", what, instead)])


class _Builder:
    """Builds plain data from PyYAML's events without recursion."""

    def __init__(self, document: Document, loader: type[yaml.SafeLoader | yaml.CSafeLoader]) -> None:
        self.document = document
        self.loader = loader
        self.values = 0

    def build(self, text: str) -> Json:
        root: list[Json] = []
        stack: list[tuple[list[Json] | JsonObject, Path_]] = [(root, ())]
        keys: list[str | None] = [None]
        documents = 0
        for event in yaml.parse(text, Loader=self.loader):
            mark = event.start_mark
            place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(
                        place, (), "a second YAML document begins here", "Keep one document per file"
                    )
            elif isinstance(event, yaml.AliasEvent):
                self._refuse(
                    place, stack[-1][1], f"alias *{event.anchor} is not allowed", "Write the value out"
                )
            elif isinstance(event, yaml.CollectionEndEvent):
                stack.pop()
                keys.pop()
            elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
                self._check(event, place, stack)
                container, base = stack[-1]
                if isinstance(container, dict) and keys[-1] is None:
                    keys[-1] = self._key(event, place, container, base)
                    continue
                path = self._path(container, base, keys[-1], len(stack))
                self.document.value_places[path] = place
                value: Json
                if isinstance(event, yaml.ScalarEvent):
                    value = self._scalar(event, place, path)
                else:
                    value = {} if isinstance(event, yaml.MappingStartEvent) else []
                if isinstance(container, dict):
                    container[keys[-1] or ""] = value
                else:
                    container.append(value)
                keys[-1] = None
                if isinstance(value, dict | list):
                    stack.append((value, path))
                    keys.append(None)
        if not root or root[0] is None:
            self._refuse((1, 1), (), "the file is empty", "Start from a new recipe: zoo new NAME")
        return root[0]

    @staticmethod
    def _path(container: list[Json] | JsonObject, base: Path_, key: str | None, depth: int) -> Path_:
        if isinstance(container, dict):
            return (*base, key or "")
        return () if depth == 1 else (*base, len(container))

    def _check(
        self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, place: Place, stack: Sequence[tuple[object, Path_]]
    ) -> None:
        path = stack[-1][1]
        self.values += 1
        if self.values > MAX_VALUES:
            self._refuse(place, path, f"more than {MAX_VALUES} values", "Keep data in corpus files")
        if len(stack) > MAX_DEPTH:
            self._refuse(place, path, f"nested deeper than {MAX_DEPTH} levels", "Flatten it")
        if event.anchor:
            self._refuse(
                place, path, f"anchor &{event.anchor} is not allowed", "Write the value out where it is used"
            )
        if event.tag and event.tag != "!":
            self._refuse(place, path, f"tag {show(event.tag)} is not allowed", "Delete the tag")

    def _key(
        self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, place: Place, container: JsonObject, base: Path_
    ) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(place, base, "a key must be a word", "Write `key: value`")
        key = str(event.value)
        self._refuse_unseen(key, place, base)
        self._refuse_odd_space(key, event, place, base, _ODD_SPACE)
        if key in container:
            first = self.document.key_places[(*base, key)][0]
            # Every duplicate is reported, so this one does not stop the reading.
            self.document.problems.append(
                Problem(
                    self.document.file, *place, dotted((*base, key)),
                    f"key {show(key)} is written twice (first on line {first})", "Delete one of the two",
                )
            )  # fmt: skip
        self.document.key_places.setdefault((*base, key), place)
        return key

    def _scalar(self, event: yaml.ScalarEvent, place: Place, path: Path_) -> Json:
        text = event.value
        self._refuse_unseen(text, place, path)
        self._refuse_odd_space(text, event, place, path, _ODD_EDGE)
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.match(text) or _FLOAT.match(text):
            if len(text) > 40:
                what = f"YAML reads this as a number of {len(text)} characters"
                self._refuse(place, path, what, "Put it in quotes if it is text, such as a digest")
            number = int(text) if _INT.match(text) else float(text)
            if isinstance(number, float) and number in (float("inf"), float("-inf")):
                instead = "Write a finite number. If it is text, put it in quotes"
                self._refuse(place, path, f"the number {show(text)} is too large", instead)
            return number
        return text

    def _refuse_unseen(self, text: str, place: Place, path: Path_) -> None:
        # The text of the file has none at this point, but "\u202e" in double quotes makes one.
        if unseen := _UNSEEN.search(text):
            what = f"the escape for character {named(unseen.group())} is not allowed"
            self._refuse(place, path, what, "Delete it")

    def _refuse_odd_space(
        self, text: str, event: yaml.ScalarEvent, place: Place, path: Path_, where: re.Pattern[str]
    ) -> None:
        """YAML treats a no-break space as a letter: in a key, around a bare value or before a #, this is a mistake."""
        if not event.style and (found := where.search(text)):
            offset = found.start()
            what = f"{named(text[offset])} is used instead of a plain space"
            self._refuse(
                (place[0], place[1] + offset), path, what, "Write a plain space, or put the text in quotes"
            )

    def _refuse(self, place: Place, path: Path_, what: str, instead: str) -> NoReturn:
        raise _Refused(Problem(self.document.file, *place, dotted(path), what, instead))
