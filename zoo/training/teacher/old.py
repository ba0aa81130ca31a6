"""The cache of earlier versions, format 1: float32, 16 rows per shard, one index that was written again for each.

It is only read. Its answers are those of torch on a processor, row by row; a new cache rounds them and keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from safetensors import safe_open

from catalog.jsonvalues import table, tables
from zoo.files.digests import digest, sha256_file
from zoo.training.files import read_json
from zoo.training.teacher.question import Question
from zoo.training.teacher.targets import Targets

FORMAT = 1
SHARD_ROWS = 16
INDEX = "index.json"


def old_digest(question: Question) -> str:
    """The name of the cache of this question in format 1."""
    content = [[row.input_ids, row.positions] for row in question.rows]
    cut = [] if question.width is None else [question.width]
    asked = [question.top_k, question.temperature, *cut]
    return digest([FORMAT, SHARD_ROWS, question.weights, content, *asked])


@dataclass(frozen=True)
class OldCache:
    """A cache of format 1. sums: file name to SHA-256; counts: positions of every row."""

    folder: Path
    sums: Mapping[str, str]
    counts: tuple[int, ...]
    _sound: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def at(cls, question: Question, place: Callable[[str], Path]) -> OldCache | None:
        """The cache of this question, or None if there is none. place: its folder by its digest."""
        if not isinstance(question.teacher, Path) or question.is_gguf or question.vllm:
            return None
        if question.as_stored or question.device != "cpu":
            return None
        name = old_digest(question)
        folder = place(name)
        try:
            index = table(read_json(folder / INDEX))
            if index["digest"] != name:
                return None
            sums = {str(shard["file"]): str(shard["sha256"]) for shard in tables(index["shards"])}
        except (TypeError, KeyError):
            return None
        return cls(folder, sums, tuple(len(row.positions) for row in question.rows))

    def row(self, number: int) -> Targets | None:
        """The answers of a row, or None if its shard is missing or damaged."""
        name = f"shard-{number // SHARD_ROWS:05d}.safetensors"
        if not self._is_sound(name):
            return None
        before = self.counts[number - number % SHARD_ROWS : number + 1]
        *_, end = accumulate(before)
        with safe_open(self.folder / name, framework="pt") as shard:
            parts = (shard.get_slice(key)[end - before[-1] : end] for key in ("top_ids", "top_logp", "tail_logp"))
            return Targets(*parts)

    def _is_sound(self, name: str) -> bool:
        if name not in self._sound:
            path = self.folder / name
            self._sound[name] = name in self.sums and path.is_file() and sha256_file(path) == self.sums[name]
        return self._sound[name]
