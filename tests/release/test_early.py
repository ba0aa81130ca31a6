"""A release stops at the first step whose figure misses a gate, whatever the gate reads."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import pytest
import tinyzoo

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")

from catalog.metrics import METRICS
from catalog.recipe import Gate
from zoo import commandline
from zoo.errors import GateRefused
from zoo.plan import prepare
from zoo.plan.store import Workspace
from zoo.release import early
from zoo.settings import load
from zoo.stages.artifact import Artifact


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with both recipes released; only read."""
    return tinyzoo.released_zoo(tmp_path_factory.mktemp("early"))


def first_refusal(zoo: Path, gate: Gate) -> tuple[str, str]:
    """The step after which a release of ``tutored`` with only this gate stops, and why; empty if none does."""
    settings = load(zoo, {}, {"ZOO_THREADS": "1"})
    planned = prepare.make_plan("tutored", settings)
    recipe = dataclasses.replace(planned.recipe, gates=(gate,))
    made: dict[str, Artifact] = {}
    for step in planned.plan.steps:
        finished = Workspace(settings.work).finished(step.key)
        assert finished, step.id
        made[step.id] = finished
        try:
            command = functools.partial(commandline.line, settings)
            early.refuse(recipe, planned.plan, made, [one.id for one in planned.plan.steps], command)
        except GateRefused as refused:
            return step.id, refused.what.splitlines()[-1]
    return "", ""


@pytest.mark.parametrize("name", METRICS)
def test_a_missed_gate_stops_the_release_once_its_figure_is_known(name: str, whole: Path) -> None:
    metric = METRICS[name]
    # Of the last file nothing would be saved.
    file = "F16" if metric.of_file and not metric.against_export else None
    is_low = metric.better == "lower"
    step, why = first_refusal(whole, Gate(name, file, -1.0 if is_low else None, None if is_low else 1e9))
    known = {"file": "export", "probe": "probe/F16", "benchmark": "benchmark/F16"}
    assert step == known.get(metric.stage, metric.stage) != ""
    measured = "has no valid measurement" not in why
    if metric.stage != "benchmark":  # on a busy machine a speed is not valid
        unused = metric.needs.startswith("probes.") and metric.needs not in ("probes.arithmetic", "probes.pairs_fr")
        assert measured is not unused
    if name == "size_bytes":
        size = (whole / "build/releases/tutored/1.0.0/model/tutored-F16.gguf").stat().st_size
        assert f"size_bytes of F16 is {size:.6g};" in why
    if name == "smoke_passed":
        assert why.startswith("  smoke_passed of F16 is 1;")
    if measured:
        assert first_refusal(whole, Gate(name, file, 1e12 if is_low else None, None if is_low else -1.0)) == ("", "")
