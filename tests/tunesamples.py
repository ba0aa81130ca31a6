"""Conversations with answers that a teacher is trained on, in the tests' tiny zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tinyzoo

TRAIN_FILE, HELDOUT_FILE = "texts/taught.jsonl", "texts/taught-heldout.jsonl"
TUNE = {"adapter": "none", "steps": 4, "batch_rows": 4, "row_tokens": 384, "learning_rate": 0.002, "warmup_steps": 1}
_THINGS = (
    "apples", "bridges", "candles", "drums", "engines", "feathers", "gardens", "hammers", "islands", "jackets",
    "kettles", "lanterns",
)  # fmt: skip


def chat(*turns: str, system: str = "") -> dict[str, Any]:
    """A conversation whose turns are the user's and the assistant's in turn."""
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(turns)]
    return {"messages": [*([{"role": "system", "content": system}] if system else []), *messages]}


CHATS = [chat(f"tell me of {thing}", f"{thing} are made by hand, then sold") for thing in _THINGS]


def corpus(**changes: Any) -> dict[str, Any]:
    """The block ``teacher.tune.corpus``."""
    files = {"train": [tinyzoo.text_file(TRAIN_FILE)], "heldout": [tinyzoo.text_file(HELDOUT_FILE)]}
    return {**files, **changes}


def write(zoo: Path, train: list[dict[str, Any]] | None = None, heldout: list[dict[str, Any]] | None = None) -> None:
    """The files of the block."""
    tinyzoo.write_jsonl(zoo / TRAIN_FILE, CHATS[:9] if train is None else train)
    tinyzoo.write_jsonl(zoo / HELDOUT_FILE, CHATS[9:] if heldout is None else heldout)


def recipe(zoo: Path, block: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A recipe whose teacher is trained on these conversations."""
    teacher = {**tinyzoo.source(zoo), "tune": {**TUNE, "corpus": block or corpus()}}
    return tinyzoo.write_recipe(zoo, tinyzoo.tutored_recipe(zoo, teacher=teacher, **changes))
