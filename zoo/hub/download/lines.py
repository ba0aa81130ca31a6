"""Connections that fill a partial file.

One connection starts. For a large file another one is tried; it stays if the total becomes faster, and then one more is
tried. Each fills a span; a finished one takes half of the slowest one's remaining work. A broken connection is reopened
where it stopped, after a growing pause or the pause that the hub asks for.

Threads: one per connection writes; the caller's thread hashes behind them and updates the sidecar file.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from catalog.words import counted
from zoo.errors import RESUMES, RemoteError
from zoo.hub import Incoming
from zoo.hub.download import spans as spans_room
from zoo.hub.download.partial import BLOCK, Partial
from zoo.hub.download.patience import Patience
from zoo.hub.download.spans import Span
from zoo.progress import Advance, Reporter, carried


class Source(Protocol):
    """Where the bytes come from."""

    def __call__(self, begin: int, end: int) -> Incoming:
        """Bytes ``begin`` to ``end``, or the complete file. Raises RemoteError."""


@dataclass
class Lines:
    """The connections of one file."""

    source: Source
    part: Partial
    patience: Patience
    report: Reporter
    lock: threading.Lock = field(default_factory=threading.Lock)
    changed: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None
    received: int = 0
    ranged: bool = True
    running: int = 0
    most: int = 0
    failures: int = 0
    last_failure_at: int = 0

    def run(self, advance: Advance) -> None:
        """Fill the part and hash it. Raises RemoteError, or OSError of the disk; received bytes are kept."""
        told, noted = 0, 0
        probe = _Probe(self)
        try:
            while self.running or spans_room.missing(self.part.spans):
                if self.failure:
                    raise self.failure
                if not self.running:
                    self._start()
                self.changed.wait(0.1)
                self.changed.clear()
                with self.lock:
                    received, until = self.received, spans_room.frontier(self.part.spans)
                advance(received - told)
                told = received
                self.part.hash_on(until)
                # With one span, the length of the file gives everything except the digest so far.
                if received - noted >= (BLOCK if self.part.sparse else 16 * BLOCK):
                    noted = received
                    self._save()
                probe.look()
        finally:
            self.stop.set()
            self._save()
        self.part.hash_on()

    def _save(self) -> None:
        with self.lock:
            self.part.save()

    def _start(self) -> bool:
        """Add a connection, if there is work for it."""
        with self.lock:
            span = spans_room.free(self.part.spans)
            if span is None and self.ranged and self.running:
                span = spans_room.split(self.part.spans, self.patience.least_span_bytes)
                self.part.sparse |= span is not None
            if span is None:
                return False
            span.taken = True
            self.running += 1
            self.most = max(self.most, self.running)
            if self.part.sparse:
                self.part.save()
        # A separate handle: closing the file does not wait for a hanging connection.
        handle = os.dup(self.part.handle)
        threading.Thread(target=carried(self._work), args=(span, handle), daemon=True).start()
        return True

    def _work(self, span: Span | None, handle: int) -> None:
        try:
            while span and not self.stop.is_set():
                self._fill(span, handle)
                with self.lock:
                    span.taken = False
                    span = None if self.stop.is_set() else self._next()
                    if span:
                        span.taken = True
        except BaseException as error:  # noqa: BLE001 - the thread that waits reports it
            with self.lock:
                self.failure = self.failure or error
        finally:
            os.close(handle)
            with self.lock:
                self.running -= 1
            self.changed.set()

    def _next(self) -> Span | None:
        found = spans_room.free(self.part.spans)
        if found is None and self.ranged and self.most > 1:
            found = spans_room.split(self.part.spans, self.patience.least_span_bytes)
        return found

    def _fill(self, span: Span, handle: int) -> None:
        while span.left and not self.stop.is_set():
            try:
                self._stream(span, handle)
            except RemoteError as error:
                self._pause(error)

    def _stream(self, span: Span, handle: int) -> None:
        """Write the data of one connection into the span."""
        asked = span.position
        incoming = self.source(asked, span.end)
        try:
            with self.lock:
                self.ranged &= incoming.ranged
            at, trickle = incoming.begin, _Trickle(self.patience)
            for chunk in incoming.chunks:
                trickle.add(len(chunk))
                fresh = chunk[max(span.position - at, 0) :] if at < span.position else chunk
                at += len(chunk)
                if fresh and not self._write(span, fresh, handle):
                    return
        finally:
            incoming.close()
        if span.left and not self.stop.is_set():
            raise RemoteError(
                f"the connection ended {span.left} bytes too early", kind="wrong_length", transient=True,
                facts={"path": self.part.file.path, "expected": span.end - asked, "got": span.position - asked},
                again=RESUMES,
            )  # fmt: skip

    def _write(self, span: Span, data: bytes | memoryview, handle: int) -> bool:
        """False if the span is full or no longer needed."""
        # Only this thread moves the position. Another thread may move the end closer, but never within one chunk.
        data = data[: span.end - span.position]
        done = 0
        while done < len(data):
            done += os.pwrite(handle, data[done:], span.position + done)
        with self.lock:
            block = self.received // BLOCK
            span.position += done
            self.received += done
            another = block != self.received // BLOCK
        if another:
            self.changed.set()
        return span.left > 0 and not self.stop.is_set()

    def _pause(self, error: RemoteError) -> None:
        """Wait before the next try. Raises the error if another try cannot help, or there were too many."""
        patience = self.patience
        with self.lock:
            if self.received - self.last_failure_at >= BLOCK:
                self.failures = 0
            self.failures += 1
            self.last_failure_at = self.received
            count = self.failures
        wait = patience.pause(error, count)
        self.report.say(f"  {error.what}; trying again in {wait:.1f} s ({count} of {patience.tries - 1})")
        self.stop.wait(wait)


class _Trickle:
    """Refuses a connection that is too slow."""

    def __init__(self, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience, self.clock = patience, clock
        self.began, self.bytes = clock(), 0

    def add(self, count: int) -> None:
        self.bytes += count
        seconds = self.clock() - self.began
        if seconds < self.patience.stall_seconds:
            return
        if self.bytes < self.patience.least_bytes_per_second * seconds:
            raise RemoteError(
                f"only {counted(self.bytes, 'byte')} arrived in {counted(round(seconds), 'second')}",
                kind="stalled", transient=True, facts={"bytes": self.bytes, "seconds": round(seconds, 1)},
                remedy="Check the network",
                again=RESUMES,
            )  # fmt: skip
        self.began, self.bytes = self.clock(), 0


class _Probe:
    """Tries another connection and checks whether it helped."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.began, self.bytes, self.before = time.monotonic(), 0, 0.0
        self.over = lines.patience.most_connections < 2

    def look(self) -> None:
        seconds, lines = time.monotonic() - self.began, self.lines
        if self.over or seconds < lines.patience.probe_seconds:
            return
        rate = (lines.received - self.bytes) / seconds
        helped = rate >= self.before * lines.patience.gain
        if not lines.ranged or lines.running >= lines.patience.most_connections or not helped:
            self.over = True
            return
        self.began, self.bytes, self.before = time.monotonic(), lines.received, rate
        self.over = not lines._start()
