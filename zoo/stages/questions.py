"""The questions of a corpus to its teacher: every prompt, keyed by all that decides its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from catalog.jsonvalues import text
from catalog.problems import show
from zoo.corpora.prompts import each_prompt
from zoo.corpora.rows import Row, messages_of
from zoo.errors import InputError
from zoo.files.digests import digest
from zoo.stages import Context
from zoo.stages.texts import kept

_MARKER_LIKE = re.compile(r"<[^<>\s]{1,64}>|\[/?[A-Z_]{2,32}\]|[<\[]\uff5c")


def questions(context: Context, identity: Mapping[str, object]) -> Iterator[Row]:
    """Every prompt of the corpus artifact in its order, keyed. identity: of the teacher and of how it answers. Raises
    InputError for a held-out prompt that is also a training prompt."""
    artifact, named = context.inputs["prompts"], context.spec["system"]
    system = None if named is None else text(named)
    learnt: set[bytes] = set()
    for part in ("train", "heldout"):
        number = 0
        for file in kept(artifact, part):
            for record in each_prompt(artifact.path(file.name), file.path):
                messages = messages_of(record, system)
                schema = record.get("tool_schema") if record.get("requires_json") else None
                key = digest({"messages": messages, "schema": schema, **_reading(messages), **identity})
                if part == "train":
                    learnt.add(bytes.fromhex(key))
                elif bytes.fromhex(key) in learnt:
                    raise InputError(
                        f"held-out record {number + 1} is also a training prompt: {show(record['user'])}",
                        where=file.path,
                        remedy="Delete one of the two. Held-out prompts must not be used for training",
                    )
                yield Row(key, part, number, messages, schema, tuple(record.get("tags", [])))
                number += 1


def _reading(messages: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Part of the key of a row with text that looks like a marker: older journals have answers from a version that did
    not treat markers in prompts as text.
    """
    marked = any(_MARKER_LIKE.search(content) for _, content in messages)
    return {"markers": "text"} if marked else {}
