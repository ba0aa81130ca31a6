"""llama.cpp's name for the rule by which a tokenizer.json splits text before it merges.

llama.cpp's converter identifies a byte-level tokenizer by its tokens for one string, so it recognises published
vocabularies only. The rule does not depend on the vocabulary: a tokenizer that somebody trained with the rule of GPT-2
or Llama 3 splits text as they do. Rules: llama-vocab.cpp of llama-cpp-python 0.3.36, which quotes the patterns of
tokenizer.json. The parity check verifies the choice with the tokens of both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.jsonvalues import table, tables

_HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_OTHER = r" ?[^\s\p{L}\p{N}]+[\r\n]*|"
_UPPER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
_LOWER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_PATHS = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|"

Step = tuple[str, ...]
_GPT2: Step = ("ByteLevel", "by words")
_BYTES: Step = ("ByteLevel",)


def _split(pattern: str) -> tuple[Step, ...]:
    return (("Split", pattern), _BYTES)


RULES: Mapping[tuple[Step, ...], tuple[str | None, str | None]] = {
    (_GPT2,): ("gpt-2", None),
    (("Digits", "each"), _GPT2): ("starcoder", None),
    (("Punctuation", "Contiguous"), _GPT2, ("Digits", "runs"), ("Split", "[0-9][0-9][0-9]")): ("falcon", None),
    _split(_HEAD + r"\p{N}{1,3}|" + _OTHER + _TAIL): ("dbrx", "llama-bpe"),
    _split(_HEAD + r"\p{N}|" + _OTHER + _TAIL): ("qwen2", None),
    _split(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + _TAIL
    ): ("qwen35", None),
    _split(f"{_UPPER}{_SHORT}|{_LOWER}{_SHORT}|" + r"\p{N}{1,3}|" + _PATHS + _TAIL): ("gpt-4o", None),
    _split(f"{_UPPER}|{_LOWER}|" + r"\p{N}|" + _PATHS + _TAIL): (None, "tekken"),
    _split(_HEAD + r"\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + _TAIL): ("seed-coder", None),
}  # fmt: skip
"""Names by the steps of the pre-tokenizer: without and with ``ignore_merges`` (a complete piece that is a token is not
merged), which llama.cpp ties to the name. None if it has no such rule."""


def rule_of(tokenizer: Mapping[str, object]) -> str | None:
    """The name for ``tokenizer.ggml.pre``; None if llama.cpp has no such rule for this tokenizer.json."""
    model = table(tokenizer.get("model"))
    if model.get("type") != "BPE" or tokenizer.get("pre_tokenizer") is None:
        return None
    plain, whole = RULES.get(tuple(_steps(table(tokenizer["pre_tokenizer"]))), (None, None))
    return whole if model.get("ignore_merges") else plain


def described(tokenizer: Mapping[str, object]) -> str:
    """The steps of the pre-tokenizer in words, for a message."""
    steps = [" ".join(step) for step in _steps(table(tokenizer.get("pre_tokenizer")))]
    return ", then ".join(steps) or "none"


def _steps(step: Mapping[str, object]) -> Iterator[Step]:
    kind = str(step.get("type") or "")
    if kind == "Sequence":
        for part in tables(step.get("pretokenizers")):
            yield from _steps(part)
    elif kind == "ByteLevel":
        words = ("by words",) if step.get("use_regex", True) else ()
        yield (kind, *words, *(("with a space first",) if step.get("add_prefix_space") else ()))
    elif kind == "Digits":
        yield (kind, "each" if step.get("individual_digits") else "runs")
    elif kind == "Split":
        # Removing what the pattern does not match is the same for these patterns: they match everything.
        usual = (step.get("behavior"), bool(step.get("invert"))) in (("Isolated", False), ("Removed", True))
        pattern = table(step.get("pattern"))
        text = str(pattern.get("Regex", pattern.get("String", "")))
        yield (kind, text) if usual else (kind, text, str(step.get("behavior")))
    elif kind:
        yield (kind, *((str(step["behavior"]),) if "behavior" in step else ()))
