"""The teacher's answers at every assistant position, computed once and kept on disk.

Per position the k largest log-probabilities, their token ids and the log of the rest are stored, all at the given
temperature, in a third of the bytes of float32 (``codec``). Rows are in shards, which are a pure function of the
question (``arranging``). A shard is renamed into place once complete, and then the index gets a line with its SHA-256.
So a SIGKILL loses at most the shard being written, and the shards of an interrupted cache have the bytes of an
uninterrupted one. A shard is verified when its first row is read; one that is damaged or gone is made again.

Several processes may fill a cache together: each makes the shards whose number leaves its rank as the remainder.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import Damaged
from zoo.files.digests import digest, sha256_file
from zoo.files.whole import sweep, write_atomic
from zoo.progress import Reporter
from zoo.training.teacher import old
from zoo.training.teacher.arranging import Batch, arranged
from zoo.training.teacher.index import Entry, Index
from zoo.training.teacher.question import FORMAT, Question
from zoo.training.teacher.shards import Shard, name_of, written
from zoo.training.teacher.source import Source, answers_of, opened, refuse_nan
from zoo.training.teacher.targets import Targets, joined


@dataclass(frozen=True)
class Share:
    """The part of a cache that one of ``world`` processes makes. One without a shard of its own makes none."""

    rank: int = 0
    world: int = 1

    def has(self, shard: int) -> bool:
        """Whether this process makes the shard with this number."""
        return shard % self.world == self.rank


@dataclass(frozen=True)
class _Filler:
    """Makes shards, with the teacher or from the cache of an earlier version."""

    question: Question
    shards: Sequence[Sequence[Batch]]
    index: Index
    report: Reporter
    older: old.OldCache | None = None

    def make(self, numbers: Sequence[int]) -> None:
        """Raises OSError on a full disk: the shards before it are kept."""
        left = [number for number in numbers if not self._from_old(number)]
        if not left:
            return
        with opened(self.question) as source:
            tokens = sum(self._tokens(batch) for number in left for batch in self.shards[number])
            with self.report.task("read the teacher", tokens, "tokens") as advance:
                for number in left:
                    answers = self._asked(source, number, advance)
                    self._write(number, answers)
        if (kept := answers[0].ids.shape[1]) < self.question.top_k:
            self.report.say(f"The teacher has {kept} tokens, fewer than distill.top_k: all of them are kept")

    def _asked(self, source: Source, number: int, advance: Callable[[float], None]) -> list[Targets]:
        batches = self.shards[number]
        found = answers_of(source, batches, lambda batch: advance(self._tokens(batch)))
        refuse_nan(found, [self.question.rows[row] for batch in batches for row in batch.rows])
        return found

    def _from_old(self, number: int) -> bool:
        if self.older is None:
            return False
        rows = [row for batch in self.shards[number] for row in batch.rows]
        found = [self.older.row(row) for row in rows]
        answers = [answer for answer in found if answer is not None]
        if len(answers) < len(rows):
            return False
        self._write(number, answers, old.FORMAT)
        return True

    def _write(self, number: int, answers: Sequence[Targets], first: int = FORMAT) -> None:
        path = self.index.folder / name_of(number)
        write_atomic(path, written(answers))
        size, positions = path.stat().st_size, sum(len(row) for row in answers)
        sha256 = sha256_file(path)
        self.index.add(Entry(shard=number, sha256=sha256, bytes=size, positions=positions, format=first))

    def _tokens(self, batch: Batch) -> int:
        return sum(len(self.question.rows[row].input_ids) for row in batch.rows)

    def warn(self, number: int, fault: str, others: int) -> None:
        """Tell that a shard is made again, and as many others."""
        more = f", and {others} more" if others else ""
        self.report.warn(f"{name_of(number)} of the teacher's answers {fault}: it is made again{more}")

    def faulty(self) -> list[int]:
        """The shards with a fault that shows without reading them."""
        return [number for number in range(len(self.shards)) if self.fault(number)]

    def fault(self, number: int) -> str:
        """What is wrong with a shard, without reading it; "" if nothing is."""
        entry, path = self.index.entries.get(number), self.index.folder / name_of(number)
        if entry is None:
            return "is not in the index"
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return "is gone"
        return "" if size == entry["bytes"] else "has another size than recorded"


@dataclass(frozen=True)
class TeacherCache:
    """The answers to a question. shards and places: per row, the number of its shard and its place in it."""

    digest: str
    shards: Sequence[int]
    places: Sequence[int]
    _filler: _Filler
    _open: dict[int, Shard] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the answers are."""
        return self._filler.index.folder

    @property
    def has_older(self) -> bool:
        """Whether answers were taken over from the cache of an earlier version."""
        return any(entry["format"] != FORMAT for entry in self._filler.index.entries.values())

    def targets(self, rows: Sequence[int]) -> Targets:
        """The teacher's answers at all assistant positions of ``rows``, one row after the other.

        A damaged shard is made again, for which the teacher is loaded. Raises Damaged if that does not help.
        """
        return joined([self._row(row) for row in rows])

    def _row(self, row: int) -> Targets:
        number, place = self.shards[row], self.places[row]
        shard = self._shard(number)
        try:
            return shard.row(place)
        except (OSError, ValueError):
            # It was verified, so it has changed since, or it is gone.
            del self._open[number]
            return self._shard(number).row(place)

    def _shard(self, number: int) -> Shard:
        if number not in self._open:
            if self._fault(number):
                # Another process may have made it again, or for the first time.
                self._filler.index.read(self._filler.report)
            if fault := self._fault(number):
                self._repair(number, fault)
            self._open[number] = Shard(self._filler.index.folder / name_of(number))
        return self._open[number]

    def _repair(self, number: int, fault: str) -> None:
        filler, name = self._filler, name_of(number)
        others = [other for other in filler.faulty() if other != number]
        filler.warn(number, fault, len(others))
        filler.make([number, *others])
        if fault := self._fault(number):
            raise Damaged(
                f"{name} of the teacher's answers {fault}, right after it was made again",
                where=str(filler.index.folder),
                safe="Nothing was trained on it; checkpoints are kept.",
                remedy="Check the disk and the memory of this machine",
            )

    def _fault(self, number: int) -> str:
        if fault := self._filler.fault(number):
            return fault
        sha256 = self._filler.index.entries[number]["sha256"]
        is_sound = sha256_file(self._filler.index.folder / name_of(number)) == sha256
        return "" if is_sound else "has changed since it was written"


