"""Loss against size and against speed, with the line of the files that no other beats in both."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catalog.release import Model
from catalog.words import counted
from zoo.choose import pick
from zoo.site.pages.charts.chart import Canvas, Chart, as_csv, canvas, finish
from zoo.site.pages.text import shortened, visible

CONTEXT_TOKENS = 2048
"""The context length that the bubbles' memory is for."""

_RADIUS = (4.0, 14.0)
_LABELLED_AT_MOST = 24
"""Above so many files their names would cover each other: then only those on a line are named, or none."""


@dataclass(frozen=True)
class Point:
    """One quantized file. speeds: device -> measured, valid decode tokens per second; memory is predicted."""

    model: str
    type: str
    size_bytes: int
    kld_mean_nats: float
    kld_mean_se_nats: float
    memory_bytes: int | None
    speeds: dict[str, float]

    @property
    def name(self) -> str:
        return f"{self.model} {self.type}"


Placed = tuple[float, Point]
"""A point and its position on the other axis."""


class Axis(NamedTuple):
    """The axis that loss is drawn against; column names it in the CSV."""

    title: str
    column: str
    unit: str
    more_is_better: bool


def points(models: Iterable[Model]) -> list[Point]:
    """The quantized files of the newest release of each model that is not yanked. References have no loss to draw."""
    found = []
    for model in models:
        release = pick.current(model)
        for file in release.files if release else ():
            if file.loss is None or not file.loss.kld_mean_nats > 0:
                continue
            known = [need for need in file.memory if need.context_tokens <= CONTEXT_TOKENS]
            need = max(known, key=lambda need: need.context_tokens, default=None)
            speeds: dict[str, float] = {}
            for speed in file.speeds:
                if speed.valid:
                    best = max(speed.decode_tokens_per_second, speeds.get(speed.device, 0.0))
                    speeds[speed.device] = best
            found.append(
                Point(
                    model.name,
                    file.type,
                    file.size_bytes,
                    file.loss.kld_mean_nats,
                    file.loss.kld_mean_se_nats,
                    need.bytes if need else None,
                    speeds,
                )
            )
    return found


def loss_by_size(found: Sequence[Point]) -> Chart | None:
    """Mean KLD (log scale) against size. None with fewer than two files to compare."""
    return _chart("loss-by-size", "Loss against size", *_by_size(found))


def loss_by_speed(found: Sequence[Point]) -> Chart | None:
    """Mean KLD (log scale) against measured decode speed on the device with the most measured files.

    None with fewer than two files that were measured on one device.
    """
    device, placed, axis = _by_speed(found)
    title = f"Loss against measured speed on {shortened(visible(device), 80)}"
    return _chart("loss-by-speed", title, placed, axis)


def tables(found: Sequence[Point]) -> dict[str, str]:
    """The CSV of both charts by their ids, without drawing them."""
    placed = {"loss-by-size": _by_size(found), "loss-by-speed": _by_speed(found)[1:]}
    return {id_: as_csv(_rows(some, _fronts(some, axis), axis)) for id_, (some, axis) in placed.items()}


def _by_size(found: Sequence[Point]) -> tuple[list[Placed], Axis]:
    placed = [(point.size_bytes / 1e6, point) for point in found]
    return placed, Axis("size in MB", "size_mb", "MB", False)


def _by_speed(found: Sequence[Point]) -> tuple[str, list[Placed], Axis]:
    """With the device that most files were measured on."""
    counts = Counter(device for point in found for device in point.speeds)
    device = min(counts, key=lambda name: (-counts[name], name), default="")
    placed = [(point.speeds[device], point) for point in found if device in point.speeds]
    axis = Axis("decode speed in tokens per second", "decode_tokens_per_second", "tokens/s", True)
    return device, placed, axis


def frontier(placed: Sequence[tuple[float, Point]], more_is_better: bool) -> list[tuple[float, Point]]:
    """The points that no other point beats: none is as good on x with a lower loss (a Pareto front), in order of x."""
    sign = -1.0 if more_is_better else 1.0
    best, kept = math.inf, []
    for x, point in sorted(placed, key=lambda pair: (sign * pair[0], pair[1].kld_mean_nats, pair[1].name)):
        if point.kld_mean_nats < best:
            best = point.kld_mean_nats
            kept.append((x, point))
    return sorted(kept, key=lambda pair: pair[0])


def _fronts(placed: Sequence[Placed], axis: Axis) -> dict[str, list[Placed]]:
    """The line of each model. Losses of different models are distances from different references: no common line."""
    of_model: dict[str, list[Placed]] = {}
    for one in placed:
        of_model.setdefault(one[1].model, []).append(one)
    return {model: frontier(of_model[model], axis.more_is_better) for model in sorted(of_model)}


