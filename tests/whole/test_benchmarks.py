"""Comparisons in pairs, with made-up sides, clock and watch: ratios, validity, the document, exit codes."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import InputError, ZooError

ROOT = Path(__file__).resolve().parents[2]

# The benchmarks belong to the repository, not to the source distribution.
pairs = pytest.importorskip("benchmarks.pairs")
COMPARE = pairs.compare  # stays the real one where a test puts a made-up one in its place


class Clock:
    """Does not advance until a side lets time pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def side(self, name: str, *seconds: float, log: list[str] | None = None, **returned: Any) -> Any:
        """A side that takes these seconds in turn, over and over."""
        runs = 0

        def run() -> Mapping[str, Any]:
            nonlocal runs
            self.now += seconds[runs % len(seconds)]
            runs += 1
            if log is not None:
                log.append(name)
            return returned

        return pairs.Side(name, run)


class FakeWatch:
    def __init__(self, share: float | None = 0.0) -> None:
        self.share = share

    def others(self) -> float | None:
        return self.share


def comparison(a: Any, b: Any, **more: Any) -> Any:
    settings = {"target": pairs.Target("ratio", at_most=0.5), "warmups": 0, **more}
    return pairs.Comparison("made_up", "Which one?", a, b, **settings)


def compared(made: Any, count: int, clock: Clock, share: float | None = 0.0) -> dict[str, Any]:
    document: dict[str, Any] = COMPARE(
        made, count, lambda _line: None, clock=clock, watching=lambda: FakeWatch(share)
    )
    return document


def steady(share: float | None = 0.0, count: int = 5, **more: Any) -> dict[str, Any]:
    clock = Clock()
    return compared(comparison(clock.side("a", 1.0), clock.side("b", 4.0), **more), count, clock, share)


def test_the_result_is_the_median_of_the_ratios_inside_each_pair() -> None:
    clock = Clock()
    made = comparison(clock.side("a", 1.0, 2.0, 3.0, 4.0, 5.0), clock.side("b", 10.0))
    document = compared(made, 5, clock)
    assert [pair["ratio"] for pair in document["pairs"]] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert document["ratio"]["median"] == pytest.approx(0.3)
    assert document["ratio"]["lower_quartile"] == pytest.approx(0.2)
    assert document["ratio"]["upper_quartile"] == pytest.approx(0.4)
    assert document["ratio"]["spread"] == pytest.approx(2 / 3)
    assert document["a"]["wall_seconds"]["median"] == pytest.approx(3.0)


def test_tokens_per_second_are_compared_when_that_is_the_figure() -> None:
    clock = Clock()
    sides = (clock.side("a", 2.0, tokens=100), clock.side("b", 4.0, tokens=80))
    document = compared(comparison(*sides, figure="tokens_per_second"), 5, clock)
    assert document["pairs"][0]["a"] == {"wall_seconds": 2.0, "tokens": 100, "tokens_per_second": 50.0}
    assert document["ratio"]["median"] == pytest.approx(2.5)
    assert document["b"]["tokens_per_second"]["median"] == pytest.approx(20.0)


def test_a_side_may_bring_its_own_figure() -> None:
    clock = Clock()
    sides = (clock.side("a", 9.0, rows_per_second=3.0), clock.side("b", 1.0, rows_per_second=6.0))
    assert compared(comparison(*sides, figure="rows_per_second"), 5, clock)["ratio"]["median"] == 0.5


def test_the_order_alternates_and_warm_ups_are_not_counted() -> None:
    clock, log = Clock(), list[str]()
    made = comparison(clock.side("a", 1.0, log=log), clock.side("b", 1.0, log=log), warmups=2)
    document = compared(made, 3, clock)
    assert log == ["a", "b", "a", "b", *("a", "b"), *("b", "a"), *("a", "b")]
    assert [pair["ran_first"] for pair in document["pairs"]] == ["a", "b", "a"]


def test_a_busy_warm_up_is_reported_immediately() -> None:
    clock, said = Clock(), list[str]()
    made = comparison(clock.side("a", 1.0), clock.side("b", 1.0), warmups=1)
    pairs.compare(made, 1, said.append, clock=clock, watching=lambda: FakeWatch(0.3))
    assert any("before the samples, other processes used 30%" in line for line in said)


