"""The KLD curve as a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

from zoo.judge import curve
from zoo.judge.divergence import Divergence, Window

SVG = "{http://www.w3.org/2000/svg}"


def candidate(scale: float) -> dict[str, Any]:
    kld = scale * np.random.default_rng(3).gamma(0.4, size=500)
    ones = np.ones(500)
    divergence = Divergence([("en", Window(kld, ones, ones, ones / 2, ones / 4, kld < 1))])
    return {**divergence.summary(), "curve": divergence.curve()}


def evaluation(**scales: float) -> dict[str, Any]:
    found = {name: candidate(scale) for name, scale in scales.items()}
    return {"reference_type": "F16", "rule": {"window_tokens": 64}, "candidates": found}


def test_the_curve_says_in_which_share_the_kld_is_greater() -> None:
    kld = np.random.default_rng(3).gamma(0.4, size=500)
    points = candidate(1.0)["curve"]
    for point in points:
        assert abs((kld > point["kld_nats"]).mean() - point["share_above"]) <= 1 / 500
    assert [point["kld_nats"] for point in points] == sorted(point["kld_nats"] for point in points)


def test_the_picture_names_every_file_worst_first_and_is_the_same_every_time() -> None:
    drawn = curve.svg(evaluation(Q8_0=0.01, Q4_0=1.0, **{"<odd>": 0.1}))
    assert drawn == curve.svg(evaluation(Q8_0=0.01, Q4_0=1.0, **{"<odd>": 0.1}))
    root = ElementTree.fromstring(drawn)
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts[-3:] == ["Q4_0", "<odd>", "Q8_0"]
    assert "F16 at 500 positions" in (root.findtext(f"{SVG}title") or "")
    # Each file has its own line, and a sample of it next to its name.
    strokes = [(e.get("stroke"), e.get("stroke-dasharray")) for e in root.iter(f"{SVG}path")]
    assert len({stroke for stroke in strokes if stroke[0]}) == 3


def test_worse_files_lie_further_right() -> None:
    def end(scale: float) -> float:
        paths = ElementTree.fromstring(curve.svg(evaluation(a=1.0, b=scale))).iter(f"{SVG}path")
        lines = [path.get("d") or "" for path in paths if path.get("stroke")]
        return float(lines[1].rpartition("L")[2].split()[0])

    assert end(1e-3) < end(0.1) < end(2.0)


def test_a_file_without_loss_can_be_drawn_and_nothing_cannot() -> None:
    assert "<path" in curve.svg(evaluation(same=0.0))
    with pytest.raises(ValueError, match="no file"):
        curve.svg(evaluation())
