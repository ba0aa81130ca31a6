"""What llama.cpp keeps in addition to the weights, and how much it reads for a token; from a header. Pure.

Keys and values take 16 bits, recurrent states 32, as llama.cpp allocates them by default for one sequence
(``llama-kv-cache.cpp``, ``llama-memory-recurrent.cpp``, ``llama-hparams.cpp`` of ``llama-cpp-python`` 0.3.36).
``catalog.architectures`` says which layers keep what.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from catalog import architectures
from catalog.architectures import Architecture, Window
from catalog.release import Cache
from zoo.gguf.header import Header, TensorInfo

_KV_BYTES, _STATE_BYTES = 2, 4
_EXPERTS = re.compile(r"blk\.(\d+)\.ffn_(?:gate|up|down|gate_up)_(?:ch)?exps\.")
_BLOCK = re.compile(r"blk\.(\d+)\.")
_MOST_LAYERS = 512
"""llama.cpp's own bound (``LLAMA_MAX_LAYERS``): a file with more layers cannot be loaded."""
_TABLES = ("position_embd.weight", "token_types.weight", "per_layer_token_embd.weight")
"""Tensors of which one row is read for a token."""


@dataclass(frozen=True)
class _Layer:
    """What one layer keeps: keys and values of everything (full) or of a window, in so many heads; a state."""

    full_heads: int = 0
    window_heads: int = 0
    state: bool = False


def cache_of(header: Header) -> Cache:
    """The memory of one sequence. For an unknown architecture it is an upper bound: every layer keeps everything."""
    known = architectures.ARCHITECTURES.get(header.architecture)
    layers = _layers(header, known) if known else [_Layer(header.head_count_kv, 0, True)] * _trunk(header)
    full, windowed = (sum(one.full_heads for one in layers), sum(one.window_heads for one in layers))
    return Cache(
        full_bytes_per_token=_KV_BYTES * _width(header, "", known) * full,
        window_bytes_per_token=_KV_BYTES * _width(header, "_swa", known) * windowed,
        window_tokens=_window_tokens(header, known.window) if known and known.window and windowed else 0,
        state_bytes=_STATE_BYTES * _state(header) * sum(one.state for one in layers),
        known=known is not None,
    )


def read_bytes(header: Header) -> int:
    """Bytes of weights that are read to write one token.

    Tensors with experts count by the share of used experts. An embedding table that is not the output head, and other
    tables, count one row. Layers that only predict further tokens do not count.
    """
    tables = {*_TABLES, *(("token_embd.weight",) if _separate_head(header) else ())}
    return sum(_read(header, tensor, tables) for tensor in header.tensors)


