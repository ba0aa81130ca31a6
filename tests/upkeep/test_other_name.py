"""A folder hub and the address that serves it are one hub: the same commits are recognized under either name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from releasedzoo import call, repo
from releasedzoo import released as released
from releasedzoo import zoo as zoo

from zoo.files.digests import pretty_json

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")


@pytest.fixture(params=["recorded as a folder", "recorded over HTTP"])
def other(request: pytest.FixtureRequest, zoo: Path) -> str:
    """The other name of the hub that the catalog records."""
    address = str(request.getfixturevalue("start")(folder=zoo / "build/hub").address)
    catalog = zoo / "model_catalog.json"
    data = json.loads(catalog.read_text())
    data["models"] = [one for one in data["models"] if one["name"] == "plain"]
    if request.param == "recorded over HTTP":
        place = data["models"][0]["releases"][0]["location"]
        place["hub"], place["model"]["commit"] = address, place["model"]["commit"][:40]
        (zoo / "zoo.toml").write_text((zoo / "zoo.toml").read_text() + f'hub = "{address}"\n')
    catalog.write_text(pretty_json(data))
    return "build/hub" if request.param == "recorded over HTTP" else address


def test_nothing_differs_under_the_other_name(other: str, zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = (zoo / "model_catalog.json").read_bytes()
    assert call(capsys, "yank", "plain@1.0.0", "--reason", "It never stops.", "--hub", other)[0] == 0
    assert call(capsys, "unyank", "plain@1.0.0", "--reason", "It stops.", "--hub", other)[0] == 0
    (zoo / "model_catalog.json").write_bytes(catalog)
    for command in (("watch", "--no-upstream"), ("watch", "--no-upstream", "--full"), ("verify", "plain", "--on-hub"),
                    ("pull", "plain:Q8_0", "--to", "got"), ("publish", "plain", "--repair")):  # fmt: skip
        code, out, err = call(capsys, *command, "--hub", other)
        assert code == 0, f"{command}: {out}{err}"
    assert "Nothing to repair" in out and (zoo / "model_catalog.json").read_bytes() == catalog


def test_what_is_lost_is_repaired_under_the_other_name(
    other: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = (zoo / "model_catalog.json").read_bytes()
    (repo(zoo).folder / "refs/tags/v1.0.0").rename(repo(zoo).folder / "away")
    code, out, _ = call(capsys, "watch", "--no-upstream", "--hub", other)
    assert code == 3 and f"zoo publish plain --repair --hub {other}" in out
    (repo(zoo).folder / "away").rename(repo(zoo).folder / "refs/tags/v1.0.0")
    for path in (zoo / "build/hub/objects").rglob("*"):
        if path.is_file() and path.stat().st_size < 2000:
            path.unlink()
    code, out, err = call(capsys, "publish", "plain", "--repair", "--hub", other)
    assert code == 0 and "sent again" in out, out + err
    assert call(capsys, "watch", "--no-upstream", "--full")[0] == 0
    assert (zoo / "model_catalog.json").read_bytes() == catalog


def test_a_hub_without_the_commits_is_told_how_it_is_recorded(
    other: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (zoo / "empty").mkdir()
    name = "empty" if other == "build/hub" else other
    if name == other:
        (zoo / "build/hub/repos/model").rename(zoo / "away")
    code, _, err = call(capsys, "publish", "plain", "--repair", "--hub", name)
    assert code == 2 and f"zoo publish plain --mirror --hub {name}" in err and "(instead)" in err
