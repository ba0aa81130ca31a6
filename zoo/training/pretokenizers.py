"""How a tokenizer prepares text before it merges, from the values in a GGUF file.

For byte-level vocabularies ("gpt2") that is the name of a rule (tokenizer.ggml.pre); transformers builds one plain
tokenizer for all of them. The rules are those of llama.cpp's llama-vocab.cpp (in llama-cpp-python 0.3.36); names with
equal rules share a row here. For sentencepiece vocabularies ("llama") it is whether a space is put before the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from zoo.errors import ModelFileError
from zoo.gguf.wording import PHI3_KEEPS, PHI3_NAMES

if TYPE_CHECKING:
    from tokenizers import Tokenizer, pre_tokenizers
    from transformers import PreTrainedTokenizerBase

_HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = _HEAD + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|" + _TAIL
_QWEN2 = _HEAD + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|" + _TAIL
_QWEN35 = (
    _HEAD + r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _gpt2() -> pre_tokenizers.PreTokenizer:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def _digits() -> pre_tokenizers.PreTokenizer:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _gpt2()])


def _falcon() -> pre_tokenizers.PreTokenizer:
    from tokenizers import Regex, pre_tokenizers

    threes = pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")
    parts = [pre_tokenizers.Punctuation("contiguous"), _gpt2(), pre_tokenizers.Digits(False), threes]
    return pre_tokenizers.Sequence(parts)


def _by(pattern: str) -> Callable[[], pre_tokenizers.PreTokenizer]:
    def make() -> pre_tokenizers.PreTokenizer:
        from tokenizers import Regex, pre_tokenizers

        bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), bytes_])

    return make


_NAMES: tuple[tuple[Callable[[], pre_tokenizers.PreTokenizer], str], ...] = (
    (_gpt2, "gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de gigachat a.x-4.0 mellum modern-bert mpt olmo jais "
            "trillion granite-docling"),
    (_digits, "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2"),
    (_falcon, "falcon"),
    (_by(_LLAMA3), "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 dbrx smaug-bpe"),
    (_by(_QWEN2), "qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 megrez hunyuan solar-open"),
    (_by(_QWEN35), "qwen35"),
)  # fmt: skip
RULES: Mapping[str, Callable[[], pre_tokenizers.PreTokenizer]] = {
    name: make for make, names in _NAMES for name in names.split()
}
WHOLE_FIRST = frozenset(["llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"])
"""Names with which llama.cpp looks up a complete piece before it merges (``ignore_merges``)."""


def _sentencepiece(backend: Tokenizer, dummy_prefix: bool) -> None:
    """llama.cpp's own defaults: a space before the text unless the file turns it off, spaces written as U+2581."""
    from tokenizers import decoders, normalizers

    spaces = normalizers.Replace(" ", "\u2581")
    first = [normalizers.Prepend("\u2581")] if dummy_prefix else []
    last = [decoders.Strip(" ", 1, 0)] if dummy_prefix else []
    backend.normalizer = normalizers.Sequence([*first, spaces])
    backend.pre_tokenizer = None
    backend.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), *last]
    )


def _phi3(backend: Tokenizer) -> None:
    """Markers that absorb the space after them."""
    from tokenizers import AddedToken

    backend.add_tokens([
        AddedToken(one.content, rstrip=True, normalized=one.normalized, special=one.special)
        for one in backend.get_added_tokens_decoder().values() if one.content not in PHI3_KEEPS
    ])  # fmt: skip


def fit(tokenizer: PreTrainedTokenizerBase, metadata: Mapping[str, object], where: str) -> None:
    """Make a tokenizer that transformers read from a GGUF file split text as llama.cpp does with that file.

    Other kinds of vocabularies, and byte-level ones without a rule, stay unchanged; parity checks them.
    Raises ModelFileError for a rule that is not in RULES.
    """
    name, kind = metadata.get("tokenizer.ggml.pre"), metadata.get("tokenizer.ggml.model")
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None and kind == "llama":
        _sentencepiece(backend, bool(metadata.get("tokenizer.ggml.add_space_prefix", True)))
        if any(part in str(metadata.get("general.name", "")).lower() for part in PHI3_NAMES):
            _phi3(backend)
    if kind != "gpt2" or name in (None, "default") or backend is None:
        return
    if name not in RULES:
        raise ModelFileError(
            f"The tokenizer of this file splits text by the rule {name!r}, which zoo does not support for GGUF files",
            where=where,
            remedy="Use the model folder (safetensors) that this file was made from",
        )
    backend.pre_tokenizer = RULES[str(name)]()
    if name in WHOLE_FIRST:
        backend.model.ignore_merges = True
