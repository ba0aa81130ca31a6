"""What zoo watch says of a hub that wants a token, and that only the catalog names."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import TOKEN, Start, token_file
from test_watch import released
from test_yanks import settings as settings
from test_yanks import zoo as zoo

from catalog import index
from zoo import catalogfile
from zoo.__main__ import main
from zoo.settings import Settings

pytest_plugins = ("hubserving",)
pytestmark = pytest.mark.usefixtures("online")


@pytest.mark.parametrize("recorded", ["private", None])
@pytest.mark.parametrize("has_token", [True, False], ids=["token", "none"])
def test_the_command_that_approves_the_hub_is_named(
    has_token: bool, recorded: str | None, zoo: Path, settings: Settings, start: Start, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    released(zoo, settings, "1.0.0")
    address = start(token_file(tmp_path, "write"), folder=zoo / "build/hub").address
    catalog = catalogfile.read_catalog(settings.catalog, "x")
    (model,) = catalog.models
    (one,) = model.releases
    place = dataclasses.replace(one.location, hub=address, access=recorded)
    there = dataclasses.replace(model, releases=(dataclasses.replace(one, location=place),))
    settings.catalog.write_text(index.to_text(dataclasses.replace(catalog, models=(there,))), encoding="utf-8")
    monkeypatch.chdir(zoo)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NO_COLOR", "1")
    if has_token:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert main(["watch", "--no-upstream"]) == 1
    command, said = f"zoo hub trust {address}", capsys.readouterr()
    report = json.loads((settings.evidence / "watch.json").read_text(encoding="utf-8"))
    (unchecked,) = report["unchecked"]
    assert command in unchecked["why"] and command in said.err and TOKEN not in said.out + said.err
    assert ("Set HF_TOKEN" in unchecked["why"]) is not has_token
    assert "DRIFT" not in said.out
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert main(command.split()[1:]) == 0
    code = main(["watch", "--no-upstream"])
    assert (code == 0) is (recorded is None), capsys.readouterr()
