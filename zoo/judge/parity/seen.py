"""What one side saw of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
Distances = NDArray[np.float64]
"""[positions]; see ``zoo.judge.parity.distance.relative_errors``."""


NO_TEMPLATE = "there is no chat template"
"""Why a model without a chat template renders nothing."""


@dataclass(frozen=True)
class Rendering:
    """A conversation rendered with the chat template: its text, or why there is none."""

    text: str | None
    error: str = ""


Value = float | str | frozenset[float]
"""A number, a word, or several numbers of which any is correct."""


@dataclass(frozen=True)
class Parameter:
    """A value that describes the model; ``name`` is what this side calls it."""

    name: str
    value: Value


@dataclass(frozen=True)
class Generated:
    """A generation that was forced to write what the template writes after an answer.

    forced: ids that it had to write, one after another. written: those that it wrote before it stopped.
    stopped: whether it ended by itself. strange: what looks like a marker after the answer but is not a token.
    """

    forced: tuple[int, ...]
    written: int
    stopped: bool
    strange: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cut:
    """Strings split into tokens. tokens: ids of every string, without begin and end markers; whole: with them, as the
    model requires. decoded: the bytes that the ids of ``tokens`` stand for.
    """

    tokens: Sequence[Sequence[int]]
    whole: Sequence[Sequence[int]]
    decoded: Sequence[bytes]


@dataclass(frozen=True)
class Normalizer:
    """The steps of a tokenizer's normalizer that change letters, such as NFC; llama.cpp has none of them.

    kinds: their types, in order. texts: the strings after these steps alone. without: the strings cut by the same
    tokenizer without these steps.
    """

    kinds: tuple[str, ...]
    texts: tuple[str, ...]
    without: Cut


@dataclass(frozen=True)
class Taken:
    """How the folder would split the strings if the texts in ``names`` were control tokens, as in llama.cpp."""

    names: tuple[str, ...]
    cut: Cut
    normalizer: Normalizer | None


@dataclass(frozen=True)
class Spaced:
    """How the folder would split the strings with a space before every text and after every marker, as in llama.cpp.

    Llama's pre-tokenizer of transformers 5 puts none before a text that begins with one, or after a marker.
    markers: texts of the tokens that are looked for before the text is cut.
    """

    cut: Cut
    normalizer: Normalizer | None
    markers: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """One side's view; every list runs along ``zoo.judge.parity.material``.

    cut: the strings as this side cuts them.
    texts: ids of every text, with markers, at most ``zoo.judge.parity.material.MOST_TOKENS``.
    logits: [tokens, vocabulary] after each of the reference side's ids.
    renderings: every conversation, without and with the prompt for an answer.
    parameters: shape and constants, by the name that GGUF has for them.
    ends: ids after which generation stops. name_of: the text of an id, for people.
    noise: [tokens] how far the folder's own logits move under rounding (``judge.parity.distance``); empty for the file.
    normalizer: of the folder, None if it changes no letters. of_normalized: the file's cut of ``normalizer.texts``.
    by_sight: texts of tokens that llama.cpp takes for control tokens by their text alone, while the file calls them
    ordinary. taken: of the folder, where there are such texts. spaced: of the folder, where it may differ.
    """

    side: str
    cut: Cut
    texts: Sequence[Sequence[int]]
    logits: Sequence[Logits]
    renderings: Sequence[Rendering]
    parameters: Mapping[str, Parameter]
    ends: frozenset[int]
    name_of: Callable[[int], str]
    noise: Sequence[Distances] = field(default=())
    normalizer: Normalizer | None = None
    of_normalized: Cut | None = None
    by_sight: tuple[str, ...] = ()
    taken: Taken | None = None
    spaced: Spaced | None = None

    def named(self, token: int) -> str:
        """An id and its text, for a sentence."""
        return f"{token} {self.name_of(token)!a}"
