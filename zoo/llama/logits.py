"""Next-token logits of one window of text."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError
from zoo.llama.model import Model


def window_logits(model: Model, tokens: Sequence[int], *, first: int = 0) -> NDArray[np.float32]:
    """Logits after each of ``tokens[first:]``, float32, shape (len(tokens) - first, vocabulary).

    The cache is cleared before, so the window is read from scratch; row i predicts the token that follows
    ``tokens[first + i]``. Needs one window's logits in memory and a batch's inside llama.cpp. Positions
    before ``first`` are read but their logits are not computed.
    Raises InputError if the window does not fit the model's context, ZooError if llama.cpp fails.
    """
    if not 0 <= first < len(tokens) <= model.context_tokens:
        raise InputError(
            f"a window of {len(tokens)} tokens from {first} does not fit a context of {model.context_tokens}"
        )
    model.clear()
    result = np.empty((len(tokens) - first, model.vocabulary_size), dtype=np.float32)
    for start in range(0, len(tokens), model.batch_tokens):
        part = tokens[start : start + model.batch_tokens]
        model.decode([(token, start + i, 0, start + i >= first) for i, token in enumerate(part)])
        begin = max(start, first)
        _copy(model, result[begin - first : max(start + len(part) - first, 0)])
    return result


def _copy(model: Model, rows: NDArray[np.float32]) -> None:
    """Copy the outputs of the last decode (they lie one after another) into ``rows``."""
    if not len(rows):
        return
    pointer = model.lib.llama_get_logits(model.context)
    address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
    view = (ctypes.c_float * rows.size).from_address(address)
    rows[:] = np.ctypeslib.as_array(view).reshape(rows.shape)
