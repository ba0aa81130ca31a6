"""The page that compares predicted speeds with those that other people measured and published."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from catalog import device as devices
from zoo.choose import published
from zoo.choose.published import Compared
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Facts, Files, Kind, Releases, Site
from zoo.site.pages.page import Page, fill

PATH = "speeds/"
WIDTH = 240
"""Units of a drawing from SLOWEST to FASTEST tokens per second, on a logarithmic scale."""

SLOWEST, FASTEST = 0.5, 500.0
ENGINES = {
    "board": "Raspberry Pi boards",
    "processor": "Larger processors",
    "graphics": "Apple silicon and Jetson, with their graphics",
}


@dataclass(frozen=True)
class Drawn:
    """A row of the table. The drawing has the range from x to x + width, and the measured speed at dot."""

    compared: Compared
    x: float
    width: float
    typical: float
    dot: float


def _place(speed: float) -> float:
    share = math.log(speed / SLOWEST) / math.log(FASTEST / SLOWEST)
    return round(WIDTH * min(max(share, 0.0), 1.0), 1)


def _drawn(one: Compared) -> Drawn:
    low, high = _place(one.predicted["low"]), _place(one.predicted["high"])
    measured = _place(one.row["decode_tokens_per_second"])
    return Drawn(one, low, round(high - low, 1), _place(one.predicted["typical"]), measured)


def _whole(facts: Sequence[Facts], site: Site, releases: Releases) -> Files:
    del facts, releases
    rows = sorted(published.compared(), key=lambda one: list(ENGINES).index(one.device.engine))
    groups = [
        (ENGINES[engine], [_drawn(one) for one in some])
        for engine, some in itertools.groupby(rows, key=lambda one: one.device.engine)
    ]
    html = fill(
        "speeds.html",
        groups=groups,
        rows=len(rows),
        inside=sum(one.within for one in rows),
        kinds=len({(one.device.family, one.device.bandwidth_bytes_per_second.typical) for one in rows}),
        costs=[(ENGINES[name], 1000 * seconds) for name, seconds in devices.token_costs().items()],
        ticks=[(speed, _place(speed)) for speed in (1.0, 10.0, 100.0)],
        width=WIDTH,
        root="../",
    )
    words = f"{len(rows)} speeds that other people measured and published, next to what this site predicts for them."
    return {f"{PATH}index.html": framed(Page("Predicted and measured speeds", words, html, ()), PATH, site)}


KIND = Kind("speeds", whole=_whole)
