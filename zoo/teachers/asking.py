"""Rows to a server and its answers back: some at the same time, each validated here, none kept in memory for long."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from catalog.problems import show
from catalog.recipe import Label
from zoo.corpora.rows import Answer, Row, invalid
from zoo.errors import RemoteError
from zoo.hub.download import MALFORMED
from zoo.progress import Reporter, carried
from zoo.teachers.door import Door, Line
from zoo.teachers.pace import Pace
from zoo.teachers.replies import FINISHED, NotAReply, Reply, believed, read
from zoo.teachers.servers import Served

RETRY_TEMPERATURE = 0.7
"""A greedy answer would only repeat itself; a retry samples at this temperature or higher."""

LEAST_TOKENS_PER_SECOND = 2.0
"""Of a server, over all requests together: a slower one is not waited for."""
GRACE_SECONDS = 120.0
"""To read the prompts, and to load a model first."""
_TOKEN_BYTES, _BODY_BYTES = 1 << 10, 1 << 20
"""An answer is at most so long: bytes of one token as JSON, and of everything around the text."""

_CUT_SECONDS = 0.5

MOST_REFUSED = 10
"""Requests that a server refuses before it has answered any: then it is the request, not the row."""

_MARKER = re.compile(r"<\|[^<>\s|]{1,64}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|[<\[]\uff5c")
"""Text that a server's tokenizer takes for a marker between turns."""


@dataclass(frozen=True)
class Asked:
    """A row that is finished. requests: that were answered; prompt_tokens, answer_tokens: of all of them, by the
    server's count, and uncounted: those of which it did not say it. build: what the server says of itself. is_refused:
    the server did not take the request, so there is no answer to keep."""

    answer: Answer
    requests: int
    prompt_tokens: int
    answer_tokens: int
    uncounted: int
    build: str
    is_refused: bool = False


@dataclass
class _Spent:
    """What a row cost so far."""

    requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    uncounted: int = 0
    build: str = ""

    def add(self, reply: Reply) -> None:
        self.requests += 1
        self.prompt_tokens += reply.prompt_tokens or 0
        self.answer_tokens += reply.answer_tokens or 0
        self.uncounted += reply.prompt_tokens is None or reply.answer_tokens is None
        self.build = reply.build

    def asked(self, answer: Answer, *, is_refused: bool = False) -> Asked:
        counts = (self.requests, self.prompt_tokens, self.answer_tokens, self.uncounted)
        return Asked(answer, *counts, self.build, is_refused)


def seconds_for(tokens: int, at_once: int) -> float:
    """How long one request may take, while others are answered at the same time."""
    return GRACE_SECONDS + tokens * at_once / LEAST_TOKENS_PER_SECOND


