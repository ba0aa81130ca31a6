"""The shape of evaluation.json: what ``zoo.llama.measure.evaluate`` measures, and charts and records read."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from zoo.judge.divergence import CurvePoint, Summary


class Rule(TypedDict):
    """How windows were chosen and scored. begin_of_text: whether each begins with the model's begin token."""

    words: str
    window_tokens: int
    scored_tokens_per_window: int
    windows: int
    windows_asked: int
    begin_of_text: bool


class TextTaken(TypedDict):
    """A text: its digest, its tokens, and how many of its windows were used."""

    name: str
    language: str
    sha256: str
    tokens: int
    windows: int


class Perplexity(TypedDict):
    """Perplexity over some windows, with its standard error (None for a single window)."""

    perplexity: float
    perplexity_se: float | None
    tokens: int
    windows: int


class Reference(Perplexity):
    """The reference over all windows, and by language."""

    languages: dict[str, Perplexity]


class Candidate(Summary):
    """A file over all windows, by language, and the distribution of its KLD."""

    languages: dict[str, Summary]
    curve: list[CurvePoint]


class Evaluation(TypedDict):
    """reference_type: the type of the file that the others were compared with. tokens_sha256: of all windows' ids."""

    rule: Rule
    texts: list[TextTaken]
    tokens_sha256: str
    reference: Reference
    candidates: dict[str, Candidate]
    reference_type: NotRequired[str]
