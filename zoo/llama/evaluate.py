"""How far quantized files are from their reference, over the same windows of text, in lock step.

All files are open at once (memory-mapped, small contexts). The reference reads each window once for all
candidates, and only one window's logits of two models are held: no base file is written.

The window rule is that of llama.cpp's perplexity tool: windows do not overlap; if the vocabulary asks for a
begin-of-text token, it replaces the first token of each window; position i predicts token i + 1; only
positions from window_tokens // 2 on are scored, so that each has a context of at least half a window.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.divergence import Divergence, Floats, compare, nll_nats, perplexity
from zoo.errors import InputError, ModelFileError
from zoo.llama.header import Header, read_header
from zoo.llama.logits import window_logits
from zoo.llama.model import Model
from zoo.progress import Reporter, Silent


@dataclass(frozen=True)
class Text:
    """A plain text to evaluate on; ``language`` groups the results."""

    name: str
    language: str
    content: str


@dataclass(frozen=True)
class _Cut:
    """A text's tokens and the windows taken from it."""

    text: Text
    tokens: list[int]
    starts: list[int]


def evaluate(
    reference: Path,
    candidates: Mapping[str, Path],
    texts: Sequence[Text],
    *,
    window_tokens: int,
    windows: int,
    threads: int,
    report: Reporter | None = None,
) -> dict[str, Any]:
    """Perplexity of the reference and, per candidate, divergence from it; ready for JSON.

    ``windows`` windows are shared out evenly among the texts, and evenly over each text's length. If the
    texts hold fewer, all are taken, a warning is given and ``windows`` of the result says how many.
    Keys of a candidate: those of ``zoo.divergence.Divergence.summary``, and again per language.
    Raises InputError for a text shorter than one window or senseless numbers, ModelFileError for an unsound
    file, another vocabulary than the reference's, or logits that are not finite.
    """
    if window_tokens < 4 or windows < 1 or not texts:
        raise InputError("an evaluation needs a text, a window and windows of at least 4 tokens")
    report = report or Silent()
    _check_vocabularies(reference, candidates)
    with ExitStack() as stack:
        judge = stack.enter_context(Model.open(reference, threads=threads, context_tokens=window_tokens))
        models = {
            name: stack.enter_context(Model.open(path, threads=threads, context_tokens=window_tokens))
            for name, path in candidates.items()
        }
        cuts = _cut(judge, texts, window_tokens, windows)
        taken = _windows(judge, cuts, window_tokens)
        if len(taken) < windows:
            report.warn(f"The texts hold {len(taken)} windows of {window_tokens} tokens, not {windows}")
        own, divergences = _measure(judge, models, taken, report)
    languages = [language for language, _ in taken]
    return {
        "rule": {
            "window_tokens": window_tokens,
            "scored_tokens_per_window": window_tokens - 1 - window_tokens // 2,
            "windows": len(taken),
            "windows_asked": windows,
            "begin_of_text": judge.adds_bos,
        },
        "texts": [_describe(cut) for cut in cuts],
        "tokens_sha256": _digest(taken),
        "reference": _reference(own, languages),
        "candidates": {name: _candidate(divergence) for name, divergence in divergences.items()},
    }


def _check_vocabularies(reference: Path, candidates: Mapping[str, Path]) -> None:
    judge = read_header(reference)
    for name, path in candidates.items():
        header = read_header(path)
        if _vocabulary(header) != _vocabulary(judge):
            raise ModelFileError(
                f"{name} has another vocabulary ({header.vocabulary_size} tokens) than the reference "
                f"({judge.vocabulary_size} tokens), so their distributions cannot be compared",
                where=str(path),
                remedy="Evaluate a file against the F16 file that it was quantized from",
            )


def _vocabulary(header: Header) -> tuple[int, str | None]:
    return header.vocabulary_size, header.vocabulary_sha256