def _chart(id_: str, title: str, placed: list[Placed], axis: Axis) -> Chart | None:
    if len(placed) < 2:
        return None
    fronts = _fronts(placed, axis)
    labels = _log_labels([point.kld_mean_nats for _, point in placed])
    drawing = canvas(
        x_title=axis.title,
        y_title="mean KLD in nats, log scale",
        print_labels=True,
        y_labels=[{"value": math.log10(value), "label": f"{value:g}"} for value in labels],
        range=_with_room_below(math.log10(labels[0]), math.log10(labels[-1])),
        xrange=_room([x for x, _ in placed]),
    )
    on_line = {point.name for front in fronts.values() for _, point in front}
    named = {point.name for _, point in placed} if len(placed) <= _LABELLED_AT_MOST else on_line
    if len(named) > _LABELLED_AT_MOST:
        named = set()
    _draw(drawing, placed, fronts, named)
    return finish(id_, title, drawing, _rows(placed, fronts, axis), _words(placed, fronts, axis.unit))


def _rows(placed: Sequence[Placed], fronts: Mapping[str, Sequence[Placed]], axis: Axis) -> list[list[object]]:
    on_line = {point.name for front in fronts.values() for _, point in front}
    rows: list[list[object]] = [
        ["model", "type", axis.column, "kld_mean_nats", "kld_mean_se_nats", "memory_bytes", "on_the_line"]
    ]
    for x, p in sorted(placed, key=lambda pair: (pair[1].model, pair[0])):
        line = "yes" if p.name in on_line else "no"
        rows.append([p.model, p.type, x, p.kld_mean_nats, p.kld_mean_se_nats, p.memory_bytes, line])
    return rows


def _draw(
    drawing: Canvas,
    placed: Sequence[tuple[float, Point]],
    fronts: Mapping[str, Sequence[tuple[float, Point]]],
    named: set[str],
) -> None:
    """A series per model: its line first, then its bubbles over it. The library numbers colours by series."""
    radius = _radius([point.memory_bytes for _, point in placed])
    for model, front in fronts.items():
        line = [(x, math.log10(point.kld_mean_nats)) for x, point in front]
        drawing.add(f"{model}: line", line, stroke=True, show_dots=False, print_labels=False)
        dots = [_dot(x, p, radius, named, len(fronts) == 1) for x, p in placed if p.model == model]
        drawing.add(model, dots)


def _dot(
    x: float, point: Point, radius: Callable[[int | None], float], named: set[str], one_model: bool
) -> dict[str, object]:
    label = visible(point.type if one_model else point.name) if point.name in named else ""
    dot: dict[str, object] = {
        "value": (x, math.log10(point.kld_mean_nats)),
        "node": {"r": radius(point.memory_bytes)},
    }
    return {**dot, "label": label[:40]} if label else dot


def _radius(needs: Sequence[int | None]) -> Callable[[int | None], float]:
    """Radius of a bubble in units of the view box: its area grows with memory, from the least to the most drawn."""
    known = [need for need in needs if need]
    low, high = (min(known), max(known)) if known else (0, 0)

    def of(need: int | None) -> float:
        if not need or high == low:
            return _RADIUS[0] + 2
        share = (need - low) / (high - low)
        return round(math.sqrt(_RADIUS[0] ** 2 + share * (_RADIUS[1] ** 2 - _RADIUS[0] ** 2)), 1)

    return of


def _room(values: Sequence[float]) -> tuple[float, float]:
    """The range of an axis, with some room for bubbles and names at its ends."""
    low, high = min(values), max(values)
    margin = (high - low) * 0.08 or high * 0.1
    return max(0.0, low - margin), high + 2 * margin


def _with_room_below(low: float, high: float) -> tuple[float, float]:
    """The range of an axis whose lowest point has its name under it."""
    return low - 0.06 * (high - low), high


def _log_labels(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 times powers of ten that enclose the values."""
    steps = [m * 10.0**e for e in range(-12, 13) for m in (1, 2, 5)]
    low = max((s for s in steps if s <= min(values)), default=steps[0])
    high = min((s for s in steps if s >= max(values)), default=steps[-1])
    inside = [float(f"{s:.12g}") for s in steps if low <= s <= high]
    return inside if len(inside) <= 10 else [s for s in inside if f"{s:e}".startswith("1")]


def _words(
    placed: Sequence[tuple[float, Point]], fronts: Mapping[str, Sequence[tuple[float, Point]]], unit: str
) -> str:
    sentences = []
    for model, front in list(fronts.items())[:8]:
        files = [f"{visible(p.type)} ({x:,.1f} {unit}, {p.kld_mean_nats:.2g} nats)" for x, p in front]
        beaten = sum(point.model == model for _, point in placed) - len(front)
        rest = f"; {counted(beaten, 'more file')} not on it" if beaten else ""
        sentences.append(f"{visible(model)}: on the line are {', '.join(files)}{rest}.")
    if len(fronts) > 8:
        sentences.append(f"The data has {len(fronts) - 8} more models.")
    return " ".join(sentences)
