"""How far quantized files are from their reference, over the same windows of text, in lock step.

All files are open at the same time (memory-mapped, small contexts) and no base file is written; ``windows`` defines
which tokens are read and scored, ``lockstep`` how.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.errors import InputError, ModelFileError
from zoo.judge.divergence import Divergence, Floats, perplexity
from zoo.judge.evaluation import Candidate, Evaluation, Perplexity, Reference, Summary
from zoo.llama.measure import lockstep
from zoo.llama.measure.early import Block, Read, read_early
from zoo.llama.measure.windows import (
    RULE,
    Early,
    Text,
    Window,
    Windows,
    check_vocabularies,
    cut,
    describe,
    take,
    tokens_sha256,
    used_of,
)
from zoo.llama.model import Model
from zoo.progress import Reporter, Silent


def evaluate(
    reference: Path,
    candidates: Mapping[str, Path],
    texts: Sequence[Text],
    wanted: Windows,
    *,
    threads: int,
    report: Reporter | None = None,
) -> Evaluation:
    """Perplexity of the reference and, per candidate, divergence from it; ready for JSON.

    The windows are distributed evenly among the texts, and evenly over each text's length. If the texts hold fewer, all
    are taken, a warning is given and ``windows`` of the result says how many.
    ``threads`` models work at the same time; the figures do not depend on it. ``wanted.early`` may end it before that:
    the result then has ``stop``, its windows are those that were read, and a candidate may have fewer.
    Keys of a candidate: those of ``Divergence.summary``, and again per language; ``curve`` holds its
    ``Divergence.curve``.
    Raises InputError for a text shorter than one window or invalid numbers, ModelFileError for an invalid file, a
    vocabulary that differs from the reference's, logits that are not finite, or a perplexity that is infinite.
    """
    if threads < 1:
        raise InputError("an evaluation requires at least one thread")
    report, window_tokens, windows = report or Silent(), wanted.window_tokens, wanted.windows
    check_vocabularies(reference, candidates)
    with lockstep.opened({"": reference, **candidates}, window_tokens) as models:
        judge = models.pop("")
        cuts = cut(judge, texts, window_tokens, windows)
        taken = take(judge, cuts, window_tokens)
        if len(taken) < windows:
            report.warn(
                f"the evaluation texts fill only {len(taken)} of the {windows} windows of {window_tokens} tokens under "
                f"`evaluate:`, so the loss is measured on {'at most ' if wanted.early else ''}{len(taken)}"
            )
        read = _measured(judge, models, (wanted.early, taken), threads, report)
    kept = [taken[place] for place in read.places]
    found = {
        name: Divergence([(taken[place].language, one) for place, one in zip(read.places_of[name], its, strict=True)])
        for name, its in read.block.found.items()
    }
    whole = _reference(read.block.own, [window.language for window in kept])
    measured = {name: _candidate(divergence) for name, divergence in found.items()}
    _refuse_infinite(reference, [whole, *whole["languages"].values()])
    for name, path in candidates.items():
        _refuse_infinite(path, [measured[name], *measured[name]["languages"].values()])
    evaluation: Evaluation = {
        "rule": {
            "words": RULE,
            "window_tokens": window_tokens,
            "scored_tokens_per_window": window_tokens - 1 - window_tokens // 2,
            "windows": len(kept),
            "windows_asked": windows,
            "begin_of_text": judge.adds_bos,
        },
        "texts": [describe(own_cut, used) for own_cut, used in zip(cuts, used_of(cuts, read.places), strict=True)],
        "tokens_sha256": tokens_sha256(kept),
        "reference": whole,
        "candidates": measured,
    }
    return evaluation if read.stop is None else {**evaluation, "stop": read.stop}


def _measured(
    judge: Model,
    models: Mapping[str, Model],
    asked: tuple[Early | None, Sequence[Window]],
    threads: int,
    report: Reporter,
) -> Read:
    """The figures of all windows of ``asked``, or of as many as it takes."""
    early, taken = asked
    total = lockstep.tokens_of(taken, len(models))
    comparing = lockstep.comparing(judge, models, threads)
    with report.task("Evaluating", total, "tokens") as advance, comparing as some:

        def measure(windows: Sequence[Window], names: Sequence[str], following: Window | None = None) -> Block:
            return Block(*some.compare(windows, names, advance, following))

        if early is None:
            every = list(range(len(taken)))
            return Read(every, dict.fromkeys(models, every), measure(taken, list(models)))
        return read_early(early, taken, list(models), measure)


def _refuse_infinite(path: Path, parts: Sequence[Perplexity | Summary]) -> None:
    """Raise ModelFileError for a perplexity, exp of the mean loss, that a 64-bit float cannot represent."""
    if all(math.isfinite(part["perplexity"]) and math.isfinite(part["perplexity_se"] or 0) for part in parts):
        return
    raise ModelFileError(
        f"{path.name} gives the right words of the texts almost no probability: its perplexity is infinite, because "
        "the mean loss is more than about 700 nats per token. Guessing loses 7 to 13",
        where=str(path),
        safe="No report was written.",
        remedy="The model's weights are damaged, or far larger than trained ones. Compare the source with its "
        "original, or use another model",
    )


def _reference(own: Sequence[Floats], languages: Sequence[str]) -> Reference:
    by_language = {
        language: _perplexity([nll for nll, its in zip(own, languages, strict=True) if its == language])
        for language in sorted(set(languages))
    }
    return {**_perplexity(list(own)), "languages": by_language}


def _perplexity(nll: list[Floats]) -> Perplexity:
    value, error = perplexity(nll)
    return {
        "perplexity": value,
        "perplexity_se": error,
        "tokens": sum(len(window) for window in nll),
        "windows": len(nll),
    }


def _candidate(divergence: Divergence) -> Candidate:
    languages = {label: divergence.summary(label) for label in divergence.labels()}
    return {**divergence.summary(), "languages": languages, "curve": divergence.curve()}
