"""The command ``zoo watch``: its report, its words and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_watch import GGUF, commit, released
from test_yanks import settings as settings
from test_yanks import zoo as zoo

from catalog import index, schema
from zoo.__main__ import main
from zoo.settings import Settings


def test_the_command_writes_the_report_and_says_drift_with_code_3(
    zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo)
    assert main(["watch"]) == 1
    assert "there is nothing to watch" in capsys.readouterr().err
    released(zoo, settings, "1.0.0")
    assert main(["watch", "--no-upstream"]) == 0
    assert "9 files of 1 release were served as recorded" in capsys.readouterr().out.lower()
    data = json.loads((settings.evidence / "watch.json").read_text(encoding="utf-8"))
    assert schema.violations(data, "watch-v1") == []
    commit(zoo, GGUF, "weights of 9.9.9")
    catalog = settings.catalog.read_bytes()
    assert main(["watch", "--no-upstream", "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["badge"]["state"] == "drift" and answer["findings"][0]["path"] == GGUF
    assert main(["watch", "--no-upstream"]) == 3
    assert "DRIFT smollm2-135m-instruct 1.0.0: on the branch of local/tutor-gguf" in capsys.readouterr().out
    assert settings.catalog.read_bytes() == catalog
    (zoo / "build" / "hub").rename(zoo / "away")
    assert main(["watch", "--no-upstream"]) == 1
    assert "could not be checked" in capsys.readouterr().err


def test_a_mirror_that_could_not_be_checked_is_code_1(
    zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    released(zoo, settings, "1.0.0")
    data = json.loads(settings.catalog.read_text(encoding="utf-8"))
    release = data["models"][0]["releases"][0]
    release["mirrors"] = [{**release["location"], "hub": "http://127.0.0.1:9"}]
    catalog, _ = index.parse(json.dumps(data), "x")
    assert catalog
    settings.catalog.write_text(index.to_text(catalog), encoding="utf-8")
    assert main(["watch", "--no-upstream"]) == 1
    assert "could not be checked: smollm2-135m-instruct 1.0.0 (mirror on http://127.0.0.1:9)" in capsys.readouterr().err
