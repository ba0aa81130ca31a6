"""Which layers of a file see only a window of the text.

llama.cpp uses a fixed pattern for an architecture, such as five of six layers for Gemma 3, unless the header lists the
layers one by one (``load_swa_pattern`` in its ``llama-model.cpp``). The converter writes no list for most of them. A
pruned model, or one that its maker built differently, does not follow the pattern.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from zoo.gguf import caches
from zoo.gguf.header import Header
from zoo.gguf.layout import ARRAY

KEY = "attention.sliding_window_pattern"
SLIDING = frozenset(("sliding_attention", "chunked_attention"))
"""Words of transformers' ``layer_types`` for layers with a window."""
_BOOL = 7


def stated(header: Header, config: Mapping[str, object]) -> dict[str, bytes]:
    """Changes for ``rewrite_header`` that list the layers as ``config`` (config.json) does.

    Empty if llama.cpp's own pattern is the same, or if the header cannot express it: llama.cpp ends the process for a
    list without any window, so the parity check refuses such a model.
    """
    inner = config.get("text_config")
    kinds = (inner if isinstance(inner, Mapping) else config).get("layer_types")
    own = caches.windowed(header)
    if not isinstance(kinds, list) or own is None or len(own) != len(kinds) or not any(own):
        return {}
    wanted = [kind in SLIDING for kind in kinds]
    if wanted == own or not any(wanted):
        return {}
    return {f"{header.architecture}.{KEY}": struct.pack(f"<IIQ{len(wanted)}?", ARRAY, _BOOL, len(wanted), *wanted)}


def shown(windows: list[bool]) -> str:
    """Numbers of the layers with a window, for people."""
    return ", ".join(str(number) for number, windowed in enumerate(windows) if windowed) or "none"
