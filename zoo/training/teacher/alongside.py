"""Several batches of a teacher at one time on a processor, each on its own threads.

Two threads that share a product of 64 rows take half as long again as one, in processor time (SmolLM2-135M's head on
two cores): there is too little of it to share. So each reads batches of its own. The numbers are the same: a product of
``SHARED_BELOW`` rows or more is divided by rows and columns, never along its sums. This was tried with the instructions
of ``TRIED`` alone; with those of older processors they are not the same, and a batch is read by all threads as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import torch

TRIED = ("AVX2", "AVX512")
"""As torch names them."""
MOST = 4
"""Batches at one time: each has logits of its own."""
SHARED_BELOW = 16
"""Rows of a product whose sums several threads may divide (MKL up to 11): those stay with the caller's threads."""


def keeps_bytes(device: torch.device) -> bool:
    """Whether answers are the same however many threads read a batch."""
    return device.type == "cpu" and torch.backends.cpu.get_cpu_capability() in TRIED


@contextmanager
def workers() -> Iterator[Executor]:
    """Threads that divide torch's threads among them. Work that has not begun is left out after an error."""
    threads = torch.get_num_threads()
    count = min(threads, MOST)
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(threads // count,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        # Threads that start later begin with what the last one set.
        torch.set_num_threads(threads)


def passes(counts: Sequence[int], size: int) -> tuple[list[list[int]], list[list[int]]]:
    """Which positions share a pass of the head, which takes ``size`` of them: those together, and those left alone.

    counts: of each batch. What fills a pass of a batch does; the rest of all batches is put together. A position that
    is the only one of its pass in its batch stays so, and no other becomes one: torch adds up a single row by another
    order than one of several.
    """
    together, alone, rest, start = list[list[int]](), list[list[int]](), list[int](), 0
    for count in counts:
        full = start + count // size * size
        together += [list(range(first, first + size)) for first in range(start, full, size)]
        left = list(range(full, start + count))
        if len(left) == 1:
            alone.append(left)
        else:
            rest += left
        start += count
    while rest:
        # One more than fits is divided into two and the others.
        take = size - 1 if len(rest) == size + 1 else size
        together.append(rest[:take])
        rest = rest[take:]
    return together, alone
