"""Sizes of the models and batches that are measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """The shape of a model of Qwen2's architecture."""

    layers: int
    width: int
    inner: int
    heads: int
    key_heads: int
    vocabulary: int


@dataclass(frozen=True)
class Shapes:
    """positions: of the loss alone; near_vocabulary: of the gradient near the teacher; steps: of a training."""

    student: Model
    teacher: Model
    positions: tuple[int, ...]
    near_vocabulary: int
    rows: int
    row_tokens: int
    teacher_rows: int
    top_k: int
    repeats: int
    steps: int


REAL = Shapes(
    Model(24, 896, 4864, 14, 2, 151_936), Model(28, 3584, 18_944, 28, 4, 151_936), (1024, 8192), 16_384, 8, 512, 32,
    64, 5, 5,
)  # fmt: skip
"""Qwen2.5 with 0.5 and 7 billion weights."""
TINY = Shapes(Model(2, 64, 128, 4, 2, 160), Model(2, 96, 192, 4, 2, 160), (8, 32), 256, 3, 12, 4, 8, 2, 2)
