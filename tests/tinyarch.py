"""A tiny file of any architecture that llama.cpp supports. llama.cpp itself reports the tensors and their shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from zoo.llama import library

WIDTH, HEADS, KV_HEADS, HEAD, LAYERS, VOCABULARY = 256, 4, 2, 64, 4, 64
_MISSING = re.compile(r"tensor '([^']+)' not found|missing tensor '([^']+)'")
_SHAPE = re.compile(r"tensor '([^']+)' has wrong shape; expected\s+([0-9, ]+), got")

_BUFFER = re.compile(r"(?:KV|RS) buffer size = *([0-9.]+) MiB")

_USUAL: dict[str, Any] = {
    "context_length": 65_536,
    "embedding_length": WIDTH,
    "block_count": LAYERS,
    "feed_forward_length": 2 * WIDTH,
    "attention.head_count": HEADS,
    "attention.head_count_kv": KV_HEADS,
    "attention.key_length": HEAD,
    "attention.value_length": HEAD,
    "attention.layer_norm_rms_epsilon": 1e-5,
    "attention.layer_norm_epsilon": 1e-5,
    "rope.dimension_count": HEAD,
    "vocab_size": VOCABULARY,
}


def make_tiny_arch(
    path: Path,
    architecture: str,
    keys: Mapping[str, Any] | None = None,
    beside: Mapping[str, str] | None = None,
) -> Path:
    """Write a file that llama.cpp loads, all of whose weights are zero. ``keys``, without the architecture's name, are
    added to the usual ones; None omits one. ``beside``: tensor that llama.cpp asks for -> those that it also needs but
    does not ask for, separated by spaces; both without their layer.

    Raises AssertionError with llama.cpp's complaint if it needs more than tensors.
    """
    described = {**_USUAL, **(keys or {})}
    # Most models have layers that are all alike, which needs fewer questions. Too many tensors are refused as well.
    return _made(path, architecture, described, beside or {}, alike=True)


def _made(
    path: Path, architecture: str, described: Mapping[str, Any], beside: Mapping[str, str], *, alike: bool
) -> Path:
    layers = range(described["block_count"] if alike else 0)
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (WIDTH, VOCABULARY)}
    usual: dict[str, tuple[int, ...]] = {}
    for _ in range(2000):
        _write(path, architecture, described, shapes)
        complaint = _load(path)
        if not complaint:
            return path
        if found := _SHAPE.search(complaint):
            kind, shape = _kind(found[1]), _shape(found[2])
            changed = {found[1]: shape}
            if alike and kind not in usual:
                changed |= {name: shape for name in shapes if _kind(name) == kind}
            shapes |= changed
            usual[kind] = shape
        elif found := _MISSING.search(complaint):
            name = found[1] or found[2]
            places = [name, *(f"blk.{layer}.{_kind(name)}" for layer in layers if name != _kind(name))]
            wanted = [_kind(name), *beside.get(_kind(name), "").split()]
            shapes |= {
                place.replace(_kind(name), kind): usual.get(kind, (1,)) for place in places for kind in wanted
            }
        elif alike and "wrong number of tensors" in complaint:
            return _made(path, architecture, described, beside, alike=False)
        else:
            raise AssertionError(f"{architecture}: {complaint}")
    raise AssertionError(f"{architecture}: llama.cpp wants more and more tensors")


def _kind(name: str) -> str:
    """The tensor's name without its layer: the same in most layers has the same shape."""
    return re.sub(r"^blk\.\d+\.", "", name)


def _shape(text: str) -> tuple[int, ...]:
    """llama.cpp prints four lengths; those of 1 at the end are not written."""
    lengths = [int(n) for n in text.split(",")]
    while len(lengths) > 1 and lengths[-1] == 1:
        lengths.pop()
    return tuple(lengths)


def _load(path: Path) -> str:
    """llama.cpp's complaint about the file, or "" if it can be loaded."""
    lib = library.require()
    params = lib.llama_model_default_params()
    params.n_gpu_layers = 0
    params.use_extra_bufts = False
    with library.hearing() as heard:
        model = lib.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        return heard.error() or "no reason"
    lib.llama_model_free(model)
    return ""


def _write(
    path: Path, architecture: str, keys: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_string("tokenizer.ggml.model", "no_vocab")
    for key, value in keys.items():
        _add(writer, f"{architecture}.{key}", value)
    for name, shape in shapes.items():
        writer.add_tensor(name, np.zeros(shape[::-1], dtype=np.float32 if len(shape) == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)
    elif value is not None:
        writer.add_string(key, value)


def allocated(path: Path, context_tokens: int) -> tuple[float, int]:
    """Bytes that llama.cpp allocates for one sequence in addition to the weights, from its log, and in how many
    buffers.

    All is as ``llama-server`` sets it: flash attention where there is, no full cache for layers with a window.
    """
    lib = library.require()
    params = lib.llama_model_default_params()
    params.n_gpu_layers = 0
    params.use_extra_bufts = False
    with library.hearing() as heard:
        model = lib.llama_model_load_from_file(str(path).encode(), params)
    assert model, heard.error()
    try:
        wanted = lib.llama_context_default_params()
        wanted.n_ctx, wanted.n_seq_max, wanted.swa_full = context_tokens, 1, False
        wanted.n_threads = wanted.n_threads_batch = 1
        with library.hearing() as heard:
            context = lib.llama_init_from_model(model, wanted)
        assert context, heard.error()
        lib.llama_free(context)
    finally:
        lib.llama_model_free(model)
    found = [float(one[1]) for line in heard.lines() if (one := _BUFFER.search(line))]
    return sum(found) * 2**20, len(found)
