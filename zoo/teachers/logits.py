"""Prompts as token ids to a server and log-probabilities back: some at the same time, all checked here."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic

from catalog import jsontext
from catalog.jsontext import JsonObject
from catalog.unseen import visible
from zoo.errors import AGAIN, InputError, RemoteError
from zoo.hub.download import MALFORMED
from zoo.progress import Reporter, carried
from zoo.teachers.asking import seconds_for
from zoo.teachers.dialects import DIALECTS, Body, Dialect, NoProbabilities, Place
from zoo.teachers.door import Door, Line
from zoo.teachers.likely import OtherCount, Top, Unfit, is_moved, refuse_later, tops
from zoo.teachers.looking import look
from zoo.teachers.pace import Pace
from zoo.teachers.replies import NotAReply
from zoo.teachers.servers import LONGEST_NAME, Served

AT_ONCE = 4
"""Requests at the same time: a server's memory for them is not in its own plan (tokens x vocabulary x 6 bytes each)."""
_ENTRY_BYTES, _BODY_BYTES = 512, 1 << 20
"""An answer is at most so long: bytes of one token of one place as JSON (vLLM writes some 75), and of the rest."""
_WATCH_SECONDS = 0.5
_OTHER = "Check what is at this address, or use another server"
_KEPT = "The answers so far are kept; nothing was trained on them."


@dataclass(frozen=True)
class Wanted:
    """A prompt whose tokens after the first ``skipped`` + 1 are asked for."""

    ids: tuple[int, ...]
    skipped: int


@dataclass(frozen=True)
class Probe:
    """What a server must get right before it is asked. text_ids: the tokens of ``text``. row: a prompt; other: a token
    that may take the place of its last. longest: tokens of the longest prompt. vocabulary: number of the student's
    tokens."""

    text: str
    text_ids: tuple[int, ...]
    row: tuple[int, ...]
    other: int
    longest: int
    vocabulary: int


