"""Commands to continue with repeat what the user asked, and work; why a build is not the one of here and now."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from releasedzoo import call, change
from releasedzoo import released as released
from releasedzoo import zoo as zoo

from zoo.hub.huggingface import client
from zoo.plan import world

pytest_plugins = ["hubserving"]
TOOL = "llama-cpp-python"


@pytest.fixture
def built_elsewhere(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with an unpublished release that another machine built, with another version of a tool."""
    (zoo / "model_catalog.json").unlink()
    shutil.rmtree(zoo / "build/hub")
    installed = world.version
    monkeypatch.setattr(world, "version", lambda name: installed(name) + (".post1" if name == TOOL else ""))
    return zoo


def named(text: str, before: str) -> list[str]:
    """The words of the command after some words."""
    found = re.search(rf"{before} zoo (.+?)(?:\. |\.?$)", text, re.MULTILINE)
    assert found, text
    return shlex.split(found[1])


@pytest.mark.usefixtures("built_elsewhere")
def test_another_build_is_named_with_its_reason_and_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("publish", "plain", "--verify", "full", "--hub", "other hub")
    code, _, err = call(capsys, *asked)
    assert code == 1 and "plain 1.0.0 is not built as it would be here and now" in err
    assert "build/releases/plain/1.0.0 has another build: step " in err and f"would be made again: {TOOL} " in err
    command = named(err, "To take that build as it is:")
    assert command == ["publish", "plain", "--verify", "full", "--as-built", "--hub", "other hub"]
    assert named(err, "To build it again:") == ["build", "plain", "--hub", "other hub"]
    assert call(capsys, *command)[0] == 0


def test_other_reasons(built_elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "sign", "plain", "--key", "my key.pem", "--namespace", "other")
    assert code == 1 and "its files are for another namespace than other" in err and "--as-built" not in err
    recipe = built_elsewhere / "recipes/plain.yaml"
    recipe.write_text(recipe.read_text() + "# more\n")
    code, _, err = call(capsys, "publish", "plain")
    assert code == 1 and "it was built from another recipe" in err and "Build it with: zoo build plain" in err
    (built_elsewhere / "build/releases/plain/1.0.0/model/README.md").unlink()
    assert "files of it are missing or damaged" in call(capsys, "publish", "plain")[2]
    shutil.rmtree(built_elsewhere / "build/releases/plain")
    assert "plain 1.0.0 is not built. Build it with: zoo build plain" in call(capsys, "publish", "plain")[2]


@pytest.mark.usefixtures("built_elsewhere", "online")
def test_every_option_is_repeated(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSES_SECONDS", ())
    kept = ["publish", "plain", "--as-built", "--delete-others", "--verify", "full"]
    for way in ([], ["--stage"], ["--stage-readable"]):
        asked = [*kept, *way, "--hub", "http://127.0.0.1:9"]
        code, _, err = call(capsys, *asked)
        assert code == 1 and named(err, "Continue with:") == asked


@pytest.mark.parametrize("harm", ["gone", "shorter", "other bytes", "a link"])
def test_a_damaged_release_folder_is_made_again_with_the_name_and_the_options(
    harm: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (zoo / "model_catalog.json").unlink()
    shutil.rmtree(zoo / "build/hub")
    path = zoo / "build/releases/plain/1.0.0/model/MANIFEST.json"
    raw = path.read_bytes()
    path.unlink()
    if harm in ("shorter", "other bytes"):
        path.write_bytes(raw[:-1] + (b" " if harm == "other bytes" else b""))
    elif harm == "a link":
        (zoo / "manifest").write_bytes(raw)
        path.symlink_to(zoo / "manifest")
    code, _, err = call(capsys, "publish", "plain", "--hub", "other hub", "--as-built")
    # Without a file, or with one of another length, the release is not taken for one at all.
    again = "zoo build plain --hub 'other hub'"
    named = again if harm in ("gone", "shorter") else f"rm -r build/releases/plain/1.0.0 && {again}"
    assert code == 1 and named in err
    assert not (zoo / "other hub").exists()


def test_a_key_that_cannot_sign_is_refused_before_anything_is_built(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("model_signing")
    change(zoo, version="2.0.0")
    code, _, err = call(capsys, "release", "plain", "--sign-key", "nothere.pem")
    assert code == 2 and "nothere.pem: the key cannot be read" in err and "Name the file of the key" in err
    assert not (zoo / "build/work").exists() and "steps to run" not in err
