"""The logits of a file computed in float32: its weights widened, its cache in float32.

llama.cpp rounds the inputs of an f16 matrix to f16, and on some processors adds the products up in f16 as well. Widened
weights are the same numbers without these roundings, so a remaining difference is a difference of the model.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.gguf.header import read_header
from zoo.judge.parity.seen import Logits
from zoo.llama.measure.logits import window_logits
from zoo.llama.model import Model
from zoo.llama.quantize.quantize import Wanted, quantize


def exact_logits(
    path: Path, texts: Sequence[Sequence[int]], scratch: Path, *, threads: int
) -> Iterator[Logits]:
    """Logits [tokens, vocabulary] after each of the ids of each text, one text at a time.

    ``scratch`` needs 4 bytes of disk space for each weight. Raises ModelFileError for a file that does not load.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        wide = path
        if {tensor.type_name for tensor in read_header(path).tensors} != {"F32"}:
            wide = Path(folder) / path.name
            quantize(path, wide, Wanted("F32", allow_fallback=True), threads=threads)
        with Model.open(wide, threads=threads, context_tokens=max(map(len, texts)), cache_f32=True) as model:
            for ids in texts:
                yield window_logits(model, ids)


def longest_row(path: Path) -> int:
    """Numbers in the longest row that is multiplied: an upper bound of how many products are added up."""
    return max(tensor.shape[0] for tensor in read_header(path).tensors if len(tensor.shape) > 1)
