"""Next-token logits of one window of text."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError
from zoo.llama.model import Model


def window_logits(model: Model, tokens: Sequence[int], *, first: int = 0) -> NDArray[np.float32]:
    """Logits after each of ``tokens[first:]``, float32, shape (len(tokens) - first, vocabulary).

    Row i predicts the token that follows ``tokens[first + i]``. Needs one window's logits in memory and a batch's
    inside llama.cpp. Raises the same as ``logits_in_batches``.
    """
    result = np.empty((max(len(tokens) - first, 0), model.vocabulary_size), dtype=np.float32)
    for start, rows in logits_in_batches(model, tokens, first=first):
        result[start : start + len(rows)] = rows
    return result


def logits_in_batches(
    model: Model, tokens: Sequence[int], *, first: int = 0
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The rows of ``window_logits`` batch by batch, as (number of the first row, rows).

    The cache is cleared before, so the window is read from scratch. Positions before ``first`` are read but their
    logits are not computed. The rows are in llama.cpp's memory and are valid until the next step only.
    Raises InputError if the window does not fit the model's context, ZooError if llama.cpp fails.
    """
    if not 0 <= first < len(tokens) <= model.context_tokens:
        raise InputError(
            f"a window of {len(tokens)} tokens from {first} does not fit a context of {model.context_tokens}"
        )
    model.clear()
    for start in range(0, len(tokens), model.batch_tokens):
        part = tokens[start : start + model.batch_tokens]
        model.decode([(token, start + i, 0, start + i >= first) for i, token in enumerate(part)])
        begin = max(start, first)
        if count := max(start + len(part) - begin, 0):
            yield begin - first, _outputs(model, count)


def _outputs(model: Model, count: int) -> NDArray[np.float32]:
    """The first ``count`` outputs of the last decode, which are contiguous."""
    pointer = model.lib.llama_get_logits(model.context)
    address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
    view = (ctypes.c_float * (count * model.vocabulary_size)).from_address(address)
    return np.ctypeslib.as_array(view).reshape(count, model.vocabulary_size)