@dataclass
class Asking:
    """Questions to one model. ``answers`` is used once."""

    door: Door
    served: Served
    spec: Label
    report: Reporter
    pace: Pace = field(init=False)
    _lines: list[Line] = field(default_factory=list)
    _free: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.pace = Pace(self.report)

    def answers(self, rows: Iterable[Row]) -> Iterator[Asked]:
        """Every row finished, in the order in which they finish. As many as ``batch_rows`` are asked or wait for the
        caller to take them: what the caller has recorded is never asked again after a kill. Raises RemoteError.
        """
        at_once = self.spec.batch_rows
        done: queue.Queue[Asked | BaseException | None] = queue.Queue()
        self._free.release(at_once)
        work, left = carried(self._work), iter(rows)
        threads = [threading.Thread(target=work, args=(left, done), daemon=True) for _ in range(at_once)]
        running, failure = at_once, None
        with self._running(threads):
            while running:
                try:
                    found = done.get(timeout=_CUT_SECONDS)
                except queue.Empty:
                    if failure is not None:
                        self._stop()
                    continue
                if isinstance(found, Asked):
                    yield found
                    self._free.release()
                    continue
                running -= 1
                if found is not None and failure is None:
                    # What the other threads have finished is still taken.
                    failure = found
                    self._stop()
        if failure is not None:
            raise failure

    @contextmanager
    def _running(self, threads: list[threading.Thread]) -> Iterator[None]:
        watch = threading.Thread(target=self._watch, daemon=True)
        for thread in (*threads, watch):
            thread.start()
        try:
            yield
        finally:
            for thread in (*threads, watch):
                # A request that was about to be sent is cut the next time.
                for _ in range(10):
                    self._stop()
                    thread.join(_CUT_SECONDS)
                    if not thread.is_alive():
                        break

    def _stop(self) -> None:
        self.pace.stopped.set()
        self._free.release(self.spec.batch_rows)
        for line in list(self._lines):
            line.cut()

    def _watch(self) -> None:
        """A connection has no limit for all of its steps together: this thread ends the ones that take too long."""
        while not self.pace.stopped.wait(1.0):
            now = time.monotonic()
            for line in list(self._lines):
                line.cut(late=now)

    def _work(self, rows: Iterator[Row], done: queue.Queue[Asked | BaseException | None]) -> None:
        line = Line(self.door)
        self._lines.append(line)
        try:
            while self._free.acquire() and not self.pace.stopped.is_set():
                with self._lock:
                    row = next(rows, None)
                if row is None or (found := self._row(row, line)) is None:
                    break
                done.put(found)
            done.put(None)
        except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
            done.put(error)
        finally:
            line.close()

    def _row(self, row: Row, line: Line) -> Asked | None:
        """A row asked until its answer is valid or there were too many tries; None if the work is stopped."""
        spent = _Spent()
        if marker := next((found[0] for _, text in row.messages if (found := _MARKER.search(text))), ""):
            why = f"the prompt has {show(marker)}, which a server would read as a marker"
            return spent.asked(Answer(row.key, "", "stop", 0, self.spec.retries + 1, why))
        answer = Answer(row.key, "", "stop", 0, 0, "nothing was asked")
        for attempt in range(1 + self.spec.retries):
            try:
                reply = self._reply(row, attempt, line)
            except RemoteError as error:
                if error.kind != "invalid":
                    raise
                self._count_refused(error)
                why = str(error.facts["refused"])
                return spent.asked(Answer(row.key, "", "stop", 0, attempt + 1, why), is_refused=True)
            if reply is None:
                return None
            spent.add(reply)
            answer = _judged(row, reply, attempt)
            if not answer.invalid:
                break
        return spent.asked(answer)

    def _reply(self, row: Row, attempt: int, line: Line) -> Reply | None:
        """One answer, after as many tries as the connection needs; None if the work is stopped. Raises RemoteError."""
        body, seconds, most_bytes = self._request(row, attempt)
        reply = self.pace.tried(lambda: self._sound(line.ask(body, seconds, most_bytes)))
        return believed(reply, self._most_tokens(row, attempt)) if reply else None

    def _sound(self, raw: bytes) -> Reply:
        try:
            reply = read(raw)
        except NotAReply as error:
            raise RemoteError(
                f"{self.door.place} sent {error} instead of an answer", kind=MALFORMED,
                facts={"address": self.door.place}, transient=True, safe="The answers so far are kept.",
                remedy="Check what is at this address",
            ) from error  # fmt: skip
        self.served.refuse_other(reply.model, self.door.place)
        return reply

    def _request(self, row: Row, attempt: int) -> tuple[Mapping[str, object], float, int]:
        spec, tokens = self.spec, self._most_tokens(row, attempt)
        body = {
            "model": self.served.model, "messages": row.conversation, "max_tokens": tokens, "stream": False, "n": 1,
            "temperature": max(spec.temperature, RETRY_TEMPERATURE) if attempt else spec.temperature,
            "top_p": spec.top_p, "seed": spec.seed + attempt, **self.served.kind.plain,
            **(self.served.kind.structured(row.schema) if row.schema is not None else {}),
        }  # fmt: skip
        return body, seconds_for(tokens, spec.batch_rows), _BODY_BYTES + _TOKEN_BYTES * tokens

    def _most_tokens(self, row: Row, attempt: int) -> int:
        # Incomplete JSON cannot be completed, so a retry gets more room.
        return self.spec.max_tokens * (2 if attempt or row.schema else 1)

    def _count_refused(self, error: RemoteError) -> None:
        with self._lock:
            self._refused += 1
            is_request = not self.pace.answers and self._refused >= MOST_REFUSED
        if is_request:
            raise RemoteError(
                error.what, kind="refused", facts=error.facts, safe=error.safe,
                remedy="The server answers no request of this form. Check its version, and that its model has a chat "
                "template",
            )  # fmt: skip


def _judged(row: Row, reply: Reply, attempt: int) -> Answer:
    text = reply.text.strip()
    fault = invalid(text, reply.finish, row.schema)
    if reply.finish not in FINISHED:
        fault = f"the server ended the answer with {show(reply.finish)}"
    finish = reply.finish if reply.finish in FINISHED else "stop"
    return Answer(row.key, text, finish, reply.answer_tokens or 0, attempt + 1, fault)
