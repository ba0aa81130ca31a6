"""The store of benchmark reports: torn and foreign lines, kills, imports twice, merges of git."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import benchruns
import pytest

from catalog import history as formats
from catalog import schema
from zoo.cli.init import _ATTRIBUTES
from zoo.errors import InputError, ZooError
from zoo.history import store, tracks

NAME = benchruns.NAME


def lines(count: int, start: int = 0) -> list[dict[str, object]]:
    reports = (benchruns.report(start + day, 40 + day / 100) for day in range(count))
    return [formats.run_line(report, model=NAME, type_="Q8_0") for report in reports]


def ids(evidence: Path) -> list[str]:
    return [run.id for run in store.read(evidence, benchruns.model()).runs]


def test_a_report_that_is_there_is_not_added_again(tmp_path: Path) -> None:
    some = lines(3)
    assert vars(store.add(tmp_path, NAME, some)) == {"model": NAME, "added": 3, "known": 0}
    before = store.path_of(tmp_path, NAME).read_bytes()
    assert store.add(tmp_path, NAME, some).added == 0
    assert store.path_of(tmp_path, NAME).read_bytes() == before
    assert all(not schema.violations(json.loads(line), "bench-history-v1") for line in before.splitlines())
    # Who measured it does not make it another run.
    shared = formats.run_line({**benchruns.report(0, 40.0), "measured_by": "Ada"}, model=NAME)
    assert store.add(tmp_path, NAME, [shared]).added == 0


def test_all_samples_and_runs_that_are_not_valid_are_kept(tmp_path: Path) -> None:
    report = benchruns.report(0, 40, valid=False)
    store.add(tmp_path, NAME, [formats.run_line(report, model=NAME)])
    (run,) = store.read(tmp_path, benchruns.model()).runs
    assert run.report == report and not run.valid and run.reasons == tuple(report["reasons"])
    assert run.samples["decode_tokens_per_second"] == tuple(
        one["decode_tokens_per_second"] for one in report["samples"]
    )


def test_a_writer_that_is_killed_loses_its_torn_line_alone(tmp_path: Path) -> None:
    store.add(tmp_path, NAME, lines(4))
    path, rng = store.path_of(tmp_path, NAME), random.Random(1)
    whole = path.read_bytes()
    everything = ids(tmp_path)
    for _ in range(200):
        cut = rng.randrange(len(whole) + 1)
        path.write_bytes(whole[:cut])
        complete = whole[:cut].count(b"\n") + (cut > 0 and whole[cut : cut + 1] == b"\n")
        found = store.read(tmp_path, benchruns.model())
        assert [run.id for run in found.runs] == everything[:complete]
        torn = cut > 0 and whole[cut - 1 : cut] != b"\n" and whole[cut : cut + 1] != b"\n"
        assert [one.why for one in found.aside] == (["it is incomplete"] if torn else [])
        # The next writer keeps every byte.
        store.add(tmp_path, NAME, lines(1, start=50))
        assert path.read_bytes().startswith(whole[:cut]) and len(ids(tmp_path)) == complete + 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"garbage", "Expecting value"),
        (b'{"schema":"other/1","kind":"run","id":"' + b"0" * 16 + b'"}', ""),
        (b"[]", ""), (b"\xff\xfe", "not UTF-8"), (b'{"a":NaN}', "NaN"), (b"[" * 5000, "nested"),
    ],
)  # fmt: skip
def test_a_foreign_line_is_set_aside_with_its_number(line: bytes, why: str, tmp_path: Path) -> None:
    store.add(tmp_path, NAME, lines(3))
    path = store.path_of(tmp_path, NAME)
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, line, b"\n", *rest]))
    found = store.read(tmp_path, benchruns.model())
    assert len(found.runs) == 3 and [one.number for one in found.aside] == [2] and why in found.aside[0].why


def test_a_line_whose_figures_were_edited_is_set_aside(tmp_path: Path) -> None:
    store.add(tmp_path, NAME, lines(2))
    path = store.path_of(tmp_path, NAME)
    path.write_bytes(path.read_bytes().replace(b'"size_bytes":144811264', b'"size_bytes":144811265', 1))
    found = store.read(tmp_path, benchruns.model())
    assert len(found.runs) == 1 and found.aside[0].why == "its id is not the digest of its report"


def test_two_branches_merge_without_a_conflict(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        named = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *named, *words], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / ".gitattributes").write_text(_ATTRIBUTES, encoding="utf-8")
    evidence = tmp_path / "site/evidence"
    store.add(evidence, NAME, lines(2))
    for words in (("init", "-b", "main"), ("add", "."), ("commit", "-m", "a"), ("checkout", "-b", "other")):
        git(*words)
    store.add(evidence, NAME, lines(2, start=10))
    git("commit", "-am", "b")
    git("checkout", "main")
    store.add(evidence, NAME, lines(3, start=20))
    git("commit", "-am", "c")
    git("merge", "other", "-m", "d")
    found = store.read(evidence, benchruns.model())
    assert len(found.runs) == 7 and not found.aside
    assert [run.at_utc for run in found.runs] == sorted(run.at_utc for run in found.runs)


def test_reports_of_the_evidence_folder_belong_to_the_history(tmp_path: Path) -> None:
    folder = tmp_path / NAME / "1.0.0"
    (folder / "reports").mkdir(parents=True)
    (folder / "bench-Q8_0.json").write_text(json.dumps(benchruns.report(1, 40)), encoding="utf-8")
    shared = {**benchruns.report(2, 41), "measured_by": "Ada"}
    (folder / "reports/ada.json").write_text(json.dumps(shared), encoding="utf-8")
    (folder / "bench-Q4_0.json").write_text("{", encoding="utf-8")
    store.add(tmp_path, NAME, [formats.run_line(shared, model=NAME)])
    assert len(ids(tmp_path)) == 2
    (track,) = tracks.tracks(store.read(tmp_path, benchruns.model()))
    assert (track.type, track.device, len(track.points)) == ("Q8_0", "pi-5-8gb", 2)


def test_what_cannot_be_imported_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"{}", b"garbage", b"\x00\xff"):
        (tmp_path / "given").write_bytes(content)
        with pytest.raises(InputError, match="neither a benchmark report nor a history"):
            store.given(tmp_path / "given", None)
    with pytest.raises(InputError, match="cannot be read"):
        store.given(tmp_path, None)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    store.path_of(tmp_path, NAME).mkdir()
    with pytest.raises((ZooError, OSError)):
        store.add(tmp_path, NAME, lines(1))
