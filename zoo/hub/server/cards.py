"""What the card of a commit says: its metadata, the Hub's tags that follow from it, and what is wrong with a card."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.cardrules import check_card, read_header
from catalog.jsontext import JsonObject
from zoo.files.listing import FileRecord
from zoo.hub.server.store import Store

CARD = "README.md"
CARD_BYTES = 1 << 20
"""Longer cards are only read up to here."""

_BROKEN = ("not valid YAML", "the metadata is not a block")


@dataclass(frozen=True)
class Card:
    """data: the metadata, empty if there is none or it cannot be read. body: the text below it, in Markdown."""

    data: JsonObject
    body: str

    def text(self, name: str) -> str | None:
        """A value that is a text."""
        found = self.data.get(name)
        return found if isinstance(found, str) else None

    def texts(self, name: str) -> list[str]:
        """A value that is a text or a list of texts."""
        found = self.data.get(name)
        return [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, str)]


NONE = Card({}, "")


def card_of(store: Store, files: Mapping[str, FileRecord]) -> Card:
    """The card of a commit's files. Raises Damaged if the disk has different content."""
    file = files.get(CARD)
    return _read(str(store.whole(file).path)) if file else NONE


@functools.lru_cache(1024)
def _read(path: str) -> Card:
    # Contents are named by their sha256, so they never change.
    with Path(path).open("rb") as stream:
        text = stream.read(CARD_BYTES).decode("utf-8", "replace")
    data = read_header(text, CARD).data
    lines = text.lstrip().splitlines()
    ends = [at for at, line in enumerate(lines[1:], 1) if line.rstrip() == "---"] if lines[:1] == ["---"] else []
    body = "\n".join(lines[ends[0] + 1 :]) if ends else text
    return Card(data or {}, body)


def tags_of(card: Card, kind: str) -> list[str]:
    """The tags of a repository, as the Hub derives them from the metadata."""
    return list(dict.fromkeys(_tags(card, kind)))


def _tags(card: Card, kind: str) -> Iterator[str]:
    if kind == "model":
        yield from card.texts("library_name")
        yield from card.texts("pipeline_tag")
    else:
        for name in ("task_categories", "size_categories", "annotations_creators"):
            yield from (f"{name}:{value}" for value in card.texts(name))
    yield from card.texts("tags")
    yield from (value if kind == "model" else f"language:{value}" for value in card.texts("language"))
    yield from (f"dataset:{value}" for value in card.texts("datasets"))
    relation = card.text("base_model_relation")
    for base in card.texts("base_model"):
        yield f"base_model:{base}"
        if relation:
            yield f"base_model:{relation}:{base}"
    yield from (f"license:{value}" for value in card.texts("license"))


def judged(content: str, kind: str) -> tuple[list[str], list[str]]:
    """Errors and warnings of a card. As on the Hub, only metadata that cannot be read is an error."""
    if not content.lstrip().startswith("---"):
        return [], ["the card has no metadata: it does not begin with a line ---"]
    errors: list[str] = []
    warnings: list[str] = []
    for problem in check_card(content, CARD, kind):
        found = errors if problem.what.startswith(_BROKEN) else warnings
        found.append(f"line {problem.line}: {problem.what}. {problem.instead}")
    return errors, warnings
