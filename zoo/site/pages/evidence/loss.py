"""The evaluation: what was measured on which text, and the loss of every file."""

from __future__ import annotations

from typing import NamedTuple, NotRequired, TypedDict

from markupsafe import Markup

from catalog import jsontext
from catalog.release import Release
from catalog.shapes import shaped
from catalog.words import nats
from zoo.judge.evaluation import comparable_perplexity
from zoo.site.pages.charts.svg import TOP, Axis, Plot, around, axes, dot, svg, text
from zoo.site.pages.text import shortened, visible

_STRIP = 36.0
MOST_FILES = 60
"""Files that a page shows; no release has as many."""


class _Figures(TypedDict):
    kld_mean_nats: float
    kld_mean_se_nats: float | None
    kld_median_nats: float
    kld_p90_nats: float
    kld_p99_nats: float
    kld_max_nats: float
    same_top_share: float
    same_top_share_se: float | None
    perplexity: float
    perplexity_se: float | None
    ln_ppl_ratio: float
    ln_ppl_ratio_se: float | None
    tokens: int


class _Rule(TypedDict):
    words: str
    window_tokens: int
    scored_tokens_per_window: int
    windows: int


class _Text(TypedDict):
    name: str
    language: str
    sha256: str
    tokens: int
    windows: int


class _Reference(TypedDict):
    perplexity: float
    perplexity_se: float | None
    tokens: int


class _Stop(TypedDict):
    words: str
    method: str
    open: list[str]


class Evaluation(TypedDict):
    """What a page shows of evaluation.json."""

    rule: _Rule
    texts: list[_Text]
    reference: _Reference
    candidates: dict[str, _Figures]
    reference_type: NotRequired[str]
    stop: NotRequired[_Stop]


class Shown(NamedTuple):
    """found: the evaluation; reference: type of the reference; chart: the KLD of every file. perplexities: of every
    file with the standard error, on the text of the reference."""

    found: Evaluation
    reference: str
    chart: Markup
    perplexities: dict[str, tuple[float, float | None]]


def read(release: Release, content: bytes) -> Shown | None:
    """What the page shows; None for content of another form."""
    try:
        found = shaped(jsontext.parse(content or b"null"), Evaluation)
    except ValueError:
        return None
    if not 0 < len(found["candidates"]) <= MOST_FILES:
        return None
    first = next((file.type for file in release.files if file.loss is None), "reference")
    order = {file.type: place for place, file in enumerate(release.files)}
    ordered = dict(sorted(found["candidates"].items(), key=lambda pair: order.get(pair[0], MOST_FILES)))
    found = {**found, "candidates": ordered}
    perplexities = {type_: comparable_perplexity(its, found["reference"]) for type_, its in ordered.items()}
    return Shown(found, found.get("reference_type", first), _chart(ordered), perplexities)


def _chart(files: dict[str, _Figures]) -> Markup:
    """A strip for each file: mean, with the positions' median, 90th and 99th percentile, on a log scale."""
    marks = {type_: _marks(its) for type_, its in files.items()}
    values = [value for its in marks.values() for _, value in its if value > 0]
    if not values:
        return Markup("")
    height = TOP + _STRIP * len(files) + 46
    plot = Plot(Axis("KLD in nats, log scale", *around(values, log=True), log=True, better="less"), None, height)
    parts = [axes(plot)]
    for place, (type_, its) in enumerate(marks.items()):
        top = TOP + _STRIP * place
        parts.append(text("0", top + 22, shortened(visible(type_), 12)))
        for name, value in its:
            if value > 0:
                said = f"{type_}, {name}: {nats(value)} nats"
                kind = "best" if name == "mean" else "others"
                parts.append(f'<g class="{kind}">{dot(plot.across(value), top + 18, said)}</g>')
    words = "; ".join(f"{type_}: {', '.join(f'{n} {nats(v)}' for n, v in its)}" for type_, its in marks.items())
    return svg("KLD of every file, in nats", words, height, parts)


def _marks(its: _Figures) -> list[tuple[str, float]]:
    return [
        ("median", its["kld_median_nats"]), ("90 % of tokens below", its["kld_p90_nats"]),
        ("99 % of tokens below", its["kld_p99_nats"]), ("mean", its["kld_mean_nats"]),
    ]  # fmt: skip
