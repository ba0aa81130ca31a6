"""Measurements that other people share, from the folder to the pages: named, linked, used, and harmless."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from evidencesamples import shared
from sitesamples import HOSTILE, sample
from test_site import Shortened, follow_every_link, make_zoo

from zoo import errors, settings, site
from zoo.__main__ import main
from zoo.progress import Silent

pytest.importorskip("mkdocs")
pytest.importorskip("material")

MODEL = "smollm2-135m-instruct"
FILE = next(file for file in sample().models[0].releases[0].files if file.type == "Q4_0")


def share(zoo: settings.Settings, name: str, *, version: str = "1.0.0", **named: Any) -> Path:
    """Put a report into the evidence folder of a version."""
    report = shared(**{"sha256": FILE.sha256, **named})
    report["file"]["size_bytes"] = FILE.size_bytes
    path = zoo.evidence / MODEL / version / "reports" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> site.SiteReport:
    """A site with three reports about one file by two people, one of them hostile."""
    zoo = make_zoo(tmp_path_factory.mktemp("shared"), sample())
    share(zoo, "ada.json", speed=41.0)
    share(zoo, "ada-again.json", speed=40.0)
    share(zoo, "eve.json", by=HOSTILE[:80], speed=39.0, board_model=HOSTILE, cpu_model=HOSTILE)
    return site.build(zoo, Silent())


def page(built: site.SiteReport, path: str) -> str:
    """A page without the quotes of its attributes, of which the builder drops those that HTML does not need."""
    return (built.folder / path / "index.html").read_text(encoding="utf-8").replace('"', "")


def test_pages_name_who_measured_and_link_to_all_samples(built: site.SiteReport) -> None:
    model, board = page(built, f"models/{MODEL}"), page(built, "boards/pi-5-8gb")
    evidence = page(built, f"models/{MODEL}/1.0.0/evidence/speed")
    assert "Measured by 2 people" in model
    assert "Measured by 2 people" in board
    words = re.sub(r"<[^>]*>", "", model)
    assert "41.0 tokens/s on Raspberry Pi 5, 8 GB, 4 threads, by Ada" in words
    assert f"models/{MODEL}/1.0.0/evidence/speed/#reports-ada>evidence</a>" in board
    assert "id=reports-ada" in evidence
    assert "<dt>Measured by<dd><bdi>Ada</bdi>" in evidence
    assert (built.folder / f"evidence/{MODEL}/1.0.0/reports/ada.json").is_file()
    assert "Measured by" not in page(built, "boards/pi-4-4gb")
    follow_every_link(built)


def test_the_fastest_measurement_is_what_is_chosen_from(built: site.SiteReport) -> None:
    data = json.loads((built.folder / "chooser.json").read_text(encoding="utf-8"))
    words, columns = data["words"], data["speeds"]
    mine = {(words[by], speed) for by, speed in zip(columns["by"], columns["speed"], strict=True) if words[by]}
    assert {("Ada", 41.0), ("Ada", 40.0)} < mine
    assert ", by Ada" in page(built, f"models/{MODEL}"), "the table of devices shows the measured speed"


def test_hostile_names_stay_text(built: site.SiteReport) -> None:
    for path in built.folder.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        read = Shortened(html)
        scripts = [given for tag, given in read.tags if tag == "script"]
        assert all("src" in given or given.get("type") == "application/json" for given in scripts), path
        assert not [name for _, given in read.tags for name in given if name.startswith("on")], path
        assert "\u202e" not in html, path


def test_a_report_that_cannot_be_true_stops_the_build_with_its_line(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, sample())
    share(zoo, "eve.json", speed=4000.0)
    with pytest.raises(errors.InputError, match=r"reports/eve\.json:\d\d+:\d+: summary\.decode_tokens_per_second"):
        site.build(zoo, Silent())


def test_one_more_report_is_seen_by_the_next_build(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, sample())
    assert "Measured by" not in page(site.build(zoo, Silent()), "boards/pi-5-8gb")
    path = share(zoo, "ada.json")
    assert "Measured by 1 person" in page(site.build(zoo, Silent()), "boards/pi-5-8gb")
    path.unlink()
    assert "Measured by" not in page(site.build(zoo, Silent()), "boards/pi-5-8gb")


def test_check_and_pick_know_shared_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = make_zoo(tmp_path, sample())
    share(zoo, "ada.json", speed=41.0)
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 0
    capsys.readouterr()
    assert main(["pick", f"{MODEL}@1.0.0", "--device", "pi-5-8gb", "--tolerance", "1"]) == 0
    assert "measured 41.0 tokens/s on Raspberry Pi 5, 8 GB, 4 threads, by Ada" in capsys.readouterr().out
    share(zoo, "eve.json", sha256="c" * 64)
    share(zoo, "old.json", version="9.9.9")
    (zoo.evidence / MODEL / "1.0.0" / "reports" / "notes.txt").write_text("hello")
    assert main(["check"]) == 2
    said = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in said] == ["file.sha256", "(file)", "(file)"]
    assert f"site/evidence/{MODEL}/9.9.9/reports/old.json:1:1: (file): the catalog has no {MODEL} 9.9.9" in said[2]
    assert main(["check", f"site/evidence/{MODEL}/1.0.0/reports/ada.json"]) == 0
