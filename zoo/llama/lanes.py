"""Several contexts of one model side by side, each in a thread of its own: they answer one list of jobs.

Cores that share each small matrix wait for each other at every one of some thousand products in a step, and a core that
another program uses for a moment stops them all. A context for each core waits for nobody. Which context answers a job
changes no byte: see ``zoo.llama.generate``.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue

from zoo.llama.generate import Job, Result, generate
from zoo.llama.model import Model


def divided(threads: int, rows: int, batch_rows: int, most: int) -> tuple[int, int]:
    """How many contexts, at most ``most`` but one at least, answer ``rows`` jobs, and the threads of each: none is
    without jobs.
    """
    count = max(1, min(threads, most, -(-rows // batch_rows)))
    return count, max(1, threads // count)


def answered(
    models: Sequence[Model], jobs: Iterable[Job], *, batch_rows: int
) -> Generator[Result, None, None]:
    """The results of ``generate`` for all jobs, as they finish. models: open contexts, each for one thread only, and
    open until this is closed.

    Raises as ``generate`` does, with the first error of any context; then, or when it is closed, the others end before
    their next token.
    """
    if len(models) == 1:
        yield from generate(models[0], jobs, batch_rows=batch_rows)
        return
    lanes = _Lanes(iter(jobs))
    threads = [threading.Thread(target=lanes.work, args=(model, batch_rows)) for model in models]
    try:
        for thread in threads:
            thread.start()
        working = len(threads)
        while working:
            found = lanes.arrived.get()
            if isinstance(found, BaseException):
                raise found
            if found is None:
                working -= 1
            else:
                yield found
    finally:
        lanes.stopped.set()
        _end(threads)


def _end(threads: Sequence[threading.Thread]) -> None:
    """Wait for all that were started. Another Ctrl-C meanwhile must not let the caller free what they still use."""
    for thread in threads:
        while thread.is_alive():
            with suppress(KeyboardInterrupt):
                thread.join()


class _Lanes:
    """What the threads share. arrived: results, an error, and None from each thread that has no jobs left."""

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self.stopped = threading.Event()
        self.arrived: SimpleQueue[Result | BaseException | None] = SimpleQueue()

    def work(self, model: Model, batch_rows: int) -> None:
        try:
            for result in generate(model, self._waiting(), batch_rows=batch_rows, stopped=self.stopped.is_set):
                self.arrived.put(result)
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that asked
            self.arrived.put(error)
        else:
            self.arrived.put(None)

    def _waiting(self) -> Iterator[Job]:
        while not self.stopped.is_set():
            with self._lock:
                job = next(self._jobs, None)
            if job is None:
                return
            yield job
