"""A model opened to answer many prompts: how many contexts, with which kernels.

The file, the width of a decode and the room of a row alone decide how a row is computed. The machine and the number of
rows only decide how many contexts there are, so they change no byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.release import Cache
from zoo.gguf.caches import cache_of
from zoo.gguf.header import read_header
from zoo.llama import lanes
from zoo.llama.model import Model
from zoo.llama.opening import FLOOR_TOKENS
from zoo.llama.repack import repacked
from zoo.stages.table import LABEL_CACHE_BYTES, LABEL_CONTEXTS


@dataclass(frozen=True)
class Wanted:
    """batch_rows: width of a decode. row_tokens: room of a row. rows: that will be asked. repack: with the processor's
    fast kernels. device: as of ``zoo.llama.opening.Shape``."""

    batch_rows: int
    row_tokens: int
    rows: int
    repack: bool = False
    device: str = "cpu"


@contextmanager
def opened(path: Path, wanted: Wanted, threads: int, scratch: Path) -> Iterator[tuple[Model, ...]]:
    """The model in as many contexts as ``threads`` and the memory for them allow.

    scratch: takes the arranged weights, and is not emptied. Raises as ``Model.open`` and ``repacked`` do.
    """
    most = contexts(cache_of(read_header(path)), wanted.batch_rows, wanted.row_tokens)
    # The beginning of prompts has a sequence of its own.
    sequences = wanted.batch_rows + (1 if most else 0)
    on_processor = wanted.device == "cpu"
    # A GPU answers one context as fast as several.
    count, each = lanes.divided(threads, wanted.rows, wanted.batch_rows, most if on_processor else 1)
    repack = wanted.repack and on_processor
    file, adapter = path, None
    if repack:
        made = repacked(path, scratch)
        file, adapter = made.path, made.adapter
    with Model.open_several(
        file, count, threads=each, context_tokens=wanted.row_tokens, parallel=sequences,
        device=wanted.device, fast=repack, adapter=adapter, flash=repack,
    ) as models:  # fmt: skip
        yield models


def contexts(cache: Cache, batch_rows: int, row_tokens: int) -> int:
    """How many contexts with one row more than ``batch_rows`` may be open; 0 if not even one, because the cache of a
    model is large: then there is one context, without that row.
    """
    tokens = -(-row_tokens // FLOOR_TOKENS) * FLOOR_TOKENS
    row = cache.state_bytes + (cache.full_bytes_per_token + cache.window_bytes_per_token) * tokens
    return min(LABEL_CONTEXTS, LABEL_CACHE_BYTES // max(1, row * (batch_rows + 1)))
