"""How llama.cpp loads weights and makes a context: its parameters, and why each is as it is."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NoReturn, Required, TypedDict

from zoo.errors import InputError, ModelFileError, ZooError
from zoo.llama import library
from zoo.llama.library import Context, Heard, Observer

FLOOR_TOKENS = 256
"""llama.cpp rounds a sequence's context up to a multiple of this."""
EVERY_LAYER = -1
"""llama.cpp's number of layers on the GPU for all of them, with the head."""
GGML_TYPE_F32 = 0
"""ggml's number for the type (ggml.h)."""


class Wanted(TypedDict, total=False):
    """The caller's options for a context; see ``Shape``."""

    threads: Required[int]
    context_tokens: Required[int]
    parallel: int
    batch_tokens: int
    unified: bool
    observer: Observer | None
    cache_f32: bool
    device: str
    fast: bool
    adapter: Path | None
    flash: bool


@dataclass(frozen=True)
class Shape:
    """A context.

    context_tokens: room of each sequence. parallel: number of sequences. batch_tokens: most tokens of one decode.
    unified: all sequences share one key-value cache of ``context_tokens`` in all, so that a prefix can be kept once for
    many; then a row's last bits depend on the other rows. observer: a C callback that sees the graph while it is
    computed (``zoo.llama.measure.calibrate``), or None. cache_f32: keep keys and values in float32 instead of float16,
    at twice the memory. device: ``cpu``, ``cuda`` (every GPU) or ``cuda:1``; without a GPU it is the processor.
    fast: copy the weights that the processor has fast kernels for into their order; their sums depend on a decode's
    width and on a row's place in a last group of less than four. adapter: a LoRA adapter that is added to the weights,
    or None. flash: attention in one pass. Where a decode is one token of one sequence, its sums depend
    on ``threads``.
    """

    threads: int
    context_tokens: int
    parallel: int = 1
    batch_tokens: int = 128
    unified: bool = False
    observer: Observer | None = None
    cache_f32: bool = False
    device: str = "cpu"
    fast: bool = False
    adapter: Path | None = None
    flash: bool = False


def model_params(lib: ModuleType, device: str, *, vocabulary_only: bool = False, fast: bool = False) -> object:
    """The parameters with which a file is loaded; see ``Shape``."""
    params = lib.llama_model_default_params()
    params.n_gpu_layers = 0
    if device != "cpu" and library.has_gpu():
        params.n_gpu_layers = EVERY_LAYER
        _, numbered, number = device.partition(":")
        if numbered:
            params.split_mode, params.main_gpu = lib.LLAMA_SPLIT_MODE_NONE, int(number)
    params.vocab_only = vocabulary_only
    params.load_mode = lib.LLAMA_LOAD_MODE_MMAP
    # Repacked weights are a second copy in memory, and their kernels' sums depend on the batch's width.
    params.use_extra_bufts = fast
    return params


@contextmanager
def open_weights(lib: ModuleType, path: Path, params: object) -> Iterator[object]:
    """llama.cpp's pointer to the loaded file, which is freed at the end. Raises ModelFileError."""
    with library.hearing() as heard:
        pointer = lib.llama_model_load_from_file(str(path).encode(), params)
    if not pointer:
        _refuse(path, heard)
    try:
        yield pointer
    finally:
        lib.llama_model_free(pointer)


def load_adapter(lib: ModuleType, pointer: object, path: Path | None) -> object:
    """llama.cpp's pointer to the loaded adapter, None without one. It is freed with the model.

    Raises ModelFileError.
    """
    if path is None:
        return None
    with library.hearing() as heard:
        adapter = lib.llama_adapter_lora_init(pointer, str(path).encode())
    if not adapter:
        _refuse(path, heard)
    return adapter


def add_adapter(lib: ModuleType, context: object, adapter: object) -> None:
    """Add all of the adapter to the weights that ``context`` computes with."""
    adapters = (lib.llama_adapter_lora_p_ctypes * 1)(adapter)
    if code := lib.llama_set_adapters_lora(context, adapters, 1, (ctypes.c_float * 1)(1.0)):
        raise ZooError(f"llama.cpp could not add an adapter: code {code}")


def make_context(lib: ModuleType, pointer: object, path: Path, shape: Shape) -> Context:
    """A context of the loaded weights.

    Raises InputError for a shape that cannot be, ModelFileError if llama.cpp refuses.
    """
    if shape.threads < 1 or shape.context_tokens < 1 or shape.parallel < 1 or shape.batch_tokens < 1:
        raise InputError("threads, context_tokens, parallel and batch_tokens must be at least 1")
    if shape.parallel > lib.llama_max_parallel_sequences():
        raise InputError(
            f"{shape.parallel} rows are more than the {lib.llama_max_parallel_sequences()} of llama.cpp"
        )
    params = lib.llama_context_default_params()
    params.n_ctx = -(-shape.context_tokens // FLOOR_TOKENS) * FLOOR_TOKENS * (1 if shape.unified else shape.parallel)
    params.n_batch = params.n_ubatch = max(shape.batch_tokens, shape.parallel)
    params.n_seq_max = shape.parallel
    params.n_threads = params.n_threads_batch = shape.threads
    # Flash attention may split its sums by thread count; a unified cache mixes the rows of a batch. Both change bytes.
    kinds = (lib.LLAMA_FLASH_ATTN_TYPE_DISABLED, lib.LLAMA_FLASH_ATTN_TYPE_ENABLED)
    params.flash_attn_type = kinds[shape.flash]
    params.kv_unified = shape.unified
    # Otherwise a llama.cpp with a GPU moves the large products there, also of a model that is on the processor.
    params.op_offload = shape.device != "cpu"
    if shape.cache_f32:
        params.type_k = params.type_v = GGML_TYPE_F32
    params.no_perf = True
    if shape.observer is not None:
        params.cb_eval = shape.observer
    with library.hearing() as heard:
        context: Context = lib.llama_init_from_model(pointer, params)
    if not context:
        _refuse(path, heard)
    return context


def _refuse(path: Path, heard: Heard) -> NoReturn:
    raise ModelFileError(
        f"llama.cpp cannot load {path.name}: {heard.error() or 'it gave no reason'}",
        where=str(path),
        remedy="Check that it is a language model of an architecture that the installed llama.cpp supports",
    )
