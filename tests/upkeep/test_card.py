"""Corrected cards: only README.md changes, every figure stays, and the correction is on record."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from releasedzoo import call, card_at, change, model_of, repo
from releasedzoo import released as released
from releasedzoo import served as served
from releasedzoo import zoo as zoo

from catalog.recipe import Recipe
from catalog.release import Correction, Model
from zoo import settings as settings_room
from zoo.errors import ZooError
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub, connect
from zoo.progress import unheard
from zoo.upkeep import banner, correct, correction

REASON = "A <b>word</b> was wrong."
ENTRY = Correction("1.0.0", "2026-11-28", REASON, ("summary",), "0" * 64, "1" * 64, "corrections/x.md")
CARD = "---\nlicense: mit\n---\n# plain\n\nWords.\n"


# --- Pure


def test_a_card_tells_of_its_corrections_and_of_nothing_without_any() -> None:
    assert correction.with_section(CARD, "1.0.0", ()) == CARD
    card = correction.with_section(CARD, "1.0.0", (ENTRY,))
    assert card.startswith(CARD) and card.count(correction.TITLE) == 1
    assert card.endswith("- 2026-11-28: A &lt;b&gt;word&lt;/b&gt; was wrong. (changed: summary)\n")
    model = Model("a", "b", "chat", (), (), (), (), ())
    assert banner.take_off(banner.put(card, model)) == card


def test_words_and_everything_else_are_told_apart(zoo: Path) -> None:
    before = recipe_of(zoo)
    change(zoo, summary="Another summary of it.", bad_at=["sums"], licence="MIT", version="2.0.0")
    assert correction.changed(before, recipe_of(zoo)) == (("bad_at", "summary"), ("licence", "version"))
    assert correction.changed(before, before) == ((), ())


def recipe_of(zoo: Path) -> Recipe:
    recipe = correct.recipe_of(zoo / "recipes/plain.yaml", settings_room.load(zoo, {}, {})).recipe
    assert recipe
    return recipe


# --- The command


@pytest.mark.parametrize("way", ["folder", "http"])
def test_only_the_card_on_the_branch_changes(
    way: str, zoo: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if way == "http":
        request.getfixturevalue("served")
    tags, files = dict(repo(zoo).refs().tags), repo(zoo).tree(repo(zoo).refs().branches["main"])
    old, release = card_at(zoo, "main"), model_of(zoo).releases
    change(zoo, summary="Words that a reader understands.", good_at=["tests"])
    text = (zoo / "model_catalog.json").read_bytes()
    code, out, err = call(capsys, "card", "plain")
    assert code == 0, err
    assert "+Words that a reader understands." in out and "zoo card plain --publish" in out
    assert (card_at(zoo, "main"), (zoo / "model_catalog.json").read_bytes()) == (old, text)

    code, out, err = call(capsys, "card", "plain", "--publish", "--reason", "The summary was not clear.")
    assert code == 0, err
    assert "Only README.md changed." in out
    card = card_at(zoo, "main")
    assert "Words that a reader understands." in card and "- tests\n" in card
    assert "The summary was not clear. (changed: good\\_at, summary)" in card.replace("good_at", "good\\_at")
    # Figures: every table row of the released card is on the new one.
    rows = [line for line in old.split("\n") if line.startswith("|")]
    assert rows and [line for line in card.split("\n") if line.startswith("|")] == rows
    assert (card_at(zoo, "v1.0.0"), dict(repo(zoo).refs().tags)) == (old, tags)
    now = repo(zoo).tree(repo(zoo).refs().branches["main"])
    assert {path for path in files | now if files.get(path) != now.get(path)} == {"README.md"}

    model = model_of(zoo)
    assert model.releases == release and model.summary == "Words that a reader understands."
    assert model.corrections
    (entry,) = model.corrections
    assert (entry.reason, entry.fields) == ("The summary was not clear.", ("good_at", "summary"))
    assert entry.card_sha256 == hashlib.sha256(card.encode()).hexdigest()
    assert (zoo / "site/evidence/plain/1.0.0" / entry.evidence).read_text() == card
    assert call(capsys, "check", "model_catalog.json")[0] == 0

    # Again: nothing. Other words: one more line.
    head = repo(zoo).refs().branches["main"]
    for words in (("--reason", "The summary was not clear."), (), ("--reason", "Another reason for the same words.")):
        code, out, _ = call(capsys, "card", "plain", "--publish", *words)
        assert (code, "Nothing to do" in out) == (0, True)
    assert repo(zoo).refs().branches["main"] == head and model_of(zoo) == model
    change(zoo, summary="Words that every reader understands.")
    assert call(capsys, "card", "plain", "--publish")[0] == 0
    assert "Other words for good" in card_at(zoo, "main") and "The summary was not clear." in card_at(zoo, "main")
    assert len(model_of(zoo).corrections or ()) == 2


def test_without_other_words_there_is_nothing_to_correct(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = repo(zoo).refs().branches["main"]
    path = zoo / "recipes/plain.yaml"
    path.write_text("# A remark.\n" + path.read_text())
    code, out, _ = call(capsys, "card", "plain", "--publish")
    assert (code, repo(zoo).refs().branches["main"]) == (0, head) and "has these words already" in out
    assert model_of(zoo).corrections is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"licence": "MIT"}, "in more than the words of the card: licence"),
        ({"languages": ["fr"]}, "in more than the words of the card: languages"),
        ({"version": "2.0.0"}, "plain 2.0.0 is not published"),
        ({"summary": "short"}, "plain.yaml is not valid"),
    ],
)
def test_what_is_not_a_correction_is_refused(
    changes: dict[str, Any], said: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, text = repo(zoo).refs().branches["main"], (zoo / "model_catalog.json").read_bytes()
    change(zoo, **changes)
    code, _, err = call(capsys, "card", "plain", "--publish")
    assert code == 2 and said in err and "Nothing was changed." in err
    assert (repo(zoo).refs().branches["main"], (zoo / "model_catalog.json").read_bytes()) == (head, text)


def test_the_notice_of_a_withdrawn_version_stays(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "yank", "plain@1.0.0", "--reason", "It never stops.")[0] == 0
    change(zoo, summary="Words that a reader understands.")
    code, _, err = call(capsys, "card", "plain", "--publish")
    assert code == 0, err
    assert "was withdrawn" in card_at(zoo, "main") and "Words that a reader understands." in card_at(zoo, "main")
    assert call(capsys, "unyank", "plain@1.0.0", "--reason", "It does.")[0] == 0
    (entry,) = model_of(zoo).corrections or ()
    assert hashlib.sha256(banner.take_off(card_at(zoo, "main")).encode()).hexdigest() == entry.card_sha256


def test_someone_elses_card_is_kept_unless_asked(zoo: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    theirs = tmp_path / "README.md"
    theirs.write_text(card_at(zoo, "main") + "\nTheir words.\n")
    from zoo.files.listing import FileRecord

    record = FileRecord("README.md", theirs.stat().st_size, hashlib.sha256(theirs.read_bytes()).hexdigest())
    repo(zoo).put(theirs, record.sha256, lambda _: None)
    repo(zoo).commit(repo(zoo).refs().branches["main"], [record], [], "theirs")
    change(zoo, summary="Words that a reader understands.")
    code, _, err = call(capsys, "card", "plain", "--publish")
    assert code == 2 and "someone else changed it" in err and "Their words." in card_at(zoo, "main")
    assert model_of(zoo).corrections is None
    assert call(capsys, "card", "plain", "--publish", "--force")[0] == 0
    assert "Their words." not in card_at(zoo, "main")


def test_interrupted_between_catalog_and_hub_the_same_command_continues(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(zoo, summary="Words that a reader understands.")

    def broken(*_: object) -> None:
        raise ZooError("the hub went away")

    killed = zoo / "site/evidence/plain/1.0.0/corrections/.card.md.abc.tmp"
    killed.parent.mkdir()
    killed.touch()
    with monkeypatch.context() as patched:
        patched.setattr(correct, "commit_card", broken)
        code, _, err = call(capsys, "card", "plain", "--publish", "--reason", "Not clear.")
    assert code == 1 and "The catalog has the correction" in err and not killed.exists()
    text = (zoo / "model_catalog.json").read_bytes()
    code, out, _ = call(capsys, "card", "plain", "--publish", "--reason", "Not clear.")
    assert code == 0 and "Only README.md changed." in out
    assert (zoo / "model_catalog.json").read_bytes() == text
    assert "Not clear." in card_at(zoo, "main")


def test_mirrors_are_corrected_too_and_later_if_they_are_away(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    pytest.importorskip("huggingface_hub.constants")
    from zoo.hub.huggingface import client
    from zoo.hub.server import Access, HubServer

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(zoo / "no-token"))
    monkeypatch.setattr(client, "PAUSES_SECONDS", (0.0, 0.0))
    shutil.copytree(zoo / "build/hub", zoo / "build/mirror")
    server = HubServer(zoo / "build/mirror", "127.0.0.1", 0, Access({}, anonymous_write=True))
    catalog = json.loads((zoo / "model_catalog.json").read_text())
    release = catalog["models"][0]["releases"][0]
    release["mirrors"] = [{**release["location"], "hub": server.address}]
    (zoo / "model_catalog.json").write_text(json.dumps(catalog, indent=2, ensure_ascii=False) + "\n")
    change(zoo, summary="Words that a reader understands.")
    # Nobody answers at the mirror yet.
    server.server_close()
    code, _, err = call(capsys, "card", "plain", "--publish")
    assert code == 0 and "is not corrected yet" in err and "Words that a reader" in card_at(zoo, "main")
    again = HubServer(zoo / "build/mirror", "127.0.0.1", server.server_address[1], Access({}, anonymous_write=True))
    threading.Thread(target=again.serve_forever, args=(0.02,), daemon=True).start()
    try:
        text = (zoo / "model_catalog.json").read_bytes()
        code, _, err = call(capsys, "card", "plain", "--publish")
        assert (code, "is not corrected yet" in err) == (0, False), err
        assert (zoo / "model_catalog.json").read_bytes() == text
        mirror = FolderHub(zoo / "build/mirror").repo("model", "tiny", "plain-gguf")
        with mirror.open(mirror.refs().branches["main"], "README.md") as stream:
            assert stream.read().decode() == card_at(zoo, "main")
    finally:
        again.shutdown()
        again.server_close()
        huggingface_hub.close_session()


def test_a_corrected_version_stays_released(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recipe differs from the released one now, but only by the words that the correction recorded."""
    change(zoo, summary="Words that a reader understands.")
    code, _, err = call(capsys, "release", "plain")
    assert code == 1 and "is already released from a different recipe" in err and "zoo card plain" in err
    assert call(capsys, "card", "plain", "--publish")[0] == 0
    head = repo(zoo).refs().branches["main"]
    for command in ("release", "publish"):
        code, out, err = call(capsys, command, "plain")
        assert (code, "was released before" in out) == (0, True), err
    assert repo(zoo).refs().branches["main"] == head and not (zoo / "build/work/locks").exists()
    # Other words again: not recorded, so not released.
    change(zoo, summary="Words that nobody published.")
    code, _, err = call(capsys, "release", "plain")
    assert code == 1 and "zoo card plain" in err
    # A folder that no longer is the release does not count.
    change(zoo, summary="Words that a reader understands.")
    record = zoo / "build/releases/plain/1.0.0/release.json"
    record.write_text(record.read_text().replace('"date": "2026', '"date": "2027'))
    assert call(capsys, "release", "plain")[0] == 1