def _cut(judge: Model, texts: Sequence[Text], window_tokens: int, windows: int) -> list[_Cut]:
    tokens = [judge.tokenize(text.content, add_special=False, parse_special=False) for text in texts]
    for text, own in zip(texts, tokens, strict=True):
        if len(own) < window_tokens:
            raise InputError(
                f"the text {text.name} has {len(own)} tokens, less than one window of {window_tokens}",
                remedy="Give a longer text or set evaluate.window_tokens lower",
            )
    room = [len(own) // window_tokens for own in tokens]
    shares = share_out(windows, room)
    return [
        _Cut(text, own, [window_tokens * (i * available // share) for i in range(share)])
        for text, own, available, share in zip(texts, tokens, room, shares, strict=True)
    ]


def share_out(windows: int, room: Sequence[int]) -> list[int]:
    """Share ``windows`` out among texts that have ``room`` for so many each: as evenly as can be, first texts
    first.
    """
    shares = [0] * len(room)
    left = min(windows, sum(room))
    while left:
        for index, available in enumerate(room):
            if left and shares[index] < available:
                shares[index] += 1
                left -= 1
    return shares


def _windows(judge: Model, cuts: Sequence[_Cut], window_tokens: int) -> list[tuple[str, list[int]]]:
    """(language, token ids) of every window, text by text."""
    taken = []
    for cut in cuts:
        for start in cut.starts:
            tokens = cut.tokens[start : start + window_tokens]
            if judge.adds_bos:
                tokens[0] = judge.bos
            taken.append((cut.text.language, tokens))
    return taken


def _measure(
    judge: Model, models: Mapping[str, Model], taken: Sequence[tuple[str, list[int]]], report: Reporter
) -> tuple[list[Floats], dict[str, Divergence]]:
    own: list[Floats] = []
    divergences = {name: Divergence() for name in models}
    total = float(sum(len(tokens) for _, tokens in taken) * (1 + len(models)))
    with report.task("Evaluating", total, "tokens") as advance:
        for language, tokens in taken:
            first = len(tokens) // 2
            targets = np.array(tokens[first + 1 :], dtype=np.int64)
            expected = window_logits(judge, tokens[:-1], first=first)
            own.append(_finite_nll(judge, expected, targets))
            advance(len(tokens))
            for name, model in models.items():
                window = compare(expected, window_logits(model, tokens[:-1], first=first), targets)
                if not window.finite:
                    raise _not_finite(model)
                divergences[name].add(window, language)
                advance(len(tokens))
    return own, divergences


def _finite_nll(model: Model, logits: NDArray[np.float32], targets: NDArray[np.int64]) -> Floats:
    nll = nll_nats(logits, targets)
    if not np.isfinite(nll).all():
        raise _not_finite(model)
    return nll


def _not_finite(model: Model) -> ModelFileError:
    return ModelFileError(
        f"{model.path.name} computes logits that are not finite",
        where=str(model.path),
        remedy="Its weights are damaged or overflow: make it again, or take a type with a wider range",
    )


def _describe(cut: _Cut) -> dict[str, Any]:
    return {
        "name": cut.text.name,
        "language": cut.text.language,
        "sha256": hashlib.sha256(cut.text.content.encode("utf-8")).hexdigest(),
        "tokens": len(cut.tokens),
        "windows": len(cut.starts),
    }


def _digest(taken: Sequence[tuple[str, list[int]]]) -> str:
    """SHA-256 of all windows' token ids, one after another, as little-endian 32-bit integers."""
    digest = hashlib.sha256()
    for _, tokens in taken:
        digest.update(np.array(tokens, dtype="<i4").tobytes())
    return digest.hexdigest()


def _reference(own: Sequence[Floats], languages: Sequence[str]) -> dict[str, Any]:
    by_language = {
        language: _perplexity([nll for nll, its in zip(own, languages, strict=True) if its == language])
        for language in sorted(set(languages))
    }
    return {**_perplexity(list(own)), "languages": by_language}


def _perplexity(nll: list[Floats]) -> dict[str, Any]:
    value, error = perplexity(nll)
    return {
        "perplexity": value,
        "perplexity_se": error,
        "tokens": sum(len(window) for window in nll),
        "windows": len(nll),
    }


def _candidate(divergence: Divergence) -> dict[str, Any]:
    languages = {label: divergence.summary(label) for label in divergence.labels()}
    return {**divergence.summary(), "languages": languages}
