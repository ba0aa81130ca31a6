"""The teacher's answer at every assistant position, computed once and kept on disk.

Per position the k largest log-probabilities, their token ids and the log of the rest are stored, all at the given
temperature. float32, not float16: float16 rounds a log-probability of -10 by up to 0.004 nats, and the top and the tail
would no longer add up to one; the ids are four bytes anyway, so this costs a third more disk.

Rows are stored in shards of some rows each. A shard is renamed into place once complete and the index has its SHA-256,
so a SIGKILL loses at most one shard and a damaged shard is computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from catalog.jsonvalues import table, tables
from zoo.files import digests
from zoo.progress import Reporter
from zoo.training.conversations import EncodedRow
from zoo.training.files import read_json, weights_digest, write_json, write_whole
from zoo.training.models import check_head, inference_dtype, load_model, logits_at

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FORMAT = 1
SHARD_ROWS = 16
INDEX = "index.json"


@dataclass(frozen=True)
class Targets:
    """The teacher at n positions: ids [n, k] int32, logp [n, k] and tail_logp [n] float32, in nats."""

    ids: torch.Tensor
    logp: torch.Tensor
    tail_logp: torch.Tensor


@dataclass(frozen=True)
class TeacherCache:
    """Shards in ``folder``; ``spans[row]`` is (shard file, first position, end position)."""

    folder: Path
    digest: str
    spans: tuple[tuple[str, int, int], ...]

    def targets(self, rows: Sequence[int]) -> Targets:
        """The teacher's answers at all assistant positions of ``rows``, one row after the other."""
        parts = [self._row(row) for row in rows]
        return Targets(
            *(torch.cat([part[name] for part in parts]) for name in ("top_ids", "top_logp", "tail_logp"))
        )

    def _row(self, row: int) -> dict[str, torch.Tensor]:
        name, start, end = self.spans[row]
        with safe_open(self.folder / name, framework="pt") as shard:
            return {key: shard.get_slice(key)[start:end] for key in ("top_ids", "top_logp", "tail_logp")}


@dataclass(frozen=True)
class Question:
    """The request to a teacher: its top_k most probable tokens at the rows' positions, softened by a temperature.

    width: logits that are looked at, from the first one on; None for all.
    """

    teacher: Path
    rows: Sequence[EncodedRow]
    top_k: int
    temperature: float
    width: int | None = None


def cache_teacher(question: Question, folder: Path, report: Reporter, *, device: str = "cpu") -> TeacherCache:
    """Make or complete the cache of a teacher's answers in ``folder``; valid shards are kept.

    The model is loaded only if a shard is missing. Raises ModelFileError for a teacher that cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, digest = question.rows, cache_digest(question)
    groups = [range(start, min(start + SHARD_ROWS, len(rows))) for start in range(0, len(rows), SHARD_ROWS)]
    known = _known_shards(folder, digest)
    sound = {
        number: known[_name(number)]
        for number in range(len(groups))
        if _is_sound(folder, _name(number), known)
    }
    missing = [number for number in range(len(groups)) if number not in sound]
    if missing:
        model = load_model(question.teacher, inference_dtype(device), device)
        check_head(model, rows[0].input_ids)
        tokens = sum(len(rows[row].input_ids) for number in missing for row in groups[number])
        with report.task("read the teacher", tokens, "tokens") as advance:
            for number in missing:
                shard = _compute(model, [rows[row] for row in groups[number]], question)
                # mypy cannot infer the type of a lambda's default.
                write_whole(folder / _name(number), lambda part, shard=shard: save_file(shard, part))  # type: ignore[misc]  # of a default
                sound[number] = digests.sha256_file(folder / _name(number))
                _write_index(folder, digest, question, sound)
                advance(sum(len(rows[row].input_ids) for row in groups[number]))
    return TeacherCache(folder, digest, _spans(rows, groups))


def cache_digest(question: Question) -> str:
    """Everything that affects the cache's content: the teacher's bytes, the rows' tokens and positions, k, T, and the
    width where it cuts something off.
    """
    content = [[row.input_ids, row.positions] for row in question.rows]
    own = weights_digest(question.teacher)
    cut = [] if question.width is None else [question.width]
    return digests.digest([FORMAT, SHARD_ROWS, own, content, question.top_k, question.temperature, *cut])


def _compute(
    model: PreTrainedModel, rows: Sequence[EncodedRow], question: Question
) -> dict[str, torch.Tensor]:
    """One shard. Row by row: a few hundred tokens already fill the cores, and memory stays at one row's
    logits.
    """
    parts = [_one_row(model, row, question) for row in rows]
    return {name: torch.cat([part[name] for part in parts]).cpu().contiguous() for name in parts[0]}


def _one_row(model: PreTrainedModel, row: EncodedRow, question: Question) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        ids = torch.tensor([row.input_ids], device=model.device)
        positions = torch.tensor(row.positions, device=model.device)
        logits = logits_at(model, ids, torch.zeros_like(positions), positions)[..., : question.width]
        return top_of(logits, question.top_k, question.temperature)


def top_of(logits: torch.Tensor, top_k: int, temperature: float) -> dict[str, torch.Tensor]:
    """top_ids [n, k] int32, top_logp [n, k] and tail_logp [n] float32 of logits [n, vocabulary].

    The tail is summed from the tokens in it, not as 1 minus the top, which would lose a small tail to
    rounding. A tail of no tokens is -inf.
    """
    logp = (logits.float() / temperature).log_softmax(dim=-1)
    top = logp.topk(min(top_k, logp.shape[-1]), dim=-1)
    tail = logp.scatter(-1, top.indices, float("-inf")).logsumexp(dim=-1)
    return {"top_ids": top.indices.to(torch.int32), "top_logp": top.values, "tail_logp": tail}


def _name(number: int) -> str:
    return f"shard-{number:05d}.safetensors"


def _known_shards(folder: Path, digest: str) -> dict[str, str]:
    """File name to SHA-256 from the index; empty if the index belongs to another cache."""
    try:
        index = table(read_json(folder / INDEX))
        if index["digest"] != digest:
            return {}
        return {str(shard["file"]): str(shard["sha256"]) for shard in tables(index["shards"])}
    except (TypeError, KeyError):
        return {}


def _is_sound(folder: Path, name: str, known: dict[str, str]) -> bool:
    return name in known and (folder / name).is_file() and digests.sha256_file(folder / name) == known[name]


def _write_index(folder: Path, digest: str, question: Question, sound: dict[int, str]) -> None:
    shards = [{"file": _name(number), "sha256": sound[number]} for number in sorted(sound)]
    asked = {"top_k": question.top_k, "temperature": question.temperature}
    write_json(folder / INDEX, {"format": FORMAT, "digest": digest, **asked, "shards": shards})


def _spans(rows: Sequence[EncodedRow], groups: Sequence[range]) -> tuple[tuple[str, int, int], ...]:
    spans = []
    for number, group in enumerate(groups):
        start = 0
        for row in group:
            end = start + len(rows[row].positions)
            spans.append((_name(number), start, end))
            start = end
    return tuple(spans)
