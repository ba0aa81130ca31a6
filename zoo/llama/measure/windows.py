"""Windows of text that models are compared on: which tokens, and which positions are scored.

The rule is that of llama.cpp's perplexity tool: windows do not overlap; if the vocabulary asks for a begin-of-text
token, it replaces the first token of each window; position i predicts token i + 1; only positions from
window_tokens // 2 on are scored, so that each has a context of at least half a window.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.words import counted
from zoo.errors import InputError, ModelFileError
from zoo.gguf.header import Header, read_header
from zoo.judge.evaluation import TextTaken
from zoo.judge.questions import Rule
from zoo.llama.model import Model

RULE = (
    "Windows do not overlap and each is read from an empty cache. If the vocabulary asks for a begin-of-text token, it "
    "replaces a window's first token. Position i predicts token i + 1; positions from window_tokens // 2 on are "
    "scored, except the last. Nothing is clamped; sums are in float64; standard errors are by window."
)


@dataclass(frozen=True)
class Text:
    """A plain text to evaluate on; ``language`` groups the results."""

    name: str
    language: str
    content: str


@dataclass(frozen=True)
class Cut:
    """A text's tokens and where the windows taken from it start."""

    text: Text
    tokens: list[int]
    starts: list[int]


@dataclass(frozen=True)
class Window:
    """The token ids of one window, and the language of its text. Positions from ``first`` on are scored."""

    language: str
    tokens: list[int]
    first: int

    @property
    def targets(self) -> NDArray[np.int64]:
        """The token that really follows each scored position."""
        return np.array(self.tokens[self.first + 1 :], dtype=np.int64)


@dataclass(frozen=True)
class Early:
    """What ends an evaluation early, and the folder for finished blocks, which outlives a kill."""

    rule: Rule
    folder: Path


@dataclass(frozen=True)
class Windows:
    """How many windows are wanted, and how many tokens each has; with ``early``, at most so many."""

    window_tokens: int
    windows: int
    early: Early | None = None


def check_vocabularies(reference: Path, candidates: Mapping[str, Path]) -> None:
    """Raise ModelFileError naming the first file whose vocabulary is not the reference's."""
    judge = read_header(reference)
    for name, path in candidates.items():
        header = read_header(path)
        if _vocabulary(header) != _vocabulary(judge):
            raise ModelFileError(
                f"{name} has a different vocabulary ({header.vocabulary_size} tokens) than the reference "
                f"({judge.vocabulary_size} tokens), so their distributions cannot be compared",
                where=str(path),
                remedy="Evaluate a file against the F16 file that it was quantized from",
            )


def _vocabulary(header: Header) -> tuple[int, str | None]:
    return header.vocabulary_size, header.vocabulary_sha256


def cut(judge: Model, texts: Sequence[Text], window_tokens: int, windows: int) -> list[Cut]:
    """Distribute ``windows`` windows evenly among the texts, and evenly over each text's length.

    If the texts hold fewer, all are taken. Raises InputError for invalid numbers or a text shorter than a window.
    """
    if window_tokens < 4 or windows < 1 or not texts:
        raise InputError("an evaluation requires a text, a window and windows of at least 4 tokens")
    tokens = [judge.tokenize(text.content, add_special=False, parse_special=False) for text in texts]
    for text, own in zip(texts, tokens, strict=True):
        if len(own) < window_tokens:
            raise InputError(
                f"the text {text.name} has {counted(len(own), 'token')}, less than one window of {window_tokens}",
                remedy="Use a longer text or set evaluate.window_tokens lower",
            )
    room = [len(own) // window_tokens for own in tokens]
    shares = share_out(windows, room)
    return [
        Cut(text, own, [window_tokens * (i * available // share) for i in range(share)])
        for text, own, available, share in zip(texts, tokens, room, shares, strict=True)
    ]


def share_out(windows: int, room: Sequence[int]) -> list[int]:
    """Distribute ``windows`` among texts with ``room`` for that many each: as evenly as possible, first texts first."""
    shares = [0] * len(room)
    left = min(windows, sum(room))
    while left:
        for index, available in enumerate(room):
            if left and shares[index] < available:
                shares[index] += 1
                left -= 1
    return shares


def take(judge: Model, cuts: Sequence[Cut], window_tokens: int, first: int | None = None) -> list[Window]:
    """Every window, text by text. first: the first position that is scored, if not the rule's."""
    taken = []
    for own in cuts:
        for start in own.starts:
            tokens = own.tokens[start : start + window_tokens]
            if judge.adds_bos:
                tokens[0] = judge.bos
            taken.append(Window(own.text.language, tokens, window_tokens // 2 if first is None else first))
    return taken


def used_of(cuts: Sequence[Cut], places: Sequence[int]) -> list[int]:
    """How many windows of each text are among ``places``, which number the windows of ``take``."""
    ends = list(itertools.accumulate(len(own.starts) for own in cuts))
    found = Counter(bisect.bisect_right(ends, place) for place in places)
    return [found[number] for number in range(len(cuts))]


def describe(own: Cut, used: int) -> TextTaken:
    """A text in a report: its name, language, digest, and how many of its windows were used."""
    return {
        "name": own.text.name,
        "language": own.text.language,
        "sha256": hashlib.sha256(own.text.content.encode("utf-8")).hexdigest(),
        "tokens": len(own.tokens),
        "windows": used,
    }


def tokens_sha256(taken: Sequence[Window]) -> str:
    """SHA-256 of all windows' token ids, one after another, as little-endian 32-bit integers."""
    digest = hashlib.sha256()
    for window in taken:
        digest.update(np.array(window.tokens, dtype="<i4").tobytes())
    return digest.hexdigest()