def _read(header: Header, tensor: TensorInfo, tables: set[str]) -> int:
    if tensor.name in tables:
        return -(-tensor.size_bytes // max(tensor.shape[-1], 1))
    block = _BLOCK.match(tensor.name)
    if block and int(block[1]) >= _trunk(header):
        return 0
    experts = _EXPERTS.match(tensor.name)
    count = _scalar(header, "expert_count")
    if not experts or not count:
        return tensor.size_bytes
    used = _per_layer(header, "expert_used_count", count)[int(experts[1])]
    return -(-tensor.size_bytes * min(used or count, count) // count)


def experts(header: Header) -> tuple[int, int]:
    """Experts of a layer, and how many of them are used for a token; (0, 0) for a dense model."""
    count = _scalar(header, "expert_count")
    return (count, max(_per_layer(header, "expert_used_count", count))) if count > 1 else (0, 0)


def _separate_head(header: Header) -> bool:
    return any(tensor.name == "output.weight" for tensor in header.tensors)


# --- Layers


def windowed(header: Header) -> list[bool] | None:
    """For each layer whether it sees only a window, as llama.cpp decides; None if the header cannot express it.

    This is so for an unknown architecture, one without windows, and one where all attention has the same window.
    """
    known = architectures.ARCHITECTURES.get(header.architecture)
    if known is None or known.window is None or known.window.period == 1:
        return None
    return _windowed(header, known)[: _trunk(header)]


def _blocks(header: Header) -> int:
    return min(header.block_count, _MOST_LAYERS)


def _trunk(header: Header) -> int:
    """Layers without those that predict further tokens, which llama.cpp leaves out of the main context."""
    return max(_blocks(header) - _scalar(header, "nextn_predict_layers"), 0) or _blocks(header)


def _layers(header: Header, known: Architecture) -> list[_Layer]:
    heads = _per_layer(header, "attention.head_count_kv", header.head_count_kv)
    recurrent, windowed = _recurrent(header, known, heads), _windowed(header, known)
    last = _blocks(header) if known.shares_from is None else known.shares_from
    if last < 0:
        last = _blocks(header) - _scalar(header, "attention.shared_kv_layers")
    found = []
    for index in range(_trunk(header)):
        only_state = recurrent[index] and known.recurrent != architectures.BOTH
        kept = heads[index] if index < last and not only_state else 0
        in_window = windowed[index]
        found.append(_Layer(0 if in_window else kept, kept if in_window else 0, recurrent[index]))
    return found


def _recurrent(header: Header, known: Architecture, heads: list[int]) -> list[bool]:
    layers, rule = range(_blocks(header)), known.recurrent
    if rule is None:
        return [False for _ in layers]
    if rule in (architectures.ALL, architectures.BOTH):
        return [True for _ in layers]
    if rule == architectures.INTERVAL:
        every = _scalar(header, "full_attention_interval", 4)
        given = header.lists.get(f"{header.architecture}.attention.recurrent_layers")
        return (
            [bool(n) for n in given] if given and len(given) >= len(layers) else _all_but(every, len(layers))
        )
    if rule == architectures.NO_KV_AND_NO_FF:
        widths = _per_layer(header, "feed_forward_length", 0)
        return [not heads[index] and not widths[index] for index in layers]
    return [not heads[index] for index in layers]


def _windowed(header: Header, known: Architecture) -> list[bool]:
    window, count = known.window, _blocks(header)
    if window is None or not _applies(header, window):
        return [False] * count
    if window.period == 1:
        return [True] * count
    key = f"{header.architecture}.attention.sliding_window_pattern"
    given = header.lists.get(key)
    if given and len(given) >= count:
        return [bool(n) for n in given]
    return _all_but(
        _scalar(header, "attention.sliding_window_pattern", window.period), count, window.dense_first
    )


def _all_but(every: int, count: int, first: bool = False) -> list[bool]:
    """All but one of ``every`` layers, the first or the last of them; for 0 all."""
    other = 0 if first else every - 1
    return [not every or index % every != other for index in range(count)]


def _applies(header: Header, window: Window) -> bool:
    given = header.metadata.get(f"{header.architecture}.attention.sliding_window")
    if window.when == architectures.AT_64_LAYERS:
        return _trunk(header) == 64
    if window.when == architectures.UNLESS_ZERO:
        return given != 0
    return window.when == architectures.ALWAYS or bool(given)


def _window_tokens(header: Header, window: Window) -> int:
    return window.forced_tokens or _scalar(header, "attention.sliding_window", window.default_tokens)


# --- Widths


def _width(header: Header, suffix: str, known: Architecture | None) -> int:
    """Key and value length of a head; a compressed cache (MLA) keeps the keys alone, and reads its values from them."""
    keys = _scalar(header, f"attention.key_length{suffix}", header.key_length)
    values = _scalar(header, f"attention.value_length{suffix}", header.value_length)
    compressed = known is not None and _scalar(header, "attention.key_length_mla") > 0
    return keys if compressed else keys + values


def _state(header: Header) -> int:
    """Numbers in the state of one recurrent layer (``n_embd_r`` + ``n_embd_s`` of ``llama-hparams.cpp``)."""
    width = header.embedding_length
    if head := _scalar(header, "wkv.head_size"):
        return width * (_scalar(header, "token_shift_count", 2) + head)
    if kept := _scalar(header, "shortconv.l_cache"):
        return width * (kept - 1)
    kernel, inner, state = (
        _scalar(header, f"ssm.{name}") for name in ("conv_kernel", "inner_size", "state_size")
    )
    if head := _scalar(header, "kda.head_dim"):
        return 3 * (kernel - 1 if kernel else 3) * header.head_count * head + head * head * header.head_count
    rows = inner + 2 * _scalar(header, "ssm.group_count") * state
    return max(kernel - 1, 0) * rows + state * inner


def _scalar(header: Header, key: str, default: int = 0) -> int:
    value = header.metadata.get(f"{header.architecture}.{key}", default)
    return value if isinstance(value, int) and value >= 0 else default


def _per_layer(header: Header, key: str, default: int) -> list[int]:
    """The value of each layer, from a list or one number."""
    given = header.lists.get(f"{header.architecture}.{key}", ())
    if len(given) >= _blocks(header):
        return [max(int(value), 0) for value in given]
    return [max(given, default=_scalar(header, key, default))] * _blocks(header)