def test_a_quiet_run_is_valid() -> None:
    document = steady()
    assert document["valid"] is True
    assert document["reasons"] == []


@pytest.mark.parametrize(
    ("share", "reason"),
    [(0.06, "other processes used 6%"), (None, "could not be read")],
)
def test_others_make_a_run_invalid(share: float | None, reason: str) -> None:
    document = steady(share)
    assert document["valid"] is False
    assert reason in document["reasons"][0]


def test_too_few_pairs_make_a_run_invalid() -> None:
    assert steady(count=4)["reasons"] == ["4 of the 5 required pairs"]
    assert steady(pairs_minimum=15)["reasons"] == ["5 of the 15 required pairs"]


def test_a_single_pair_has_no_spread() -> None:
    document = steady(count=1)
    assert document["ratio"]["spread"] is None
    assert document["reasons"] == ["1 of the 5 required pairs"]


def test_scattered_ratios_make_a_run_invalid_unless_the_comparison_allows_them() -> None:
    clock = Clock()
    made = comparison(clock.side("a", 1.0, 1.4, 1.0, 1.4, 1.0), clock.side("b", 4.0))
    assert "spread over 40%" in compared(made, 5, clock)["reasons"][0]
    assert compared(replace(made, spread_maximum=0.5), 5, clock)["valid"] is True


def test_every_reason_is_reported() -> None:
    clock = Clock()
    made = comparison(clock.side("a", 1.0, 3.0), clock.side("b", 4.0))
    assert len(compared(made, 4, clock, 0.5)["reasons"]) == 3


def test_the_document_has_its_parts_and_no_local_path(tmp_path: Path) -> None:
    document = json.loads(json.dumps(steady(packages=("click", "no-such-package")), allow_nan=False))
    assert set(document) == {
        *("schema", "name", "question", "measured_at_utc", "valid", "reasons", "thresholds", "figure"),
        *("ratio", "a", "b", "target", "pairs", "settings", "versions", "machine", "conditions", "method"),
    }
    assert set(document["pairs"][0]) == {"number", "ran_first", "a", "b", "ratio"}
    assert set(document["conditions"]) == {"before", "after", "others_cpu_share"}
    assert {"python", "model-zoo-publisher", "click", "no-such-package"} == set(document["versions"])
    assert document["versions"]["no-such-package"] is None
    assert {"cpu_model", "cores"} <= set(document["machine"])
    assert str(tmp_path.parents[-2]) not in json.dumps(document)


@pytest.mark.parametrize(
    ("target", "reached", "median"),
    [
        (("ratio", 0.5, None), True, 0.25),
        (("ratio", 0.2, None), False, 0.25),
        (("ratio", None, 0.9), False, 0.25),
        (("ratio", None, 0.25), True, 0.25),
        (("a", 2.0, None), True, 1.0),
        (("a", 0.5, None), False, 1.0),
    ],
)
def test_the_target_is_judged_by_a_median(
    target: tuple[str, float | None, float | None], reached: bool, median: float
) -> None:
    found = steady(target=pairs.Target(*target))["target"]
    assert (found["reached"], found["median"]) == (reached, median)
    assert found["of"] == ("ratio" if target[0] == "ratio" else "a.wall_seconds")


def test_a_ratio_to_nothing_is_refused() -> None:
    with pytest.raises(ZooError, match="no ratio"):
        pairs.ratio({"tokens": 1.0}, {"tokens": 0.0}, "tokens")


def test_a_clock_that_does_not_advance_is_refused() -> None:
    clock = Clock()
    with pytest.raises(ZooError, match="did not advance"):
        compared(comparison(clock.side("a", 0.0), clock.side("b", 1.0)), 1, clock)


