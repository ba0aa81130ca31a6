"""The KLD curve of a release as an SVG: for every file, the share of positions whose KLD exceeds a value.

Pure, and the same bytes for the same figures. Both axes are logarithmic. Text and axes have the colour of the
surrounding page; as a separate file the picture follows the reader's light or dark setting. Lines differ in colour and
in dashes; they are named at the right, the worst first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from zoo.judge.evaluation import Candidate, Evaluation

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 600, 44, 350

# Middle tones that keep a contrast of 3:1 on white and on near black.
_COLOURS = ("#1c86d1", "#d1590f", "#0f9068", "#b858b0", "#a87a00", "#e0406a", "#6f7cf0", "#7a8590")
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
_LEAST_NATS = 1e-7


class _Axis(NamedTuple):
    """A logarithmic axis: the decades that it spans and the pixels of its ends."""

    low: int
    high: int
    begin: float
    end: float

    def place(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def svg(evaluation: Evaluation) -> str:
    """The picture of a report of ``zoo.llama.measure.evaluate``. Raises ValueError if it has no candidate."""
    curves = {
        name: [(point["kld_nats"], point["share_above"]) for point in candidate["curve"]]
        for name, candidate in evaluation["candidates"].items()
    }
    if not curves:
        raise ValueError("there is no file to draw")
    values = [max(nats, _LEAST_NATS) for curve in curves.values() for nats, _ in curve]
    shares = [share for curve in curves.values() for _, share in curve]
    across = _Axis(_decade(min(values), math.floor), _decade(max(values), math.ceil), LEFT, RIGHT)
    up = _Axis(_decade(min(shares), math.floor), 0, BOTTOM, TOP)
    if across.low == across.high:
        across = across._replace(high=across.high + 1)
    if up.low == 0:
        up = up._replace(low=-1)
    rule = evaluation["rule"]
    tokens = next(iter(evaluation["candidates"].values()))["tokens"]
    about = (
        f"KL divergence from {evaluation.get('reference_type', 'the reference')} at {tokens} positions of held-out "
        f"text, windows of {rule['window_tokens']} tokens"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui,sans-serif" font-size="12">',
        f"<title>{escape(about)}</title>",
        f"<desc>{escape(_spoken(evaluation['candidates']))}</desc>",
        "<style>svg:root{color:#1b1f24}@media (prefers-color-scheme:dark){svg:root{color:#e6e6e6}}</style>",
        f'<text x="{LEFT}" y="22" fill="currentColor" font-size="14">{escape(about)}</text>',
        *_grid(across, up),
        *_curves(curves, across, up),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _decade(value: float, rounding: Callable[[float], int]) -> int:
    return int(rounding(round(math.log10(value), 9)))


def _spoken(candidates: Mapping[str, Candidate]) -> str:
    means = [f"{name}: mean {entry['kld_mean_nats']:.3g} nats" for name, entry in candidates.items()]
    return "Share of positions whose KLD exceeds a value, per file. " + "; ".join(means)


def _grid(across: _Axis, up: _Axis) -> list[str]:
    found = ['<g stroke="currentColor" stroke-opacity="0.2" fill="none">']
    found += [_line(x, TOP, x, BOTTOM) for x in _places(across)]
    found += [_line(LEFT, y, RIGHT, y) for y in _places(up)]
    found += ["</g>", '<g fill="currentColor">']
    for power, x in zip(range(across.low, across.high + 1), _places(across), strict=True):
        found.append(f'<text x="{x:.1f}" y="{BOTTOM + 18}" text-anchor="middle">{_plain(power)}</text>')
    for power, y in zip(range(up.low, 1), _places(up), strict=True):
        found.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_plain(power + 2)} %</text>')
    middle = (LEFT + RIGHT) // 2
    found += [
        f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">KLD, nats</text>',
        f'<text transform="translate(14 {(TOP + BOTTOM) // 2}) rotate(-90)" text-anchor="middle">'
        "positions above it</text>",
        "</g>",
    ]
    return found


def _places(axis: _Axis) -> list[float]:
    return [axis.place(10.0**power) for power in range(axis.low, axis.high + 1)]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _plain(power: int) -> str:
    """A power of ten as people write it: 0.01, 1, 100; beyond five digits as 1e-6."""
    return f"{10.0**power:.{max(-power, 0)}f}" if -4 <= power <= 4 else f"1e{power}"


def _curves(curves: Mapping[str, Sequence[tuple[float, float]]], across: _Axis, up: _Axis) -> list[str]:
    found = ['<g fill="none" stroke-width="2" stroke-linejoin="round">']
    strokes, ends = {}, {}
    for number, (name, curve) in enumerate(curves.items()):
        points = [(across.place(max(nats, _LEAST_NATS)), up.place(share)) for nats, share in curve]
        strokes[name], ends[name] = _stroke(number), points[-1][0]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        found.append(f'<path d="M{path}" {strokes[name]}/>')
    order = sorted(curves, key=lambda name: (-ends[name], name))
    step = min(18.0, (BOTTOM - TOP) / len(order))
    texts = []
    for place, name in enumerate(order):
        y = TOP + 12 + step * place
        found.append(f'<path d="M{RIGHT + 8} {y - 4:.1f}h24" {strokes[name]}/>')
        texts.append(f'<text x="{RIGHT + 38}" y="{y:.1f}">{escape(name)}</text>')
    return [*found, "</g>", '<g fill="currentColor">', *texts, "</g>"]


def _stroke(number: int) -> str:
    dashes = _DASHES[number % len(_DASHES)]
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'stroke="{_COLOURS[number % len(_COLOURS)]}"{dash}'