@dataclass
class LogitServer:
    """A model on a server that gives the ``top_k`` most probable tokens at every place of a prompt. builds: what it
    says of itself, as its answers come."""

    door: Door
    model: str
    dialect: Dialect
    top_k: int
    report: Reporter
    builds: list[str] = field(default_factory=list)
    _served: Served | None = None
    _vocabulary: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def served(self) -> Served:
        """The model as the server lists it. Raises RemoteError for a server of another kind, or without this model."""
        if self._served is None:
            found = look(Line(self.door), self.model, Pace(self.report))
            _refuse_kind(found, self.dialect, self.door.place)
            self._served = found
        return self._served

    def check(self, probe: Probe) -> None:
        """Ask a few things whose answer is known. Raises RemoteError, or InputError for a recipe that asks too much."""
        self._vocabulary = probe.vocabulary
        room = self.served().facts.get("context_tokens")
        if isinstance(room, int) and room <= probe.longest:
            raise InputError(
                f"the longest conversation has {probe.longest} tokens, but {self.door.place} reads at most {room - 1}",
                safe=_KEPT,
                remedy="Lower distill.row_tokens, or start the server with a longer context: "
                + self.dialect.longer.format(tokens=probe.longest + 1),
            )  # fmt: skip
        one = Wanted(probe.row, 0)
        last = len(probe.row) - 1
        changed = sorted({last // 4, last // 2, last - 1} - {-1})
        first, second, *others = self.answers([one, *(_with(one, at, probe.other) for at in (last, *changed))])
        with self._fit():
            refuse_later(first[-1], second[-1])
            # Of several, because what follows some tokens is always the same.
            if not any(is_moved(first[at], other[at]) for at, other in zip(changed, others, strict=True)):
                raise Unfit("its places are shifted: they do not change with the token before them")
        self._check_tokens(probe)

    def _check_tokens(self, probe: Probe) -> None:
        line = Line(self._door)
        try:
            body = self.dialect.text(self.model, probe.text)
            answer = self._tried(line, body, len(probe.text_ids), Pace(self.report))
        finally:
            line.close()
        # Of the first token no server gives a probability, and some not even the token.
        theirs = [place.token for place in self._places(answer, 0)] if answer else []
        if tuple(theirs) != probe.text_ids[1:]:
            raise InputError(
                f"{self.door.place} splits text into other tokens than the student's tokenizer, so its probabilities "
                "are of other words",
                safe=_KEPT, remedy="Serve a teacher of the student's family, or use method: labels",
            )  # fmt: skip

    def answers(self, wanted: Sequence[Wanted]) -> list[list[Top]]:
        """Of every prompt, at the places that are asked for. ``check`` comes first. Raises RemoteError."""
        lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        every, pace = [Line(self._door) for _ in range(min(AT_ONCE, len(wanted)))], Pace(self.report)
        for line in every:
            lines.put(line)

        def one(row: Wanted) -> list[Top]:
            line = lines.get()
            try:
                return self._row(row, line, pace)
            finally:
                lines.put(line)

        with ThreadPoolExecutor(len(every)) as pool:
            work = carried(one)
            futures = [pool.submit(work, row) for row in wanted]
            try:
                _watch(futures, every)
                return [future.result() for future in futures]
            finally:
                # Without a failure there is nothing left to stop.
                pace.stopped.set()
                for future in futures:
                    future.cancel()
                for line in every:
                    line.cut()
                    line.close()

    @property
    def _door(self) -> Door:
        return self.door.root if self.dialect.is_root else self.door

    def _row(self, row: Wanted, line: Line, pace: Pace) -> list[Top]:
        body = self.dialect.ids(self.model, row.ids, row.skipped, self.top_k)
        answer = self._tried(line, body, len(row.ids), pace)
        if answer is None:
            return []
        places = self._places(answer, row.skipped)
        with self._fit():
            return tops(places, row.ids[row.skipped + 1 :], self.top_k, self._vocabulary)

    def _tried(self, line: Line, body: Body, tokens: int, pace: Pace) -> JsonObject | None:
        seconds = seconds_for(tokens, AT_ONCE)
        most_bytes = _BODY_BYTES + _ENTRY_BYTES * (self.top_k + 1) * tokens
        try:
            return pace.tried(lambda: self._sound(line.ask(body, seconds, most_bytes, self.dialect.path)))
        except RemoteError as error:
            if error.kind not in ("invalid", "not_found"):
                raise
            raise RemoteError(
                error.what, kind="refused", facts=error.facts, safe=_KEPT, remedy=self._how, again=AGAIN
            ) from error

    def _sound(self, raw: bytes) -> JsonObject:
        """The JSON of an answer with places in it. Raises RemoteError, for one that may be better next time too."""
        try:
            answer = jsontext.parse(raw, unique=True, bounded=False)
            if not isinstance(answer, dict):
                raise NotAReply("JSON that is not an object")
            self._places(answer, 0)
        except (NotAReply, jsontext.NotJson) as error:
            raise RemoteError(
                f"{self.door.place} sent no log-probabilities: {visible(str(error))[:200]}",
                kind=MALFORMED, facts={"address": self.door.place}, transient=True, safe=_KEPT,
                remedy="Check what is at this address", again=AGAIN,
            ) from error  # fmt: skip
        if (name := self.dialect.model(answer)) is not None:
            self.served().refuse_other(name, self.door.place)
        build = visible(str(answer.get("system_fingerprint") or ""))[:LONGEST_NAME]
        with self._lock:
            self.builds += [build] if build and build not in self.builds else []
        return answer

    def _places(self, answer: JsonObject, skipped: int) -> list[Place]:
        try:
            return self.dialect.places(answer, skipped)
        except NoProbabilities as error:
            raise RemoteError(
                f"{self.door.place} answered without log-probabilities of the prompt", kind="unfit", safe=_KEPT,
                facts={"address": self.door.place},
                remedy=f"Use a server that gives them ({_titles()}), or method: labels",
            ) from error  # fmt: skip

    @contextmanager
    def _fit(self) -> Iterator[None]:
        try:
            yield
        except Unfit as error:
            raise RemoteError(
                f"{self.door.place} cannot be learnt from: {error}", kind="unfit", safe=_KEPT,
                facts={"address": self.door.place}, remedy=self._how if isinstance(error, OtherCount) else _OTHER,
            ) from error  # fmt: skip

    @property
    def _how(self) -> str:
        start = self.dialect.start.format(top_k=self.top_k)
        return f"Check how the server was started ({start}), or lower distill.top_k"


def opened(door: Door, model: str, engine: str, top_k: int, report: Reporter) -> LogitServer:
    """The model of this name behind a door; nothing is sent yet. engine: the name of its dialect."""
    return LogitServer(door, model, DIALECTS[engine], top_k, report)


def facts_of(served: Served, dialect: Dialect) -> Mapping[str, object]:
    """What may be published of a teacher: its name, how it was asked, and what its server says of it."""
    return {"model": served.model, "asked_as": dialect.name, **served.facts}


def _with(row: Wanted, at: int, token: int) -> Wanted:
    """The prompt with another token at one place: this one, or its own first other one if this one is there."""
    new = token if row.ids[at] != token else next(one for one in row.ids if one != token)
    return replace(row, ids=(*row.ids[:at], new, *row.ids[at + 1 :]))


def _watch(futures: Sequence[Future[list[Top]]], lines: Sequence[Line]) -> None:
    """Wait for all, or for the first failure. A connection has no limit for all of its steps together: one that takes
    too long is cut here."""
    left = set(futures)
    while left:
        done, left = wait(left, _WATCH_SECONDS, FIRST_EXCEPTION)
        for one in done:
            one.result()
        now = monotonic()
        for line in lines:
            line.cut(late=now)


def _refuse_kind(found: Served, dialect: Dialect, place: str) -> None:
    owner = found.kind.owner
    if owner in ("", dialect.owner):
        return
    other = next((one for one in DIALECTS.values() if one.owner == owner), None)
    if other is None:
        raise RemoteError(
            f"{place} is {found.kind.name}, which gives no log-probabilities of a prompt", kind="unfit",
            facts={"address": place}, safe="Nothing was asked.",
            remedy="Name its GGUF file as the teacher's source, with engine: llama.cpp, or use method: labels",
        )  # fmt: skip
    raise RemoteError(
        f"{place} is {found.kind.name}, but the recipe asks it as {dialect.title}", kind="unfit",
        facts={"address": place}, safe="Nothing was asked.", remedy=f"Write engine: {other.name} under teacher:",
    )  # fmt: skip


def _titles() -> str:
    return " or ".join(one.title for one in DIALECTS.values())
