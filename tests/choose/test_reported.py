"""Speeds that other people share: about a file of the release, possible, used instead of predictions, not averaged."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from evidencesamples import shared
from sitesamples import sample

from catalog import device as devices
from catalog import reports
from catalog.release import Model, Release
from catalog.reports import Measurement
from zoo.choose import reported, speeds

MODEL = sample().models[0]
RELEASE = MODEL.releases[0]
FILE = next(file for file in RELEASE.files if file.type == "Q4_0")


def measured(folder: Path, name: str = "ada", size: int = FILE.size_bytes, **named: Any) -> Measurement:
    report = shared(**{"sha256": FILE.sha256, **named})
    report["file"]["size_bytes"] = size
    path = folder / f"{name}.json"
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    found = reports.read(path, path.name)
    assert isinstance(found, Measurement), found
    return found


def said(one: Measurement, release: Release = RELEASE) -> list[str]:
    return [str(problem) for problem in reported.problems(one, release)]


def joined(*some: Measurement) -> Model:
    return reported.joined(MODEL, {RELEASE.version: some})


def words_on(model: Model, device_id: str) -> str:
    device = devices.find(device_id)
    assert device
    release = model.releases[0]
    file = next(one for one in release.files if one.type == FILE.type)
    return speeds.speed_of(file, release.architecture, device, 2048).words


def test_a_plausible_report_has_no_problem(tmp_path: Path) -> None:
    assert said(measured(tmp_path)) == []


@pytest.mark.parametrize(
    ("named", "place", "words"),
    [
        ({"sha256": "c" * 64}, "file.sha256", "no file of this version has this digest"),
        ({"size": 5}, "file.size_bytes", "the file has 91,742,720 bytes, not 5"),
        ({"speed": 4000.0}, "summary.decode_tokens_per_second.median", "The measured 4,000.0 tokens/s is implausible"),
        ({"speed": 1e9, "label": None}, "summary.decode_tokens_per_second.median", "no machine reads the weights"),
        ({"speed": 1e9, "label": "my-board"}, "summary.prompt_tokens_per_second.median", "no processor reads"),
        ({"label": "pi-zero-2", "speed": 2.0}, "", ""),
    ],
)
def test_what_cannot_be_true_is_refused_with_its_line(
    tmp_path: Path, named: dict[str, Any], place: str, words: str
) -> None:
    found = said(measured(tmp_path, **named))
    if not place:
        assert found == []
        return
    mine = [one for one in found if f": {place}: {words}" in one]
    assert mine, found
    assert not mine[0].startswith("ada.json:1:"), "it names the line of the figure"


def test_more_memory_than_the_device_has_is_refused(tmp_path: Path) -> None:
    one = measured(tmp_path)
    assert one.speed.peak_memory_bytes
    report = json.loads(one.content)
    report["summary"]["peak_memory_bytes"] = 20 * 2**30
    (tmp_path / "x.json").write_text(json.dumps(report))
    large = reports.read(tmp_path / "x.json", "x.json")
    assert isinstance(large, Measurement)
    assert "Raspberry Pi 5, 8 GB has less memory than that" in said(large)[0]


def test_a_measured_speed_replaces_the_prediction_on_its_board_and_its_kin(tmp_path: Path) -> None:
    assert words_on(MODEL, "pi-5-8gb").startswith("predicted ")
    model = joined(measured(tmp_path, speed=41.0))
    assert words_on(model, "pi-5-8gb") == "measured 41.0 tokens/s on Raspberry Pi 5, 8 GB, 4 threads, by Ada"
    assert "(same processor), 4 threads, by Ada" in words_on(model, "pi-5-4gb")
    assert words_on(model, "pi-4-4gb").startswith("predicted ")


def test_several_reports_are_never_averaged(tmp_path: Path) -> None:
    model = joined(measured(tmp_path, speed=41.0), measured(tmp_path, "bob", by="Bob", speed=44.0))
    assert words_on(model, "pi-5-8gb") == "measured 44.0 tokens/s on Raspberry Pi 5, 8 GB, 4 threads, by Bob"
    mine = next(one for one in model.releases[0].files if one.type == FILE.type).speeds
    assert [one.decode_tokens_per_second for one in mine] == [41.0, 44.0]
    assert reports.people(mine) == 2


def test_a_report_with_a_problem_is_not_used(tmp_path: Path) -> None:
    wrong: Sequence[Measurement] = [measured(tmp_path, speed=4000.0), measured(tmp_path, "bob", sha256="c" * 64)]
    assert joined(*wrong).releases == MODEL.releases