def test_the_collection_gets_the_new_summary(
    zoo: Path, served: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (zoo / "zoo.toml").open("a") as stream:
        stream.write('collection = "Models of the north"\n')
    assert call(capsys, "collection", "--hub", served)[0] == 0
    change(zoo, summary="Words that a reader understands.")
    assert call(capsys, "card", "plain", "--publish")[0] == 0
    shelf = connect(served, zoo).collections("tiny")
    assert shelf
    notes = {one.name: one.note for one in shelf.find()[0].entries}
    assert notes["tiny/plain-gguf"] == "Words that a reader understands."
    assert "is up to date" in call(capsys, "collection", "--dry-run")[1]


def test_the_card_of_another_zoos_repository_is_not_corrected(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has the same version, other files, and none of the recorded commits."""
    there, files = repo(zoo), []
    listed = json.dumps({"name": "plain", "version": "1.0.0", "files": []})
    for path, text in (("MANIFEST.json", listed), ("README.md", card_at(zoo, "main") + "Theirs.\n")):
        (zoo / "content").write_text(text)
        files.append(FileRecord(path, len(text.encode()), hashlib.sha256(text.encode()).hexdigest()))
        there.put(zoo / "content", files[-1].sha256, unheard)
    shutil.rmtree(there.folder)
    there.tag("v1.0.0", there.commit(None, files, [], "plain 1.0.0"))
    before, catalog = there.refs(), (zoo / "model_catalog.json").read_bytes()
    change(zoo, summary="Words that a reader understands.")
    for words in ((), ("--publish",), ("--publish", "--force")):
        code, out, err = call(capsys, "card", "plain", *words)
        assert code == 1 and "tiny/plain-gguf at build/hub is not the recorded repository" in err, out + err
    assert there.refs() == before and (zoo / "model_catalog.json").read_bytes() == catalog