Place = Callable[[str], Path]
"""The folder of a cache by its digest."""


def cache_teacher(
    question: Question, folder: Path, report: Reporter, *, share: Share = Share(), earlier: Place | None = None
) -> TeacherCache:
    """Make or complete a share of the cache of a teacher's answers in ``folder``; shards that exist are kept.

    The teacher is loaded only if a shard is missing. earlier: where the cache of an earlier version would be, whose
    answers are taken over. With several processes, wait for all before reading. Raises ModelFileError for a teacher
    that cannot be read or whose logits are NaN.
    """
    folder.mkdir(parents=True, exist_ok=True)
    head = question.head()
    name = digest(head)
    index = Index(folder, head)
    index.read(report)
    shards = arranged(question.rows, question.reading)
    filler = _Filler(question, shards, index, report)
    if share.world == 1:
        sweep(folder, "shard-*")
    missing = [number for number in filler.faulty() if share.has(number)]
    if damaged := [number for number in missing if number in index.entries]:
        filler.warn(damaged[0], filler.fault(damaged[0]), len(damaged) - 1)
    if missing:
        found = old.OldCache.at(question, earlier) if earlier else None
        if found:
            report.say("Taking over the teacher's answers from a cache of an earlier version")
        _Filler(question, shards, index, report, found).make(missing)
    return TeacherCache(name, *_places(shards, len(question.rows)), filler)


def _places(shards: Sequence[Sequence[Batch]], rows: int) -> tuple[Sequence[int], Sequence[int]]:
    """Per row, the number of its shard and its place in it."""
    numbers, places = array("q", bytes(8 * rows)), array("q", bytes(8 * rows))
    for number, batches in enumerate(shards):
        for place, row in enumerate(row for batch in batches for row in batch.rows):
            numbers[row], places[row] = number, place
    return numbers, places
