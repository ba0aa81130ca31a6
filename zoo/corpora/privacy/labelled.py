"""Personal data in a labelled row: its prompt and its answer, which must still follow the schema that was asked for.
Pure."""

from __future__ import annotations

from typing import cast

from catalog import jsontext
from catalog.jsontext import Json, JsonObject
from zoo.corpora import conversations, rows
from zoo.corpora.privacy import leaves
from zoo.corpora.privacy.decide import IsPhone
from zoo.corpora.privacy.leaves import Redacted
from zoo.corpora.privacy.placeholders import Placeholders


def redact(record: JsonObject, placeholders: Placeholders, is_phone: IsPhone) -> Redacted:
    """A labelled row without the personal data that is found. Its key, a digest of its text, is replaced too.

    An answer that must be JSON of a schema is redacted as the answer of a conversation with that schema, so that the
    schema stays as it is and the answer still follows it.
    """
    messages = cast("list[dict[str, Json]]", record["messages"])
    begin, schema = rows.asked_schema(str(messages[0]["content"])) if record["requires_json"] else ("", "")
    if not schema:
        made = leaves.redact(record, rows.KIND, placeholders, is_phone)
    else:
        whole: JsonObject = {
            "messages": [{"role": "system", "content": begin}, *cast("list[Json]", messages[1:])],
            "tags": record["tags"], "answer_schema": jsontext.parse(schema, bounded=False),
        }  # fmt: skip
        made = leaves.redact(whole, conversations.KIND, placeholders, is_phone)
    if made.record is None:
        return made
    told, *others = cast("list[dict[str, Json]]", made.record["messages"])
    texts: list[Json] = [{**told, "content": f"{told['content']}{schema}"}, *others]
    key = placeholders.identifier(str(record["key"]))
    changed: JsonObject = {"key": key, "messages": texts, "tags": made.record["tags"]}
    return Redacted({**record, **changed}, made.found, made.in_keys)
