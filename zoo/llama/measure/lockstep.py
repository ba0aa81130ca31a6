"""Several models over the same windows in lock step: the reference reads a window once, the others follow.

Every model works with one thread, and as many models work at the same time as there are workers. Threads of
llama.cpp spin while they wait for each other, models do not, so this is faster than giving each model all threads in
turn, stays fast on a busy machine, and gives the same figures for any number of workers.

The reference's logits of a window stay in memory until the last candidate has been compared with them; the order of the
work keeps this to about two windows at a time. Candidates' logits are compared batch by batch in llama.cpp's memory.

If windows are compared part by part, the reference reads the first window of the next part while the last candidates
are compared: otherwise workers would wait at each end and each beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelFileError
from zoo.judge import divergence
from zoo.judge.divergence import Floats, compare, nll_nats
from zoo.llama.measure.logits import logits_in_batches, window_logits
from zoo.llama.measure.windows import Window
from zoo.llama.model import Model
from zoo.progress import Advance

BATCH_TOKENS = 64
"""Read at a time: llama.cpp keeps two batches' logits per open model; larger batches are no faster on a core."""

Compared = list[divergence.Window]
_Own = tuple[NDArray[np.float32], Floats]


@contextmanager
def opened(paths: Mapping[str, Path], window_tokens: int) -> Iterator[dict[str, Model]]:
    """Open every file, memory-mapped, with a context of one window and one thread."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                Model.open(path, threads=1, context_tokens=window_tokens, batch_tokens=BATCH_TOKENS)
            )
            for name, path in paths.items()
        }


def tokens_of(taken: Sequence[Window], models: int) -> float:
    """How many tokens the reference and so many other models read, in the unit of ``compare_models``."""
    return float(sum(len(window.tokens) for window in taken) * (1 + models))


def compare_models(
    judge: Model, models: Mapping[str, Model], taken: Sequence[Window], workers: int, advance: Advance
) -> tuple[list[Floats], dict[str, Compared]]:
    """``Comparing.compare`` for all windows in one call."""
    with comparing(judge, models, workers) as some:
        return some.compare(taken, list(models), advance)


@contextmanager
def comparing(judge: Model, models: Mapping[str, Model], workers: int) -> Iterator[Comparing]:
    """The models, with so many workers. Work that has begun ends with the block; other work is cancelled."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield Comparing(judge, models, pool)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass
class Comparing:
    """The reference and the models that are compared with it. ``ahead``: the window that it reads already."""

    judge: Model
    models: Mapping[str, Model]
    pool: ThreadPoolExecutor
    ahead: tuple[Window, Future[_Own]] | None = None

    def __post_init__(self) -> None:
        self._busy = {name: Lock() for name in ("", *self.models)}

    def compare(
        self, taken: Sequence[Window], names: Sequence[str], advance: Advance, following: Window | None = None
    ) -> tuple[list[Floats], dict[str, Compared]]:
        """The reference's negative log-likelihoods (nats) per window, and per named model its comparison of every
        window. following: the first window of the next call, if it is known.

        Raises ModelFileError naming the model whose logits are not finite.
        """
        known, self.ahead = self.ahead, None
        first = known[1] if known and known[0] == taken[0] else None
        run = _Run(self.judge, {name: self.models[name] for name in names}, taken, self._busy, first)
        jobs = run.submit(self.pool)
        if following is not None:
            self.ahead = following, self.pool.submit(_read, self.judge, following, self._busy[""])
        for done in as_completed(jobs):
            advance(done.result())
        return [run.own[i] for i in range(len(taken))], {
            name: [run.found[name, i] for i in range(len(taken))] for name in names
        }


def _read(judge: Model, window: Window, busy: Lock) -> _Own:
    """The reference's logits of a window, and their negative log-likelihoods (nats)."""
    with busy:
        logits = window_logits(judge, window.tokens[:-1], first=window.first)
    nll = nll_nats(logits, window.targets)
    if not np.isfinite(nll).all():
        raise not_finite(judge)
    return logits, nll


@dataclass
class _Run:
    """The work in progress. ``held`` maps a window's number to the reference's logits; ``first``: those of the first
    one, if it is read already."""

    judge: Model
    models: Mapping[str, Model]
    taken: Sequence[Window]
    busy: Mapping[str, Lock]
    first: Future[_Own] | None = None
    own: dict[int, Floats] = field(default_factory=dict)
    found: dict[tuple[str, int], divergence.Window] = field(default_factory=dict)
    held: dict[int, Future[NDArray[np.float32]]] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    count: Lock = field(default_factory=Lock)

    def submit(self, pool: ThreadPoolExecutor) -> list[Future[float]]:
        """Submit all work in the order in which it must start: a window is read just before the last candidate of the
        previous one, so that no worker waits and few windows are in memory.
        """
        jobs = []
        names = list(self.models)
        for number in range(len(self.taken)):
            self.held[number], self.waiting[number] = Future(), len(names)
        jobs.append(pool.submit(self._read, 0))
        for number in range(len(self.taken)):
            following = number + 1 < len(self.taken)
            for place, name in enumerate(names):
                if following and place == len(names) - 1:
                    jobs.append(pool.submit(self._read, number + 1))
                jobs.append(pool.submit(self._follow, name, number))
            if following and not names:
                jobs.append(pool.submit(self._read, number + 1))
        return jobs

    def _read(self, number: int) -> float:
        window = self.taken[number]
        try:
            if self.first and number == 0:
                logits, nll = self.first.result()
            else:
                logits, nll = _read(self.judge, window, self.busy[""])
        except BaseException as error:
            self.held[number].set_exception(error)
            raise
        self.own[number] = nll
        if self.models:
            self.held[number].set_result(logits)
        return float(len(window.tokens))

    def _follow(self, name: str, number: int) -> float:
        window, model = self.taken[number], self.models[name]
        expected = self.held[number].result()
        with self.busy[name]:
            compared = compare_window(model, window, expected)
        self.found[name, number] = compared
        del expected
        with self.count:
            self.waiting[number] -= 1
            if not self.waiting[number]:
                del self.held[number]
        return float(len(window.tokens))


def compare_window(model: Model, window: Window, expected: NDArray[np.float32]) -> divergence.Window:
    """A model against the reference's logits of a window, batch by batch. Raises ModelFileError if they are not
    finite.
    """
    parts = []
    for start, rows in logits_in_batches(model, window.tokens[:-1], first=window.first):
        place = slice(start, start + len(rows))
        parts.append(compare(expected[place], rows, window.targets[place]))
    whole = divergence.join(parts)
    if not whole.finite:
        raise not_finite(model)
    return whole


def not_finite(model: Model) -> ModelFileError:
    """The error for a model that computes NaN or infinity."""
    return ModelFileError(
        f"{model.path.name} computes logits that are not finite",
        where=str(model.path),
        remedy="Its weights are damaged or overflow: build it again, or use a type with a wider range",
    )
