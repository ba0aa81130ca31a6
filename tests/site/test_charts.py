"""Charts: what is drawn, what is said for those who do not see it, and that hostile names stay text."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from sitesamples import HOSTILE, sample

from catalog.release import Model, YankEvent
from zoo.site.pages import charts, pictures
from zoo.site.pages.charts import Point
from zoo.site.pages.charts.chart import Chart
from zoo.site.pages.charts.loss import frontier
from zoo.site.pages.kinds import Site


def nobody(name: str) -> Model:
    raise KeyError(name)


def point(type_: str, size: float, kld: float, **more: Any) -> Point:
    fields = {"model": "m", "kld_mean_se_nats": 0.001, "memory_bytes": int(size * 2e6), "speeds": {}}
    return Point(type=type_, size_bytes=int(size * 1e6), kld_mean_nats=kld, **{**fields, **more})


LADDER = [
    point("Q8_0", 145, 0.0056),
    point("Q4_K_M", 105, 0.069),
    point("Q5_K_M", 112, 0.096),
    point("Q4_0", 92, 0.33),
]


def rows(chart: Chart | None) -> list[dict[str, str]]:
    assert chart
    return list(csv.DictReader(io.StringIO(chart.csv)))


def circles(chart: Chart | None) -> list[dict[str, str]]:
    assert chart
    root = ElementTree.fromstring(str(chart.svg))
    return [element.attrib for element in root.iter("{http://www.w3.org/2000/svg}circle")]


def test_a_smaller_file_with_less_loss_pushes_another_off_the_line() -> None:
    kept = frontier([(p.size_bytes / 1e6, p) for p in LADDER], more_is_better=False)
    assert [p.type for _, p in kept] == ["Q4_0", "Q4_K_M", "Q8_0"]
    chart = charts.loss_by_size(LADDER)
    assert {row["type"]: row["on_the_line"] for row in rows(chart)} == {
        "Q4_0": "yes", "Q4_K_M": "yes", "Q5_K_M": "no", "Q8_0": "yes"
    }  # fmt: skip
    assert chart and "1 more file not on it" in chart.text and len(circles(chart)) == 4


def test_for_speed_more_is_better() -> None:
    fast = [dataclasses.replace(p, speeds={"pi": v}) for p, v in zip(LADDER, (40, 60, 50, 55), strict=True)]
    chart = charts.loss_by_speed(fast)
    assert {row["type"] for row in rows(chart) if row["on_the_line"] == "yes"} == {"Q8_0", "Q4_K_M"}
    assert chart and chart.title == "Loss against measured speed on pi"


def test_the_device_with_most_measured_files_is_drawn_and_one_file_is_no_picture() -> None:
    speeds: list[dict[str, float]] = [{"a": 1.0, "b": 2.0}, {"b": 3.0}, {}, {}]
    mixed = [dataclasses.replace(p, speeds=s) for p, s in zip(LADDER, speeds, strict=True)]
    chart = charts.loss_by_speed(mixed)
    assert chart and chart.title.endswith("on b") and len(rows(chart)) == 2
    assert charts.loss_by_speed(mixed[:1]) is None and charts.loss_by_size(mixed[:1]) is None
    assert charts.loss_by_speed(LADDER) is None


def test_every_model_has_a_line_of_its_own() -> None:
    other = dataclasses.replace(LADDER[0], model="n", kld_mean_nats=0.5)
    chart = charts.loss_by_size([*LADDER, other])
    assert [row["on_the_line"] for row in rows(chart) if row["model"] == "n"] == ["yes"]


def test_the_bubble_grows_with_memory_and_the_axis_with_loss() -> None:
    found = {float(c["cx"]): c for c in circles(charts.loss_by_size(LADDER))}
    by_size = [found[x] for x in sorted(found)]
    assert [float(c["r"]) for c in by_size] == sorted(float(c["r"]) for c in by_size)
    assert float(by_size[0]["r"]) == 4.0 and float(by_size[-1]["r"]) == 14.0
    assert float(by_size[0]["cy"]) < float(by_size[-1]["cy"])


def test_points_leave_out_references_disturbed_speeds_and_yanked_versions() -> None:
    models = sample().models
    found = charts.points(models)
    assert {p.name for p in found} == {
        "smollm2-135m-instruct Q8_0", "smollm2-135m-instruct Q4_K_M", "smollm2-135m-instruct Q4_0",
        "smollm2-tutor-57m Q8_0",
    }  # fmt: skip
    assert next(p for p in found if p.type == "Q4_K_M").speeds == {}
    yank = YankEvent(models[0].releases[0].version, "2026-11-24", "yank", "wrong", "high", None)
    assert not charts.points([dataclasses.replace(models[0], yanks=(yank,))])


def test_training_loss_is_drawn_thinned_and_given_whole() -> None:
    curve = [{"step": i, "loss": 10 / i, "learning_rate": 1e-3} for i in range(1, 2001)]
    chart = charts.training_loss(curve)
    assert len(rows(chart)) == 2000
    assert chart and "from 10 nats at step 1 to 0.005 at step 2000" in chart.text and len(chart.svg) < 20_000
    assert charts.training_loss(curve[:1]) is None


def test_every_sample_is_a_dot_and_disturbed_ones_report_it() -> None:
    def report(valid: bool, *speeds: float) -> dict[str, Any]:
        return {"valid": valid, "samples": [{"decode_tokens_per_second": v} for v in speeds]}

    chart = charts.decode_samples({"Q4_0": report(True, 40, 41, 42), "Q8_0": report(False, 20, 30)})
    assert len(circles(chart)) == 5 and [row["valid"] for row in rows(chart)] == ["yes"] * 3 + ["no"] * 2
    assert chart and "Q8_0: 2 samples from 20.0 to 30.0 tokens/s, disturbed" in chart.text
    assert charts.decode_samples({}) is None


@pytest.mark.parametrize("name", [HOSTILE[:180], "=1+1", "\x00\x1b[31m"])
def test_names_from_a_catalog_stay_text(name: str) -> None:
    chart = charts.loss_by_size([dataclasses.replace(p, type=f"{name}{i}") for i, p in enumerate(LADDER)])
    assert chart
    root = ElementTree.fromstring(str(chart.svg))
    assert not [
        e for e in root.iter() if isinstance(e.tag, str) and e.tag.rpartition("}")[2] in ("script", "style")
    ]
    assert not re.search(r"<script|\u202e|\x00|\x1b", chart.svg)
    assert not any(row["type"].startswith("=") for row in rows(chart))


def test_a_chart_has_nothing_that_a_strict_page_refuses_and_the_same_bytes_each_time() -> None:
    chart, again = charts.loss_by_size(LADDER), charts.loss_by_size(LADDER)
    assert chart and chart == again
    assert not re.search(r"style=|<style|<script| id=|<!--|\bon\w+=", chart.svg)
    assert 'role="img"' in chart.svg and "Q4_K_M (105.0 MB, 0.069 nats)" in chart.svg


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

    assert [chart.id for chart in pictures.of_release(model, release, evidence)] == [
        "training-loss",
        "decode-samples",
    ]
    for broken in ({"loss_curve": 3}, [], {"loss_curve": [{"step": "x"}, {}]}, "x"):
        contents["distill-report.json"] = broken
        contents |= dict.fromkeys([s.evidence for f in release.files for s in f.speeds], broken)
        assert pictures.of_release(model, release, evidence) == []


def test_the_page_of_all_models_draws_the_newest_and_gives_the_data_of_all() -> None:
    facts = [
        {
            "pictures": {
                "date": f"2026-01-{i % 28 + 1:02d}",
                "points": [vars(point("Q4_0", 90, 0.3, model=f"m{i}"))],
            }
        }
        for i in range(50)
    ]
    assert pictures.KIND.whole
    made = pictures.KIND.whole(facts, Site(), nobody)
    page = str(made["pictures/index.html"])
    assert page.count("<circle") == pictures.DRAWN_MODELS and "The data has 10 more." in page
    assert str(made["pictures/loss-by-size.csv"]).count("\n") == 51
    assert "There are no charts yet" in str(pictures.KIND.whole([], Site(), nobody)["pictures/index.html"])
