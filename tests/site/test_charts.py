"""Charts: what is drawn, what is said for those who do not see it, and that hostile names stay text."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import random
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from sitesamples import HOSTILE, sample

from zoo.site.pages import charts, pictures
from zoo.site.pages.charts import File, Point, naming, tradeoff
from zoo.site.pages.charts.chart import Chart
from zoo.site.pages.charts.naming import Box, Place
from zoo.site.pages.charts.scatter import front
from zoo.site.pages.charts.svg import Axis

SVG = "{http://www.w3.org/2000/svg}"


def point(type_: str, size: float, kld: float, **more: Any) -> Point:
    fields = {"kld_mean_se_nats": 0.001, "speeds": {}, "url": "1.0.0/evidence/loss/"}
    return Point(type=type_, size_bytes=int(size * 1e6), kld_mean_nats=kld, **{**fields, **more})


LADDER = [
    point("Q8_0", 145, 0.0056),
    point("Q4_K_M", 105, 0.069),
    point("Q5_K_M", 112, 0.096),
    point("Q4_0", 92, 0.33),
]


def files(models: int, each: int = 6, seed: int = 1) -> list[File]:
    """Files as a catalog of so many models has: the larger, the slower and the more often right."""
    dice = random.Random(seed)
    made = []
    for number in range(models):
        strength, speed = dice.uniform(60, 170), dice.uniform(2, 60)
        for step in range(each):
            right = min(208, max(0, round(strength + dice.gauss(0, 6) - 4 * step)))
            url = f"../models/m{number}/"
            made.append(File(f"model-{number:04}", f"Q{step}_K", url, speed * 1.2**step, step == 1, right, 208))
    return made


def rows(chart: Chart | None) -> list[dict[str, str]]:
    assert chart
    return list(csv.DictReader(io.StringIO(chart.csv)))


def parts(chart: Chart | None, tag: str) -> list[ElementTree.Element]:
    assert chart
    return list(ElementTree.fromstring(str(chart.svg)).iter(f"{SVG}{tag}"))


def circles(chart: Chart | None) -> list[dict[str, str]]:
    return [element.attrib for element in parts(chart, "circle")]


def test_a_smaller_file_with_less_loss_pushes_another_off_the_line() -> None:
    chart = charts.loss_by_size(LADDER)
    assert {row["type"]: row["on_the_line"] for row in rows(chart)} == {
        "Q4_0": "yes", "Q4_K_M": "yes", "Q5_K_M": "no", "Q8_0": "yes"
    }  # fmt: skip
    assert chart and "1 more file is not on it" in chart.text and len(circles(chart)) == 4


def test_for_speed_more_is_better_and_the_device_has_its_name() -> None:
    speeds = zip(LADDER, (40.0, 60.0, 50.0, 55.0), strict=True)
    chart = charts.loss_by_speed([dataclasses.replace(p, speeds={"pi-5-8gb": v}) for p, v in speeds])
    assert {row["type"] for row in rows(chart) if row["on_the_line"] == "yes"} == {"Q8_0", "Q4_K_M"}
    assert chart and chart.title == "Loss against measured speed on Raspberry Pi 5, 8 GB"


def test_the_device_with_most_measured_files_is_drawn_and_two_files_are_no_picture() -> None:
    speeds: list[dict[str, float]] = [{"a": 1.0, "b": 2.0}, {"b": 3.0}, {"b": 2.5}, {}]
    mixed = [dataclasses.replace(p, speeds=s) for p, s in zip(LADDER, speeds, strict=True)]
    chart = charts.loss_by_speed(mixed)
    assert chart and chart.title.endswith("on b") and len(rows(chart)) == 3
    assert charts.loss_by_speed(mixed[:2]) is None and charts.loss_by_size(mixed[:2]) is None
    assert charts.loss_by_speed(LADDER) is None and charts.trade_off("b", files(1, 2), 25) is None


def test_every_dot_has_one_size_a_tooltip_and_a_link() -> None:
    for chart in (charts.loss_by_size(LADDER), charts.trade_off("Pi", files(40), 25)):
        assert {circle["r"] for circle in circles(chart)} == {"5"}
        linked = parts(chart, "a")
        assert len(linked) == len(circles(chart))
        assert all(one.get("href") and one.findtext(f"{SVG}title") for one in linked)


def test_both_axes_say_which_way_is_better() -> None:
    chart = charts.loss_by_size(LADDER)
    assert chart and "lower is better" in chart.svg and "less is better" in chart.svg
    chart = charts.trade_off("Pi", files(2), 25)
    assert chart and "higher is better" in chart.svg and "more is better" in chart.svg


@pytest.mark.parametrize("models", [2, 40, 1000])
def test_one_line_over_all_models_and_a_bounded_number_of_dots(models: int) -> None:
    found = files(models)
    chart = charts.trade_off("Pi", found, 25)
    assert chart and len([one for one in parts(chart, "path") if one.get("class") == "front"]) == 1
    drawn = len(circles(chart))
    assert drawn == len(found) if len(found) <= tradeoff.DRAWN_AT_MOST else models / 3 <= drawn <= models + 40
    assert len(chart.svg) < 300_000
    best = {row["model"] + row["type"] for row in rows(chart) if row["on_the_line"] == "yes"}
    assert len(chart.best) == len(best) and all(url.startswith("../models/") for _, url in chart.best)
    assert best == {f.model + f.type for f in found if not any(_beats(other, f) for other in found)}


def test_of_dots_that_hide_each_other_one_is_drawn_and_the_data_have_all() -> None:
    found = [dataclasses.replace(one, correct=100 + one.correct % 2) for one in files(300)]
    chart = charts.trade_off("Pi", found, 25)
    dots = [(float(one["cx"].rstrip("%")), float(one["cy"])) for one in circles(chart)]
    assert chart and len(rows(chart)) >= 300 > len(dots)
    few = "the best of each model, and no dot that another one hides."
    assert f"Of 1,800 files, {len(dots)} are drawn: {few}" in chart.text
    places = {(round(x / 0.5), round(y / 4)) for x, y in dots}
    assert len(places) >= len(dots) - len(chart.best)


def _beats(one: File, other: File) -> bool:
    ours, theirs = (one.speed, one.percent), (other.speed, other.percent)
    return ours != theirs and all(a >= b for a, b in zip(ours, theirs, strict=True))


def test_an_experiment_is_drawn_but_never_on_the_line() -> None:
    found = [*files(2), File("x", "Q8_0", "", 1e4, True, 208, 208, experimental=True)]
    chart = charts.trade_off("Pi", found, 25)
    assert [row["on_the_line"] for row in rows(chart) if row["model"] == "x"] == ["no"]
    assert chart and "an experiment" in chart.svg


def _named(chart: Chart, width: float) -> Iterator[Box]:
    """Boxes of the names that a page of that width shows, with the letters as wide as 12 px can be."""
    for one in parts(chart, "text"):
        kinds = (one.get("class") or "").split()
        if "name" in kinds and not ("wide" in kinds and width < 560):
            x = float(one.attrib["x"].rstrip("%")) / 100 * width + float(one.get("dx", 0))
            long = 6.6 * len(one.text or "")
            left = x - (long if "end" in kinds else long / 2 if "mid" in kinds else 0)
            y = float(one.attrib["y"])
            yield Box(left, left + long, y - 9, y + 3)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("width", [300, 328, 390, 500, 600, 720])
def test_names_cover_no_name_no_dot_and_no_line(width: float, seed: int) -> None:
    for models in (2, 5, 40):
        chart = charts.trade_off("Pi", files(models, seed=seed), 25)
        assert chart
        boxes = list(_named(chart, width))
        assert boxes
        dots = [(float(c["cx"].rstrip("%")) / 100 * width, float(c["cy"])) for c in circles(chart)]
        (path,) = (one.attrib["d"] for one in parts(chart, "path") if one.get("class") == "front")
        line = [tuple(map(float, pair.split())) for pair in path.lstrip("M").split("L")]
        ends = [(x / 100 * width, y) for x, y in line]
        for box, other in itertools.combinations(boxes, 2):
            assert not box.meets(other)
        for box in boxes:
            assert box.left >= 0 and box.right <= width
            assert not any(box.meets(Box(x - 4, x + 4, y - 4, y + 4)) for x, y in dots)
            assert not any(box.crosses(a, b) for a, b in itertools.pairwise(ends))


def test_a_line_through_a_box_is_seen() -> None:
    box = Box(10, 20, 10, 20)
    assert box.crosses((0, 0), (30, 30)) and box.crosses((15, 0), (15, 40)) and box.crosses((12, 12), (13, 13))
    assert not box.crosses((0, 21), (30, 21)) and not box.crosses((0, 0), (30, 5)) and not box.crosses((5, 0), (5, 9))


def test_a_name_without_room_is_left_to_its_tooltip() -> None:
    crowd = [Place(x, 100 + y) for x in range(0, 100, 2) for y in range(0, 200, 8)]
    assert list(naming.names([(Place(50, 200), "a name")], crowd, [], 400)) == []


def test_a_front_keeps_what_no_other_beats() -> None:
    some = [(1, 5), (2, 4), (2, 3), (3, 4), (4, 1)]
    assert front(some, lambda p: p[0], lambda p: p[1], (1, 1)) == [(1, 5), (3, 4), (4, 1)]
    assert front(some, lambda p: p[0], lambda p: p[1], (-1, -1)) == [(1, 5), (2, 3), (4, 1)]


@pytest.mark.parametrize(("low", "high"), [(0.003, 0.4), (1.0, 3000.0), (7.0, 9.0), (1e-6, 1.0)])
@pytest.mark.parametrize("log", [True, False])
def test_an_axis_has_a_few_round_numbers(low: float, high: float, log: bool) -> None:
    found = Axis("", low, high, log=log).ticks()
    assert 2 <= len(found) <= 7 and all(low <= value <= high for value in found)


def test_points_leave_out_references_and_disturbed_speeds() -> None:
    found = {p.type: p for p in charts.points(sample().models[0].releases[0])}
    assert found.keys() == {"Q8_0", "Q4_K_M", "Q4_0"}
    assert found["Q4_K_M"].speeds == {} and found["Q8_0"].speeds == {"pi-5-8gb": 39.81}


def test_training_loss_is_drawn_thinned_and_given_whole() -> None:
    curve = [{"step": i, "loss": 10 / i, "learning_rate": 1e-3} for i in range(1, 2001)]
    chart = charts.training_loss(curve)
    assert len(rows(chart)) == 2000
    assert chart and "from 10 nats at step 1 to 0.005 at step 2000" in chart.text and len(chart.svg) < 20_000
    assert charts.training_loss(curve[:2]) is None


def test_every_sample_is_a_dot_and_disturbed_ones_report_it() -> None:
    def report(valid: bool, *speeds: float) -> dict[str, Any]:
        return {"valid": valid, "samples": [{"decode_tokens_per_second": v} for v in speeds]}

    reports: Any = {"Q4_0": report(True, 40, 41, 42), "Q8_0": report(False, 20, 30)}
    chart = charts.decode_samples(reports, {"Q4_0": "../#q"})
    assert len(circles(chart)) == 5 and [row["valid"] for row in rows(chart)] == ["yes"] * 3 + ["no"] * 2
    assert chart and "Q8_0: 2 samples from 20.0 to 30.0 tokens/s, not valid" in chart.text
    assert "Q8_0 (not valid)" in chart.svg and len(parts(chart, "a")) == 3
    assert charts.decode_samples({}) is None


@pytest.mark.parametrize("name", [HOSTILE[:180], "=1+1", "\x00\x1b[31m"])
def test_names_from_a_catalog_stay_text(name: str) -> None:
    chart = charts.loss_by_size([dataclasses.replace(p, type=f"{name}{i}") for i, p in enumerate(LADDER)])
    assert chart
    root = ElementTree.fromstring(str(chart.svg))
    assert not [e for e in root.iter() if e.tag.rpartition("}")[2] in ("script", "style")]
    assert not re.search(r"<script|\u202e|\x00|\x1b", chart.svg)
    assert not any(row["type"].startswith("=") for row in rows(chart))


def test_a_chart_has_nothing_that_a_strict_page_refuses_and_the_same_bytes_each_time() -> None:
    chart, again = charts.loss_by_size(LADDER), charts.loss_by_size(LADDER)
    assert chart and chart == again
    assert not re.search(r"style=|<style|<script| id=|<!--|\bon\w+=", chart.svg)
    assert 'role="group"' in chart.svg and 'aria-label="Loss against size"' in chart.svg
    assert "Q4_K_M (105.0 MB, KLD 0.0690 nats)" in chart.text
    assert len([one for one in parts(chart, "path") if one.get("class") == "grid"]) == 1


# --- On pages


def test_a_release_is_drawn_from_its_evidence_and_broken_evidence_is_left_out() -> None:
    model = sample().models[1]
    release = model.releases[0]
    curve = [{"step": i, "loss": 9 - i, "learning_rate": 1e-3} for i in (1, 2, 3)]
    bench = {"valid": True, "samples": [{"decode_tokens_per_second": 40.0}]}
    contents: dict[str, Any] = {"distill-report.json": {"loss_curve": curve}}
    contents |= {speed.evidence: bench for file in release.files for speed in file.speeds}

    def evidence(version: str, path: str) -> bytes | None:
        assert version == release.version
        return json.dumps(contents[path]).encode() if path in contents else None

    drawn = pictures.of_release(model, release, evidence)
    assert [chart.id for chart in drawn] == ["training-loss", "decode-samples"]
    for broken in ({"loss_curve": 3}, [], {"loss_curve": [{"step": "x"}, {}]}, "x"):
        contents["distill-report.json"] = broken
        contents |= dict.fromkeys([s.evidence for f in release.files for s in f.speeds], broken)
        assert pictures.of_release(model, release, evidence) == []
