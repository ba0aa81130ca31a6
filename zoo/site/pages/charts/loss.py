"""Loss of the files of one model against their size and their speed, with the line of those that no other beats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from catalog.release import Release
from catalog.words import data_size, nats, rate
from zoo.choose.speeds import place_name
from zoo.site.pages.charts.chart import Chart, as_csv
from zoo.site.pages.charts.scatter import FEWEST, Dot, front, scatter
from zoo.site.pages.charts.svg import Axis, Plot, around
from zoo.site.pages.text import shortened, visible

_HEIGHT = 340.0


@dataclass(frozen=True)
class Point:
    """One quantized file. speeds: device -> measured, valid decode tokens per second. url: a page about it."""

    type: str
    size_bytes: int
    kld_mean_nats: float
    kld_mean_se_nats: float
    speeds: dict[str, float]
    url: str | None = None


class _Against(NamedTuple):
    """What loss is drawn against: values of points on it, and its name and unit; column names it in the CSV."""

    title: str
    column: str
    better: Literal["less", "more"]
    values: list[tuple[float, Point]]

    def words(self, value: float) -> str:
        return f"{rate(value)} tokens/s" if self.better == "more" else data_size(value * 1e6)


def points(release: Release, url: str | None = None) -> list[Point]:
    """The quantized files of a release; ``url`` leads to their evidence. The reference has no loss to draw."""
    found = []
    for file in release.files:
        if file.loss is None or not file.loss.kld_mean_nats > 0:
            continue
        speeds: dict[str, float] = {}
        for speed in file.speeds:
            if speed.valid and speed.decode_tokens_per_second > 0:
                best = max(speed.decode_tokens_per_second, speeds.get(speed.device, 0.0))
                speeds[speed.device] = best
        loss = file.loss.kld_mean_nats, file.loss.kld_mean_se_nats
        found.append(Point(file.type, file.size_bytes, *loss, speeds, url))
    return found


def loss_by_size(found: Sequence[Point]) -> Chart | None:
    """Mean KLD (log scale) against size. None with fewer files than a chart is for."""
    values = [(point.size_bytes / 1e6, point) for point in found]
    return _chart("loss-by-size", "Loss against size", _Against("size in MB", "size_mb", "less", values))


def loss_by_speed(found: Sequence[Point]) -> Chart | None:
    """Mean KLD (log scale) against measured decode speed on the device with the most measured files. None with fewer
    files than a chart is for that were measured on one device."""
    counts = Counter(device for point in found for device in point.speeds)
    device = min(counts, key=lambda name: (-counts[name], name), default="")
    values = [(point.speeds[device], point) for point in found if device in point.speeds]
    title = f"Loss against measured speed on {shortened(visible(place_name(device)), 80)}"
    against = _Against("decode speed in tokens/s", "decode_tokens_per_second", "more", values)
    return _chart("loss-by-speed", title, against)


def _chart(id_: str, title: str, against: _Against) -> Chart | None:
    if len(against.values) < FEWEST:
        return None
    signs = (1 if against.better == "more" else -1, -1)
    best = front(against.values, lambda one: one[0], lambda one: one[1].kld_mean_nats, signs)
    losses = [point.kld_mean_nats for _, point in against.values]
    plot = Plot(
        Axis(against.title, *around([x for x, _ in against.values], least=0), better=against.better),
        Axis("KLD in nats, log scale", *around(losses, log=True), log=True, better="less"),
        _HEIGHT,
    )
    dots = [
        Dot(
            x, point.kld_mean_nats, f"{point.type}: {against.words(x)}, KLD {nats(point.kld_mean_nats)} nats",
            point.type, point.url, (x, point) in best,
        )
        for x, point in against.values
    ]  # fmt: skip
    words = _words(against, best)
    picture = scatter(title, plot, dots)
    return Chart(id_, title, picture, as_csv(_rows(against, best)), words)


def _rows(against: _Against, best: Sequence[tuple[float, Point]]) -> list[list[object]]:
    rows: list[list[object]] = [["type", against.column, "kld_mean_nats", "kld_mean_se_nats", "on_the_line"]]
    for x, point in sorted(against.values, key=lambda pair: pair[0]):
        on_line = "yes" if (x, point) in best else "no"
        rows.append([point.type, x, point.kld_mean_nats, point.kld_mean_se_nats, on_line])
    return rows


def _words(against: _Against, best: Sequence[tuple[float, Point]]) -> str:
    parts = [f"{p.type} ({against.words(x)}, KLD {nats(p.kld_mean_nats)} nats)" for x, p in best]
    left = len(against.values) - len(best)
    beaten = f" {left} more {'file is' if left == 1 else 'files are'} not on it." if left else ""
    return f"On the line, from left to right: {', '.join(parts)}.{beaten}"
