"""Numbers that the browser writes are those that Python writes."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

from catalog import words
from zoo.files import bundled

_ASK = """async ([address, sizes, rates, counts]) => {
  const core = await import(address + "core.js");
  return [
    sizes.map(core.dataSize), rates.map(core.rate), rates.map(core.nats),
    counts.map(core.shortCount), counts.map((one) => core.counted(one, "file")),
  ];
}"""


def test_sizes_rates_and_counts(tmp_path: Path, hosted: Any, open_page: Any) -> None:
    dice = random.Random(5)
    edges = [unit * factor for unit in (1, 10**3, 10**6, 10**9, 10**12) for factor in (1, 10, 100, 1000)]
    near = [edge + step for edge in (*edges, 999_950, 999_950_000, 99_995_000_000) for step in (-1, -0.5, 0, 0.5, 1)]
    sizes = [*near, *(edge - edge / 20_000 for edge in edges), *(10 ** dice.uniform(0, 15.9) for _ in range(2000))]
    rates = [0, 0.00999, 0.01, 9.994, 9.995, 9.996, 10, 999_999.9, 1e6]
    rates += [10 ** dice.uniform(-9, 8) for _ in range(2000)]
    counts = [0, 1, 2, 999, 1000, 99_999, 100_000, 999_949_999, 999_950_000, *(round(size) for size in sizes)]
    shutil.copy(bundled.site_folder() / "assets" / "core.js", tmp_path)
    (tmp_path / "index.html").write_text("<!doctype html><link rel=icon href=data:,><title>t</title>")
    address = hosted(tmp_path)
    found = open_page(address).evaluate(_ASK, [address, sizes, rates, counts])
    for asked, answers, write in (
        (sizes, found[0], words.data_size),
        (rates, found[1], words.rate),
        (rates, found[2], words.nats),
        (counts, found[3], words.short_count),
        (counts, found[4], lambda one: words.counted(one, "file")),
    ):
        for value, answer in zip(asked, answers, strict=True):
            assert answer == write(value), value


def test_figures_for_sampling_are_of_the_file_else_of_the_card(tmp_path: Path, hosted: Any, open_page: Any) -> None:
    shutil.copy(bundled.site_folder() / "assets" / "core.js", tmp_path)
    (tmp_path / "index.html").write_text("<!doctype html><link rel=icon href=data:,><title>t</title>")
    address = hosted(tmp_path)
    card = {"source": "https://hub/card", "figures": {"temperature": 0.2, "top_p": 0.9}}
    asked = [
        ({"general.sampling.temp": "0.700000", "general.sampling.top_k": "20"}, card),
        ({"general.name": "x", "general.sampling.temp": "nan", "general.sampling.top_p": "-1"}, card),
        ({}, None),
    ]
    ask = """async ([address, asked]) => {
      const core = await import(address + "core.js");
      return asked.map((one) => core.samplingOf(...one));
    }"""
    assert open_page(address).evaluate(ask, [address, asked]) == [
        {"by": "file", "figures": {"temperature": 0.7, "top_k": 20}},
        {"by": "card", **card},
        {"by": "", "figures": {}},
    ]
