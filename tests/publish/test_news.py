"""What is new in a version: on the card, in the commit and in the tag, over a folder and over HTTP."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
import yaml
from publishsamples import serving

from catalog import placeholders
from catalog.index import Catalog
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.hub import FolderHub
from zoo.site import pages
from zoo.upkeep import banner

pytest.importorskip("llama_cpp")

WORDS = ["Answers <b>shorter</b>.", "Reads French."]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with version 1.0.0 of ``plain`` in a folder hub."""
    return tinyzoo.released_zoo(tmp_path_factory.mktemp("news"))


@pytest.fixture
def zoo(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(released, tmp_path / "zoo")
    monkeypatch.chdir(tmp_path / "zoo")
    return tmp_path / "zoo"


def change(zoo: Path, **changes: Any) -> None:
    path = zoo / "recipes/plain.yaml"
    tinyzoo.write_recipe(zoo, {**yaml.safe_load(path.read_text(encoding="utf-8")), **changes})


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def card(zoo: Path, version: str) -> str:
    return (zoo / f"build/releases/plain/{version}/model/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("way", ["folder", "http"])
def test_card_commit_tag_and_catalog_say_what_is_new(
    way: str, zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "## What is new" not in card(zoo, "1.0.0")
    change(zoo, version="1.1.0", notes=WORDS)
    if way == "folder":
        _release(capsys)
    else:
        with serving(zoo, monkeypatch) as address:
            _release(capsys, "--hub", address)
    model = catalogfile.read_model(settings_room.load(zoo, {}, {}), "plain")
    assert model
    news = model.releases[0].news
    assert news and news.words == tuple(WORDS) and news.since == "1.0.0"
    assert news.changes[0].startswith("Same weights, other words in the header: ")
    assert model.releases[1].news is None

    text = card(zoo, "1.1.0")
    assert "## What is new\n\n- Answers &lt;b&gt;shorter&lt;/b&gt;.\n- Reads French.\n\nChanges since 1.0.0:" in text
    lines = [f"- {sentence}" for sentence in news.changes]
    folder = FolderHub(zoo / "build/hub").repo("model", "tiny", "plain-gguf").folder
    moves = [json.loads(line) for line in (folder / "refs.log").read_text(encoding="utf-8").splitlines()]

    def evidence(*place: str) -> bytes | None:
        path = zoo.joinpath("site/evidence", *place)
        return path.read_bytes() if path.is_file() else None

    files = pages.render(Catalog((model,)), pages.Site(), evidence)
    page, feed = str(files["models/plain/index.html"]), str(files["feed.atom"])
    for words in ("Answers &lt;b&gt;shorter&lt;/b&gt;.", "Reads French.", news.changes[0][:40]):
        assert words in page and words in feed, words
    tag = next(move for move in moves if move["ref"] == "tags/v1.1.0")
    message = "\n".join(["plain 1.1.0", "", *(f"- {one}" for one in WORDS), "", "Changes since 1.0.0:", *lines])
    assert tag["message"] == message
    repo = FolderHub(zoo / "build/hub").repo("model", "tiny", "plain-gguf")
    commit = repo.refs().tags["v1.1.0"]
    assert repo.body(commit)["message"] == message
    assert repo.history(commit, None)[0].title == "plain 1.1.0"
    # A lost commit is written again, message and all.
    (folder / "commits" / f"{commit}.json").unlink()
    if way == "folder":
        code, out, err = call(capsys, "publish", "plain", "--repair")
        assert code == 0 and f"restored: commit {commit[:12]}" in out, err
        assert repo.body(commit)["message"] == message


def _release(capsys: pytest.CaptureFixture[str], *more: str) -> None:
    code, _, err = call(capsys, "release", "plain", *more)
    assert code == 0, err
    code, out, err = call(capsys, "release", "plain", *more)
    assert (code, "was released before" in out) == (0, True), err
    assert "so nothing is built" not in err, "the identity of the folder does not depend on the version itself"


def test_the_same_version_before_gives_the_same_bytes(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(zoo, version="1.1.0", notes=WORDS)
    assert call(capsys, "build", "plain")[0] == 0
    first = tinyzoo.tree(zoo / "build/releases/plain/1.1.0/model")
    shutil.rmtree(zoo / "build/releases/plain/1.1.0")
    assert call(capsys, "build", "plain")[0] == 0
    assert tinyzoo.tree(zoo / "build/releases/plain/1.1.0/model") == first
    # Without that version in the catalog, it is a first version: another folder.
    (zoo / "model_catalog.json").unlink()
    assert call(capsys, "build", "plain")[0] == 0
    assert "Changes since" not in card(zoo, "1.1.0") and "- Reads French.\n" in card(zoo, "1.1.0")


def test_notes_of_another_version_are_refused(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(zoo, version="1.1.0", notes=WORDS)
    assert call(capsys, "release", "plain")[0] == 0
    change(zoo, version="1.2.0")
    for command in ("release", "build"):
        code, _, err = call(capsys, command, "plain")
        assert code == 2 and "the notes of plain 1.2.0 are those of 1.1.0" in err
        assert "Write under `notes:` what is new in this version" in err
    change(zoo, notes=[])
    assert call(capsys, "build", "plain")[0] == 0


def test_the_placeholder_of_a_new_recipe_is_built_but_not_published(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(zoo, summary=placeholders.SUMMARY)
    code, _, said = call(capsys, "card", "plain")
    assert code == 2 and "summary: this is placeholder text" in said
    change(zoo, version="1.1.0")
    before = tinyzoo.tree(zoo / "build/hub")
    code, _, said = call(capsys, "release", "plain")
    assert code == 2 and "summary: this is placeholder text" in said and "Nothing was made" in said
    code, _, said = call(capsys, "build", "plain")
    assert code == 0 and "summary: this is placeholder text" in said
    for how in ((), ("--stage",), ("--dry-run",)):
        code, _, said = call(capsys, "publish", "plain", *how)
        assert code == 2 and "summary: this is placeholder text" in said and "Nothing was published" in said
    assert tinyzoo.tree(zoo / "build/hub") == before
    change(zoo, summary="A tiny model.")
    assert call(capsys, "release", "plain")[0] == 0


def test_notes_can_be_corrected(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(zoo, version="1.1.0", notes=WORDS)
    assert call(capsys, "release", "plain")[0] == 0
    change(zoo, notes=["Answers shorter."])
    code, _, err = call(capsys, "card", "plain", "--publish")
    assert code == 0, err
    repo = FolderHub(zoo / "build/hub").repo("model", "tiny", "plain-gguf")
    with repo.open(repo.refs().branches["main"], "README.md") as stream:
        now = banner.take_off(stream.read().decode())
    assert "## What is new\n\n- Answers shorter.\n\nChanges since 1.0.0:" in now
    assert "Other words for notes." in now


def test_notes_are_checked(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(zoo, notes=["x" * 301])
    code, out, _ = call(capsys, "check", "recipes/plain.yaml")
    assert code == 2 and "notes" in out
    change(zoo, notes=["Use hf_" + "a1B2" * 9])
    code, out, _ = call(capsys, "check", "recipes/plain.yaml")
    assert code == 2 and "token" in out
