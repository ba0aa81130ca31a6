"""Measurements that other people share: what a report says about itself."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from evidencesamples import shared

from catalog import reports
from catalog.reports import Measurement


def read(folder: Path, report: object, name: str = "ada.json") -> Measurement | list[str]:
    path = folder / name
    path.write_text(report if isinstance(report, str) else json.dumps(report, indent=1), encoding="utf-8")
    found = reports.read(path, f"reports/{name}")
    return found if isinstance(found, Measurement) else [str(one) for one in found]


def test_a_sound_report_is_a_speed_with_its_measurer(tmp_path: Path) -> None:
    found = read(tmp_path, shared("  Ada \n Lovelace "))
    assert isinstance(found, Measurement)
    speed = found.speed
    assert (speed.by, speed.device, speed.decode_tokens_per_second) == ("Ada Lovelace", "pi-5-8gb", 40)
    assert (found.speed.evidence, found.file_sha256, found.speed.valid) == ("reports/ada.json", "b" * 64, True)


def test_a_machine_without_a_label_is_named_by_its_board(tmp_path: Path) -> None:
    found = read(tmp_path, shared(label=None))
    assert isinstance(found, Measurement)
    assert found.speed.device == "Raspberry Pi 5"


def _changed(*path: Any, to: Any) -> dict[str, Any]:
    report = copy.deepcopy(shared())
    part: Any = report
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    return report


@pytest.mark.parametrize(
    ("report", "place", "words"),
    [
        ({**shared(), "valid": False, "reasons": ["busy"]}, "valid", "the run is not valid: busy"),
        (_changed("valid", to=False), "reasons", ""),
        (_changed("samples", to=shared()["samples"][:3]), "samples", "the list has 3 entries. Write at least 5"),
        (_changed("summary", "decode_tokens_per_second", "median", to=400.0),
         "summary.decode_tokens_per_second.median", "400 is not the median of the samples, 40"),
        (_changed("measured_by", to=""), "measured_by", ""),
        (_changed("measured_by", to="A\x1b[2Jda"), "measured_by", "it has control characters"),
        (_changed("device", "label", to="pi\x9b2J"), "device.label", "it has control characters"),
        (_changed("measured_by", to=" "), "measured_by", ""),
        (_changed("measured_by", to="w" * 10_000), "measured_by", ""),
        (_changed("summary", "load_seconds", to=-1), "summary.load_seconds", ""),
        (_changed("device", to={**shared()["device"], "label": None, "board_model": " ", "cpu_model": None}),
         "device.label", "the device is not described"),
        ({k: v for k, v in shared().items() if k != "measured_by"}, "(file)", "it is not known who measured"),
        ("[]", "(file)", ""),
        ("{", "(file)", "not valid JSON"),
        ('{"a": NaN}', "(file)", "not valid JSON"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, report: Any, place: str, words: str) -> None:
    found = read(tmp_path, report)
    assert isinstance(found, list)
    assert found[0].startswith("reports/ada.json:")
    assert f": {place}: {words}" in found[0]
    if place != "(file)":
        assert not found[0].startswith("reports/ada.json:1:1:"), found[0]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    found = read(tmp_path, json.dumps(shared()) + " " * 10_000_000)
    assert found == [
        "reports/ada.json:1:1: (file): the report cannot be read: it is larger than 1 MiB. "
        "Share the JSON file that pi_runtime bench wrote."
    ]


@pytest.mark.parametrize("name", ["a b.json", "<b>.json", ".hidden.json", "ada.csv", "w" * 200 + ".json", "ä.json"])
def test_only_plain_names_are_taken(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, shared(), name)
    assert isinstance(found, list)
    assert "this is not a good name for a report" in found[0]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text(json.dumps(shared()))
    (tmp_path / "ada.json").symlink_to(tmp_path / "there.json")
    found = reports.read(tmp_path / "ada.json", "reports/ada.json")
    assert isinstance(found, list)
    assert found[0].what == "the file is a link"
