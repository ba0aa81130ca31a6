"""Trials of mixes: the KLD of a choice of types per tensor from the reference, over the same windows.

A mix maps tensors to types; other tensors stay unchanged. Each worker runs a trial at the same time, on a private open
copy of the reference file whose tensors are replaced in place. Reference logits are computed once. A trial gives the
same figures on any worker.
"""

from __future__ import annotations

import errno
import itertools
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.words import data_size
from zoo.errors import AGAIN, ZooError
from zoo.files.whole import write_atomic
from zoo.llama.measure.windows import Text, Window, cut, take
from zoo.llama.search.swapping import Swapping
from zoo.llama.search.tensors import Tensors

Mix = Mapping[str, str]

FIRST_SHARE = 8
"""One position in eight of a window is read without being scored; a search needs many positions more than context."""


@dataclass(frozen=True)
class Trials:
    """Open workers, the windows, and the reference's results for them."""

    tensors: Tensors
    windows: tuple[Window, ...]
    expected: tuple[NDArray[np.float32], ...]
    workers: queue.SimpleQueue[Swapping]
    count: int
    blobs: Path

    @classmethod
    @contextmanager
    def open(
        cls,
        tensors: Tensors,
        texts: Sequence[Text],
        scratch: Path,
        *,
        window_tokens: int,
        windows: int,
        threads: int,
    ) -> Iterator[Trials]:
        """Open ``threads`` workers in ``scratch`` and read the windows with the reference.

        Raises InputError for a text shorter than a window, ZooError if the disk is too full for the copies.
        """
        for left in scratch.glob("copy-*.gguf"):
            left.unlink()
        blobs = scratch / "tensors"
        blobs.mkdir(exist_ok=True)
        workers: queue.SimpleQueue[Swapping] = queue.SimpleQueue()
        with ExitStack() as stack:
            try:
                opened = [
                    stack.enter_context(
                        Swapping.open(tensors, scratch / f"copy-{number}.gguf", window_tokens)
                    )
                    for number in range(threads)
                ]
            except OSError as error:
                raise _no_room(error, tensors, scratch, threads) from error
            judge = opened[0].model
            taken = _alternating(
                take(judge, [own], window_tokens, window_tokens // FIRST_SHARE)
                for own in cut(judge, texts, window_tokens, windows)
            )
            expected = opened[0].logits(taken)
            for worker in opened:
                workers.put(worker)
            yield cls(tensors, tuple(taken), tuple(expected), workers, threads, blobs)

    def run(
        self, mixes: Sequence[Mix], done: Callable[[int, list[float]], None], windows: int | None = None
    ) -> None:
        """Measure every mix; ``done`` receives its number and its mean KLD in nats per window, as they arrive.

        windows: how many of the first to use. Neighbours in ``mixes`` should resemble each other.
        """
        with ThreadPoolExecutor(self.count) as pool:
            jobs = {pool.submit(self._trial, mix, windows): number for number, mix in enumerate(mixes)}
            try:
                for job in as_completed(jobs):
                    done(jobs[job], job.result())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def measure(self, mixes: Sequence[Mix]) -> list[list[float]]:
        """Mean KLD in nats per window of every mix."""
        found: dict[int, list[float]] = {}
        self.run(mixes, found.__setitem__)
        return [found[number] for number in range(len(mixes))]

    def _trial(self, mix: Mix, windows: int | None) -> list[float]:
        worker = self.workers.get()
        try:
            for name in set(worker.inside) - set(mix):
                worker.restore(name)
            for name, type_name in mix.items():
                if worker.inside.get(name) != type_name:
                    worker.put(name, type_name, self.quantized(name, type_name))
            return worker.kld_nats(self.windows[:windows], self.expected[:windows])
        except OSError as error:
            raise _no_room(error, self.tensors, self.blobs, 1) from error
        finally:
            self.workers.put(worker)

    def quantized(self, name: str, type_name: str) -> bytes:
        """A tensor's bytes as a type; kept on disk, because mixes of a search share most tensors."""
        blob = self.blobs / f"{name}.{type_name}"
        size = self.tensors.matrices[name].bytes_as(type_name)
        if blob.exists() and blob.stat().st_size == size:
            return blob.read_bytes()
        made = self.tensors.quantized(name, type_name)
        write_atomic(blob, made)
        return made


def _alternating(by_text: Iterable[Sequence[Window]]) -> list[Window]:
    """A window of each text in turn, so that the first few are of all texts."""
    rows = itertools.zip_longest(*by_text)
    return [window for row in rows for window in row if window is not None]


def _no_room(error: OSError, tensors: Tensors, folder: Path, copies: int) -> ZooError:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    size = tensors.path.stat().st_size * (copies + 1)
    return ZooError(
        f"the disk is full: a search needs about {data_size(size)} for copies of the model",
        where=str(folder),
        safe="Finished measurements are kept.",
        remedy="Free some space, or use fewer threads with --threads",
        again=AGAIN,
    )