Run = Callable[..., tuple[int, Path]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``pairs.main`` over made-up sides: its exit code, and where --out was to be written."""

    def call(share: float = 0.0, count: str = "5", error: Exception | None = None) -> tuple[int, Path]:
        clock, out = Clock(), tmp_path / "new" / "result.json"
        made = comparison(clock.side("a", 1.0), clock.side("b", 4.0))
        monkeypatch.setattr(pairs, "compare", lambda *given: compared(given[0], given[1], clock, share))

        @contextmanager
        def prepare(_arguments: argparse.Namespace, _say: Any) -> Iterator[Any]:
            if error:
                raise error
            yield made

        arguments = pairs.parser("made_up", "", 7).parse_args(["--pairs", count, "--out", str(out)])
        return pairs.main(arguments, prepare), out

    return call


def test_a_valid_run_ends_with_0_and_writes_what_it_prints(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = run()
    printed = capsys.readouterr()
    assert code == 0
    assert json.loads(printed.out)["valid"] is True
    assert out.read_text(encoding="utf-8") == printed.out
    assert "target is reached" in printed.err


@pytest.mark.parametrize(("share", "count"), [(0.2, "5"), (0.0, "2")])
def test_a_disturbed_run_ends_with_1_and_still_prints(
    run: Run, capsys: pytest.CaptureFixture[str], share: float, count: str
) -> None:
    code, out = run(share, count)
    printed = capsys.readouterr()
    assert code == 1
    assert json.loads(printed.out)["valid"] is False
    assert json.loads(out.read_text(encoding="utf-8"))["reasons"]
    assert "do not count" in printed.err


def test_what_cannot_be_measured_is_a_sentence_and_no_document(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = run(error=InputError("there is no zoo here"))
    printed = capsys.readouterr()
    assert (code, printed.out, printed.err) == (2, "", "there is no zoo here.\n")
    assert not out.exists()


@pytest.mark.parametrize("count", ["0", "-3", "many"])
def test_a_senseless_number_of_pairs_is_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        pairs.parser("made_up", "", 5).parse_args(["--pairs", count])
    assert stopped.value.code == 2
    assert "--pairs" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    ("help_time", "first_word", "noop_release", "labelling", "kd_step", "fused_loss", "teacher_cache", "decode",
     "ladder", "calibration", "asking", "coverage", "teacher_tune",
     "teacher_corpus"),
)  # fmt: skip
def test_every_benchmark_says_how_it_is_used(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    with pytest.raises(SystemExit) as stopped:
        module.main(["--help"])
    assert stopped.value.code == 0
    assert f"python -m benchmarks.{name}" in capsys.readouterr().out


def test_both_ways_of_a_loss_do_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    fused_loss = importlib.import_module("benchmarks.fused_loss")
    for name, value in {"VOCABULARY": 300, "WIDTH": 16, "TOP_K": 8}.items():
        monkeypatch.setattr(fused_loss, name, value)
    lesson = fused_loss.Lesson(5, "trained")
    assert lesson.run("chunked") == pytest.approx(lesson.run("together"), rel=1e-5)
    small = {**fused_loss.NEAR, "positions": 8, "vocabulary": 512, "width": 64}
    monkeypatch.setattr(fused_loss, "NEAR", small)
    found = fused_loss.gradient()
    assert found["reached"] and found["a"] < 0.2 * found["b"], "one rounds the logits to 16 bits, the other does not"


def test_tokens_are_counted_up_to_the_end_of_their_row() -> None:
    generated = importlib.import_module("benchmarks.labelling").generated
    assert generated([5, 6, 2, 0, 0], frozenset({0, 2})) == 2
    assert generated([5, 6, 7], frozenset({0, 2})) == 3
    assert generated([2], frozenset({2})) == 0


def test_programs_below_this_one_are_its_own_while_they_live() -> None:
    """A grandchild, as the processes of a browser are."""
    busy = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ntime.sleep(60)"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    chooser = importlib.import_module("benchmarks.chooser")
    before = chooser.tree_cpu_seconds()
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, start_new_session=True) as child:
        try:
            assert child.stdout
            child.stdout.readline()
            assert chooser.tree_cpu_seconds() - before >= 0.45
        finally:
            os.killpg(child.pid, signal.SIGKILL)


def test_the_published_quality_of_redaction_is_what_the_program_has() -> None:
    pytest.importorskip("phonenumbers")
    quality = importlib.import_module("benchmarks.redaction_quality")
    kept = json.loads((ROOT / "benchmarks/results/redaction_quality.json").read_bytes())
    theirs = kept.pop("presidio")
    assert kept == json.loads(json.dumps(quality.document())) and kept["kept"]
    assert theirs["records_sha256"] == kept["records_sha256"], "Presidio looked at other records"
