"""The picture of the documentation about stopping early: intervals that close, window by window, as measured."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import early_stop, material
from catalog import jsontext
from zoo.choose.candidates import LOSS_LIMIT
from zoo.choose.pick import TOLERANCE
from zoo.files.whole import write_atomic
from zoo.judge.deciding import ALPHA
from zoo.judge.questions import KLD
from zoo.judge.sequence import interval

OUT = material.ROOT / "site" / "docs" / "images" / "early-stop.svg"
SHOWN = {"Q4_0": "#d1590f", "Q4_K_M": "#0f9068", "Q8_0": "#1c86d1"}
BOUNDS = {LOSS_LIMIT: "close to its source", TOLERANCE.kld_mean_nats: "not noticeable"}
WINDOWS = 60
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 64, 560, 44, 350
LOW, HIGH = 0.002, 1.0


def svg(zoo: early_stop.Zoo) -> str:
    """The mean KLD of some files after every window, with the interval for all windows."""
    places = np.random.default_rng(early_stop.SEED).integers(zoo.count, size=WINDOWS)
    stop, _ = zoo.early(places)
    files = len(zoo.files)
    alpha = ALPHA / (2 * files + files * (files - 1) // 2)
    about = f"Mean KLD of three files and its interval, window by window; it stops after {stop} of {WINDOWS} windows"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui,sans-serif" font-size="12">',
        f"<title>{about}</title>",
        "<style>svg:root{color:#1b1f24}@media (prefers-color-scheme:dark){svg:root{color:#e6e6e6}}</style>",
        '<g fill="currentColor">',
        f'<text x="{LEFT}" y="22" font-size="14">Mean KLD with its interval, in nats (log scale)</text>',
    ]
    parts += [
        f'<text x="{LEFT - 8}" y="{_up(nats) + 4:.1f}" text-anchor="end">{nats:g}</text>' for nats in (0.01, 0.1, 1.0)
    ]
    parts += [
        f'<text x="{_across(count):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{count}</text>'
        for count in range(0, WINDOWS + 1, 10)
    ]
    parts.append(f'<text x="{(LEFT + RIGHT) // 2}" y="{HEIGHT - 12}" text-anchor="middle">windows read</text>')
    parts += [
        f'<text x="{RIGHT + 8}" y="{_up(bound) + 4:.1f}">{words} ({bound:g})</text>' for bound, words in BOUNDS.items()
    ]
    parts.append(f'<text x="{_across(stop) + 6:.1f}" y="{TOP + 12}">everything is decided</text></g>')
    parts.append('<g stroke="currentColor" fill="none" stroke-dasharray="4 3">')
    parts += [f'<path d="M{LEFT} {_up(bound):.1f}H{RIGHT}"/>' for bound in BOUNDS]
    parts.append(f'<path d="M{_across(stop):.1f} {TOP}V{BOTTOM}"/></g>')
    for file, colour in SHOWN.items():
        parts += _file(file, colour, zoo.table[file, KLD][places], alpha)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _file(file: str, colour: str, values: early_stop.Values, alpha: float) -> list[str]:
    counts = [n for n in range(2, WINDOWS + 1) if math.isfinite(interval(values[:n], alpha, WINDOWS).high)]
    ends = [interval(values[:n], alpha, WINDOWS) for n in counts]
    high = [f"{_across(n):.1f} {_up(end.high):.1f}" for n, end in zip(counts, ends, strict=True)]
    low = [f"{_across(n):.1f} {_up(end.low):.1f}" for n, end in zip(counts, ends, strict=True)]
    mean = [f"{_across(n):.1f} {_up(values[:n].mean()):.1f}" for n in range(1, WINDOWS + 1)]
    label = _up(values.mean())
    return [
        f'<path d="M{"L".join([*high, *reversed(low)])}Z" fill="{colour}" fill-opacity="0.25"/>',
        f'<path d="M{"L".join(mean)}" stroke="{colour}" stroke-width="2" fill="none"/>',
        f'<text x="{RIGHT + 8}" y="{label + 4:.1f}" fill="{colour}" font-weight="bold">{file}</text>',
    ]


def _across(count: float) -> float:
    return LEFT + (RIGHT - LEFT) * count / WINDOWS


def _up(nats: float) -> float:
    share = (math.log10(min(max(nats, LOW), HIGH)) - math.log10(LOW)) / (math.log10(HIGH) - math.log10(LOW))
    return BOTTOM - (BOTTOM - TOP) * share


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.early_picture", description=__doc__)
    parser.add_argument("--blocks", type=Path, default=early_stop.BLOCKS, metavar="FILE", help="windows, %(default)s")
    arguments = parser.parse_args(argv)
    blocks = jsontext.parse(arguments.blocks.read_bytes())
    assert isinstance(blocks, dict)
    write_atomic(OUT, svg(early_stop.Zoo(blocks, early_stop.STARTER)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
