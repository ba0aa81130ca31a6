"""Personal data in a record: every text and number in it but keys, schemas and identifiers is searched. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from catalog import jsontext, quick, schema
from catalog.jsontext import Json, JsonObject
from zoo.corpora.privacy.decide import IsPhone
from zoo.corpora.privacy.finding import find
from zoo.corpora.privacy.placeholders import Placeholders
from zoo.corpora.records import Kind

KEPT = {
    "prompt": ("tool_schema", "tool_name"),
    "labelled": ("key", "finish"),
    "conversation": ("tools", "answer_schema"),
    "dialect": ("register", "time_period_code", "sociolinguistic_parameters", "dialect_tag_list"),
}
"""Top keys by kind whose values are no text of people: schemas, identifiers of the zoo, values from a list."""

_SMALLEST = 10**8
"""Whole numbers below have too few digits for anything that is looked for."""

Write = Callable[[str, str, str], str]
"""What takes the place of a value, from its kind, what is the same in all its forms, and its own."""


class Redacted(NamedTuple):
    """record: None if no form of it follows its schema. found: finds by kind. in_keys: finds in keys, which stay."""

    record: JsonObject | None
    found: Counter[str]
    in_keys: int


def redact(record: JsonObject, kind: Kind, placeholders: Placeholders, is_phone: IsPhone) -> Redacted:
    """A record without the personal data that is found. Where a schema in the record refuses a placeholder, values
    reserved for examples are written instead. A record without finds is returned as it is."""
    schemas = _Schemas.of(record)
    walk = _Walk(kind, is_phone, placeholders.of, schemas.public)
    try:
        made = walk.record(record)
        if not walk.found or (not schemas.ask_formats and _follows(made, kind)):
            return Redacted(made, walk.found, walk.in_keys)
        forms = placeholders.valid, placeholders.shaped, placeholders.of
        for write in forms if schemas.ask_formats else forms[:2]:
            made = _Walk(kind, is_phone, write, schemas.public, keeps_types=write != placeholders.of).record(record)
            if _follows(made, kind):
                return Redacted(made, walk.found, walk.in_keys)
    except RecursionError:
        pass
    return Redacted(None, walk.found, walk.in_keys)


def _follows(record: JsonObject, kind: Kind) -> bool:
    return quick.sound(record, kind.schema, schema.load) and next(kind.rules(record), None) is None


class _Schemas(NamedTuple):
    """What the schemas in a record say. public: texts that they list, which are the same for everybody. ask_formats: a
    text has a ``format``, such as ``email``: no check asks for it, but the program behind the tool does."""

    public: frozenset[str]
    ask_formats: bool

    @classmethod
    def of(cls, record: JsonObject) -> _Schemas:
        left: list[Json] = [record[name] for name in ("tools", "tool_schema", "answer_schema") if name in record]
        if not left:
            return _NO_SCHEMAS
        public, ask_formats = set[str](), False
        while left:
            part = left.pop()
            if isinstance(part, list):
                left += part
            elif isinstance(part, dict):
                listed = part.get("enum")
                values = [*(listed if isinstance(listed, list) else ()), part.get("const")]
                public |= {value for value in values if isinstance(value, str)}
                ask_formats = ask_formats or isinstance(part.get("format"), str)
                left += part.values()
        return cls(frozenset(public), ask_formats)


_NO_SCHEMAS = _Schemas(frozenset(), False)


@dataclass
class _Walk:
    """keeps_types: a number that is found becomes 0, because a schema may ask for a number."""

    kind: Kind
    is_phone: IsPhone
    write: Write
    public: frozenset[str]
    keeps_types: bool = False
    found: Counter[str] = field(default_factory=Counter)
    in_keys: int = 0

    def record(self, record: JsonObject) -> JsonObject:
        kept = KEPT[self.kind.name]
        return {name: value if name in kept else self.value(value, name) for name, value in record.items()}

    def value(self, value: Json, hint: str) -> Json:
        if isinstance(value, str):
            return self.text(value, hint)
        if isinstance(value, dict):
            self.in_keys += sum(1 for _ in self._keys(value))
            return {name: self.value(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, hint) for inner in value]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _SMALLEST:
            return self._number(value, hint)
        return value

    def text(self, text: str, hint: str) -> str:
        if text in self.public:
            return text
        if text.lstrip()[:1] in ("{", "[") and (inner := self._json(text, hint)) is not None:
            return inner
        finds = find(text, hint, self.is_phone)
        if not finds:
            return text
        parts, end = [], 0
        for one in finds:
            self.found[one.kind] += 1
            parts += [text[end : one.start], self.write(one.kind, one.same, text[one.start : one.end])]
            end = one.end
        return "".join([*parts, text[end:]])

    def _number(self, value: int, hint: str) -> Json:
        written = str(abs(value))
        for one in find(written, hint, self.is_phone):
            if (one.start, one.end) == (0, len(written)):
                self.found[one.kind] += 1
                return 0 if self.keeps_types else self.write(one.kind, one.same, written)
        return value

    def _json(self, text: str, hint: str) -> str | None:
        """JSON in a text, searched by its own texts: an escape such as ``\\u0040`` hides nothing there. None for text
        that only begins like JSON."""
        try:
            data = jsontext.parse(text, bounded=False)
        except jsontext.NotJson:
            return None
        if not isinstance(data, dict | list):
            return None
        made = self.value(data, hint)
        if made == data:
            return text
        spaced = ", " in text or ": " in text
        return json.dumps(made, ensure_ascii=False, separators=(", ", ": ") if spaced else (",", ":"))

    def _keys(self, value: JsonObject) -> Iterator[str]:
        for name in value:
            if len(name) > 5:
                yield from (one.kind for one in find(name, "", self.is_phone))
