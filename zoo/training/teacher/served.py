"""A teacher on a server that gives log-probabilities: for trials, because every probability is sent as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import torch

from catalog.shapes import WrongShape, shaped
from zoo.errors import AGAIN, RemoteError, ZooError
from zoo.files.digests import digest
from zoo.teachers.likely import Top
from zoo.teachers.logits import LogitServer, Probe, Wanted
from zoo.training.conversations import EncodedRow
from zoo.training.files import read_json, write_json
from zoo.training.teacher.arranging import Batch, Width, tokens_read
from zoo.training.teacher.targets import Targets

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOGETHER = Width(batch_tokens=4_096, head_positions=1, shard_positions=4_096)
"""Conversations of so many tokens are asked together. A shard is what a kill costs: 20 MB from the server at k 64."""

PROBE = "The quick brown fox: 0123456789, naïve café, 東京, Привет, 🦊\n\tdef f(x): return x  # done\n"
"""A text that other tokenizers split elsewhere."""

KEPT = "teacher-server.json"


class Known(TypedDict):
    """identity: of the teacher whose answers are complete; builds: what its server said of itself."""

    identity: dict[str, object]
    builds: list[str]


@dataclass(frozen=True)
class ServedTeacher:
    """identity: what tells this teacher from others, without its address. server: how it is asked; None where its kept
    answers are only read. probe: what it must get right first."""

    identity: Mapping[str, object]
    server: LogitServer | None = None
    probe: Probe | None = None

    @property
    def weights(self) -> str:
        """A digest of what is known of the teacher: nobody here sees its weights."""
        return digest(self.identity)

    def opened(self) -> LogitServer:
        """The server, after it answered what is known. Raises RemoteError or InputError; ZooError where there is none.
        """
        if self.server is None or self.probe is None:
            raise ZooError(
                "answers of the teacher's server are damaged, and this process cannot ask for them",
                safe="The checkpoints are kept.", again=AGAIN,
            )  # fmt: skip
        if identity_of(self.server) != self.identity:
            raise RemoteError(
                f"{self.server.door.place} has another model under the name {self.server.model} than the one whose "
                "answers are kept", kind="other_model", facts={"address": self.server.door.place},
                safe="These answers are kept.", remedy="Serve the same model again, or give this one another name",
            )  # fmt: skip
        self.server.check(self.probe)
        return self.server


class ServedSource:
    """A ``Source``: the conversations of a batch are asked at the same time."""

    def __init__(self, server: LogitServer, rows: Sequence[EncodedRow]) -> None:
        self._server, self._rows = server, rows

    def answers(self, batch: Batch) -> list[Targets]:
        """See ``Source``."""
        rows = [self._rows[number] for number in batch.rows]
        found = self._server.answers([wanted(row) for row in rows])
        return [targets_of(row, tops) for row, tops in zip(rows, found, strict=True)]


def wanted(row: EncodedRow) -> Wanted:
    """What is asked of a row: everything from its first position on, up to the last token that counts."""
    return Wanted(row.input_ids[: tokens_read(row) + 1], row.positions[0])


def targets_of(row: EncodedRow, tops: Sequence[Top]) -> Targets:
    """The answers at a row's positions, of those at all places from the first position on."""
    found = [tops[position - row.positions[0]] for position in row.positions]
    return Targets(
        torch.tensor([top.ids for top in found], dtype=torch.int32),
        torch.tensor([top.logps for top in found], dtype=torch.float32),
        torch.tensor([top.tail_logp for top in found], dtype=torch.float32),
    )


def identity_of(server: LogitServer) -> dict[str, object]:
    """What the server says of its model, and how it is asked. Raises RemoteError."""
    found = server.served()
    return {"model": found.model, "asked_as": server.dialect.name, "facts": found.facts, "private": found.private}


def teacher_of(
    server: LogitServer, tokenizer: PreTrainedTokenizerBase, rows: Sequence[EncodedRow], vocabulary: int, scratch: Path
) -> ServedTeacher:
    """The teacher on a server. It is not contacted if all of its answers are kept. vocabulary: logits of the student.

    Raises RemoteError.
    """
    known = _known(scratch)
    identity = known["identity"] if known else identity_of(server)
    return ServedTeacher(identity, server, probe_of(tokenizer, rows, vocabulary))


def keep(teacher: ServedTeacher, scratch: Path) -> dict[str, object]:
    """Record that the answers of the teacher are complete. Returns what may be published of it."""
    known = _known(scratch)
    builds = known["builds"] if known else list(teacher.server.builds if teacher.server else ())
    write_json(scratch / KEPT, Known(identity=dict(teacher.identity), builds=builds))
    facts = {name: value for name, value in teacher.identity.items() if name not in ("facts", "private")}
    more = teacher.identity["facts"]
    return {**facts, **(more if isinstance(more, Mapping) else {}), "builds": builds, "reproducible": False}


def _known(scratch: Path) -> Known | None:
    try:
        return shaped(read_json(scratch / KEPT), Known)
    except (WrongShape, TypeError, ValueError):
        return None


def probe_of(tokenizer: PreTrainedTokenizerBase, rows: Sequence[EncodedRow], vocabulary: int) -> Probe:
    """What a server of the same tokens gets right: a text with all special tokens, and a conversation."""
    text = PROBE + "".join(dict.fromkeys(map(str, tokenizer.all_special_tokens)))
    row = wanted(rows[0]).ids
    other = next(token for token in row if token != row[-1])
    longest = max(map(tokens_read, rows)) + 1
    return Probe(text, tuple(tokenizer(text)["input_ids"]), row, other, longest, vocabulary)
