"""Fits the fixed time per token on public measurements, and writes ``catalog/data/token-costs.json``.

    python -m benchmarks.token_costs

Each prediction in that file was made with costs that were fitted without its row, so their coverage is that of new
measurements. The script prints the coverage, and ends with 1 if it is below TARGET.
"""

from __future__ import annotations

import sys
from typing import Any

from catalog import device as devices
from catalog import speeds
from zoo.choose import published
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic

ENGINES = ("board", "graphics", "processor")
TARGET = 0.9
"""Least share of held-out measurements within the stated range."""


def document() -> dict[str, Any]:
    """The content of the file."""
    rows = speeds.published()
    costs = {engine: published.fit(rows, engine) for engine in ENGINES}
    return {
        "schema": "token-costs/1",
        "seconds_per_token": costs,
        "held_out": list(published.held_out(rows)),
    }


def main() -> int:
    """Fit, write and report."""
    made = document()
    write_atomic(devices.COSTS, pretty_json(made))
    devices.fitted.cache_clear()
    found = published.compared()
    inside = sum(one.within for one in found)
    for one in found:
        if not one.within:
            print(f"outside: {one.row['device']}, {one.row['model']}: {one.row['decode_tokens_per_second']} not in "
                  f"{one.predicted['low']:.3g} to {one.predicted['high']:.3g}")  # fmt: skip
    print(f"{made['seconds_per_token']}; {inside} of {len(found)} held-out rows are within the range")
    return 0 if inside >= TARGET * len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
