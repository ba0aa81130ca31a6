"""Answers of a teacher as few bytes: a third of float32 log-probabilities and 32-bit ids.

A log-probability l of a token with probability p is rounded to a step of STEP / sqrt(p), at most COARSEST. A loss
weighs the error of every token by its p, so then each token adds about as much to the loss's error. Steps are counted
down from l = 0, so the count is a function of l:

    count(l) = 2 (1 - exp(l / 2)) / STEP          where sqrt(p) is at least STEP / COARSEST
    and one more for every COARSEST nats below

Of every position the counts are stored as differences from rank to rank, which are small. Bytes of the same kind (the
lowest of the ids of all positions, their second lowest, ...) are together and have a Huffman code of their own. Reading
makes the probabilities of a position add up to 1 again.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.training.teacher.targets import Targets

STEP = 2.0**-12
COARSEST = 2.0**-6
NOTHING = 0xFFFF
"""The count of a probability of 0."""

_NARROWEST_ROOT = STEP / COARSEST
_FINE = 2.0 * (1.0 - _NARROWEST_ROOT) / STEP
_FINE_NATS = 2.0 * math.log(_NARROWEST_ROOT)
_COUNT_BYTES = 2

Bytes = NDArray[np.uint8]


def pack(answers: Targets) -> bytes:
    """The bytes of answers at n positions. The k tokens of each are in descending order of probability."""
    ids = answers.ids.numpy()
    counts = _counts(answers.logp.numpy())
    falls = np.diff(counts, axis=1, prepend=np.uint16(0))
    wide = 3 if ids.size and int(ids.max()) > 0xFFFF else 2
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_HUFFMAN_ONLY)
    parts = [bytes([wide])]
    for plane in (
        *_planes(ids.astype(np.uint32), wide),
        *_planes(falls, _COUNT_BYTES),
        *_planes(_counts(answers.tail_logp.numpy())[:, None], _COUNT_BYTES),
    ):
        # The end of a block of deflate: the next plane has a code of its own.
        parts += [packer.compress(plane.tobytes()), packer.flush(zlib.Z_BLOCK)]
    return b"".join([*parts, packer.flush()])


def unpack(raw: bytes, positions: int, top_k: int) -> Targets:
    """The answers at ``positions`` positions with ``top_k`` tokens each. Raises ValueError for other bytes."""
    wide = raw[0] if raw else 0
    planes = wide + _COUNT_BYTES
    size = positions * (top_k * planes + _COUNT_BYTES)
    try:
        opener = zlib.decompressobj()
        found = opener.decompress(raw[1:], size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(found) != size or not opener.eof:
        raise ValueError("the answers are longer or shorter than recorded")
    top = np.frombuffer(found, np.uint8, planes * positions * top_k).reshape(planes, top_k, positions)
    tail = np.frombuffer(found, np.uint8, offset=top.size).reshape(_COUNT_BYTES, 1, positions)
    counts = np.cumsum(_whole(top[wide:]), axis=0, dtype=np.uint16)
    logp, rest = _LOGP[counts], _LOGP[_whole(tail)]
    total = np.logaddexp(np.log(np.exp(logp).sum(axis=0, dtype=np.float64)), rest[0])
    ids = _whole(top[:wide])
    return Targets(
        torch.from_numpy(np.ascontiguousarray(ids.T)),
        torch.from_numpy(np.ascontiguousarray((logp - total).T, dtype=np.float32)),
        torch.from_numpy((rest[0] - total).astype(np.float32)),
    )


def _counts(logp: NDArray[np.float32]) -> NDArray[np.uint16]:
    nats = np.minimum(logp.astype(np.float64), 0.0)
    fine = 2.0 * (1.0 - np.exp(nats / 2.0)) / STEP
    count = np.where(nats >= _FINE_NATS, fine, _FINE + (_FINE_NATS - nats) / COARSEST)
    bounded = np.minimum(np.rint(count), NOTHING - 1)
    return np.where(np.isneginf(nats), NOTHING, bounded).astype(np.uint16)


def _log_probabilities() -> NDArray[np.float64]:
    """Of every count."""
    count = np.arange(NOTHING + 1, dtype=np.float64)
    fine = 2.0 * np.log(np.maximum(1.0 - count * STEP / 2.0, _NARROWEST_ROOT / 2.0))
    found = np.where(count <= _FINE, fine, _FINE_NATS - (count - _FINE) * COARSEST)
    found[NOTHING] = -np.inf
    return found


_LOGP = _log_probabilities()


def _planes(values: NDArray[np.unsignedinteger], wide: int) -> Iterator[Bytes]:
    """The lowest byte of all values [n, k], rank by rank, then the second lowest, and so on."""
    column = np.ascontiguousarray(values.T)
    for number in range(wide):
        yield ((column >> (8 * number)) & 0xFF).astype(np.uint8)


def _whole(planes: Bytes) -> NDArray[np.int32]:
    """The values whose bytes are in these planes, the lowest first."""
    found: NDArray[np.int32] = planes[0].astype(np.int32)
    for number, plane in enumerate(planes[1:], 1):
        found |= plane.astype(np.int32) << (8 * number)
    return found
