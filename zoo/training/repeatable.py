"""What makes a training repeatable byte for byte: named seeds, fixed threads, deterministic algorithms."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_for(seed: int, name: str) -> int:
    """A 63-bit seed for one use, so that uses do not share a stream."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8]) >> 1


@contextmanager
def repeatable(threads: int, device: str) -> Iterator[None]:
    """Fixed threads and deterministic algorithms; the caller's settings and random state are restored afterwards.
    """
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.set_rng_state(before[2])
