"""Corrected cards of datasets: only the words for people who ask for access, and every place learns of them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from publishsamples import serving
from releasedzoo import call
from releasedzoo import released as released
from releasedzoo import served as served
from releasedzoo import zoo as zoo

from catalog.release import Model
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.errors import ZooError
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub
from zoo.release import cards
from zoo.upkeep import correct, correction

PROMPT = "Say: what is it for? <b>We</b> answer in two days."


def word(zoo: Path, prompt: str, **changes: Any) -> None:
    path = zoo / "recipes/tutored.yaml"
    recipe = yaml.safe_load(path.read_text())
    recipe["publish"]["gate_prompt"] = prompt
    path.write_text(yaml.safe_dump(recipe | changes, sort_keys=False))


def repo(zoo: Path, kind: str = "dataset", hub: str = "build/hub") -> Any:
    return FolderHub(zoo / hub).repo(kind, "tiny", "tutored-prompts" if kind == "dataset" else "tutored-gguf")


def card(zoo: Path, kind: str = "dataset", at: str = "main", hub: str = "build/hub") -> str:
    one = repo(zoo, kind, hub)
    with one.open(one.refs().branches.get(at) or one.refs().tags[at], "README.md") as stream:
        return str(stream.read().decode())


def model(zoo: Path) -> Model:
    found = catalogfile.read_model(settings_room.load(zoo, {}, {}), "tutored")
    assert found
    return found


def put(zoo: Path, text: str) -> None:
    """Somebody commits another card of the dataset."""
    path, raw = zoo / "card.md", text.encode()
    path.write_bytes(raw)
    record = FileRecord("README.md", len(raw), hashlib.sha256(raw).hexdigest())
    repo(zoo).put(path, record.sha256, lambda _: None)
    repo(zoo).commit(repo(zoo).refs().branches["main"], [record], [], "theirs")


def findings(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    _, out, err = call(capsys, "watch", "--no-upstream", "--json")
    told = json.loads(out)
    assert "findings" in told, err + out
    return [(one["kind"], one["repository"]) for one in told["findings"] if one["name"] == "tutored"]


@pytest.mark.parametrize("way", ["folder", "http"])
def test_both_cards_get_the_words_for_people_who_ask(
    way: str, zoo: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if way == "http":
        request.getfixturevalue("served")
    old, tags = card(zoo), dict(repo(zoo).refs().tags)
    files = repo(zoo).tree(repo(zoo).refs().branches["main"])
    word(zoo, PROMPT, summary="Words that a reader understands.")
    code, out, err = call(capsys, "card", "tutored")
    assert code == 0, err
    assert "+++ README.md of the dataset" in out and out.count(f"+extra_gated_prompt: '{PROMPT}'") == 2
    assert card(zoo) == old

    code, out, err = call(capsys, "card", "tutored", "--publish", "--reason", "Nobody knew how long it takes.")
    assert code == 0, err
    assert "its dataset tiny/tutored-prompts (commits " in out and "Only README.md changed." in out
    new = card(zoo)
    assert cards.read_card(new, "README.md", "dataset")[0]["extra_gated_prompt"] == PROMPT
    assert "Nobody knew how long it takes. (changed: publish.gate_prompt)" in new and "summary" not in new
    # All other lines are the released ones.
    body, _, _ = new.partition(f"\n{correction.TITLE}")
    assert body.replace(f"extra_gated_prompt: '{PROMPT}'\n", "") == old
    now = repo(zoo).tree(repo(zoo).refs().branches["main"])
    assert {path for path in files | now if files.get(path) != now.get(path)} == {"README.md"}
    assert (card(zoo, at="v1.0.0"), dict(repo(zoo).refs().tags)) == (old, tags)

    ((entry,), (other,)) = model(zoo).corrected("dataset"), model(zoo).corrected("model")
    assert (entry.fields, other.fields) == (("publish.gate_prompt",), ("publish.gate_prompt", "summary"))
    assert entry.card_sha256 == hashlib.sha256(new.encode()).hexdigest() and other.kind is None
    assert (zoo / "site/evidence/tutored/1.0.0" / entry.evidence).read_text() == new
    assert call(capsys, "check", "model_catalog.json")[0] == 0
    assert findings(capsys) == []

    known, head = model(zoo), repo(zoo).refs().branches["main"]
    code, out, _ = call(capsys, "card", "tutored", "--publish")
    assert (code, "Nothing to do" in out, "have these words already" in out) == (0, True, True)
    assert (model(zoo), repo(zoo).refs().branches["main"]) == (known, head)


def test_watch_finds_a_lost_correction_and_repair_brings_it_back(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = card(zoo)
    word(zoo, PROMPT)
    assert call(capsys, "card", "tutored", "--publish")[0] == 0
    new = card(zoo)
    put(zoo, old)
    assert findings(capsys) == [("card", "tiny/tutored-prompts")]
    code, out, err = call(capsys, "publish", "tutored", "--repair")
    assert code == 0 and "card of tiny/tutored-prompts, with its correction" in out + err
    assert card(zoo) == new and findings(capsys) == []
    # Words of others are found, and stay.
    put(zoo, new + "Mine.\n")
    assert findings(capsys) == [("card", "tiny/tutored-prompts")]
    assert call(capsys, "publish", "tutored", "--repair")[0] == 0 and card(zoo).endswith("Mine.\n")
    word(zoo, PROMPT + " Or three.")
    code, _, err = call(capsys, "card", "tutored", "--publish")
    assert code == 2 and "README.md on the branch of tiny/tutored-prompts has a correction that the catalog here" in err
    assert call(capsys, "card", "tutored", "--publish", "--force")[0] == 0
    assert "Or three." in card(zoo) and "Mine." not in card(zoo)


def test_a_mirror_that_is_made_later_has_both_corrected_cards(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    word(zoo, PROMPT)
    assert call(capsys, "card", "tutored", "--publish")[0] == 0
    shutil.move(zoo / "build/hub", zoo / "build/first")
    with serving(zoo, monkeypatch) as address:
        code, _, err = call(capsys, "publish", "tutored", "--mirror", "--hub", address)
        assert code == 0, err
        for kind in ("model", "dataset"):
            assert PROMPT in card(zoo, kind) and card(zoo, kind) == card(zoo, kind, hub="build/first")


def test_after_an_interruption_the_same_command_corrects_the_dataset(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZooError("the hub went away")

    word(zoo, PROMPT)
    with monkeypatch.context() as patched:
        patched.setattr(correct.datacard, "commit_card", broken)
        code, _, err = call(capsys, "card", "tutored", "--publish")
    assert code == 1 and "The catalog has the correction" in err
    assert PROMPT in card(zoo, "model") and PROMPT not in card(zoo)
    known = model(zoo)
    code, out, _ = call(capsys, "card", "tutored", "--publish")
    assert code == 0 and "Only README.md changed." in out
    assert PROMPT in card(zoo) and model(zoo) == known


# --- A newer program, other people, other places, the next version


def newer_program(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """As if the text of the card were another one since the release."""
    real = cards.dataset_card
    monkeypatch.setattr(cards, "dataset_card", lambda *words: real(*words).replace(old, new))


def test_the_text_around_the_figures_is_written_again(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, head = card(zoo), repo(zoo).refs().branches["main"]
    assert call(capsys, "card", "tutored", "--publish")[0] == 0
    assert repo(zoo).refs().branches["main"] == head, "the same program writes the same card"
    newer_program(monkeypatch, "nobody checked them.", "no person checked them.")
    code, out, err = call(capsys, "card", "tutored", "--publish", "--reason", "Another word for something else.")
    assert code == 0 and "its dataset tiny/tutored-prompts" in out, err
    body, _, told = card(zoo).partition(f"\n{correction.TITLE}")
    assert body == old.replace("nobody checked them.", "no person checked them.")
    assert "The text around the figures was improved." in told and "something else" not in told
    assert model(zoo).corrected("dataset")[0].fields == () and findings(capsys) == []
    # Words of the recipe come to the new text.
    word(zoo, PROMPT)
    assert call(capsys, "card", "tutored", "--publish")[0] == 0
    assert "no person checked them." in card(zoo) and PROMPT in card(zoo) and len(model(zoo).corrected("dataset")) == 2


@pytest.mark.parametrize("old", ["| train | 8 |", "records: 8"])
def test_no_correction_changes_a_figure(
    old: str, zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = card(zoo)
    assert old in before
    newer_program(monkeypatch, old, old.replace("8", "9"))
    word(zoo, PROMPT)
    assert call(capsys, "card", "tutored", "--publish")[0] == 0
    assert old in card(zoo) and PROMPT in card(zoo)


def test_without_the_evidence_only_the_words_change(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    newer_program(monkeypatch, "nobody checked them.", "no person checked them.")
    (zoo / "site/evidence/tutored/1.0.0/dataset-report.json").unlink()
    shutil.rmtree(zoo / "build/releases")
    word(zoo, PROMPT)
    assert call(capsys, "card", "tutored", "--publish")[0] == 0
    assert PROMPT in card(zoo) and "nobody checked them." in card(zoo)


def test_force_replaces_what_somebody_else_wrote(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = card(zoo)
    put(zoo, "Mine.\n")
    assert ("card", "tiny/tutored-prompts") in findings(capsys)
    assert call(capsys, "card", "tutored", "--publish")[0] == 0 and card(zoo) == "Mine.\n"
    code, _, err = call(capsys, "card", "tutored", "--publish", "--force")
    assert code == 0 and card(zoo) == old and findings(capsys) == [], err
    assert not model(zoo).corrections, "the words of this zoo were right all the time"


def test_a_move_takes_the_corrected_card_along(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    word(zoo, PROMPT)
    assert call(capsys, "card", "tutored", "--publish")[0] == 0
    shutil.move(zoo / "build/hub", zoo / "build/first")
    with serving(zoo, monkeypatch) as address:
        code, _, err = call(capsys, "publish", "tutored", "--move", "--hub", address)
        assert code == 0 and "someone else" not in err, err
        for kind in ("model", "dataset"):
            assert PROMPT in card(zoo, kind) and card(zoo, kind) == card(zoo, kind, hub="build/first")
        assert findings(capsys) == []
        word(zoo, PROMPT + " Or three.")
        code, _, err = call(capsys, "card", "tutored", "--publish", "--hub", address)
        assert code == 0 and "Or three." in card(zoo) and "Or three." not in card(zoo, hub="build/first"), err
        assert findings(capsys) == []


def test_the_next_version_replaces_a_corrected_card(
    released: Path, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(released / "build/work", zoo / "build/work", symlinks=True)
    word(zoo, PROMPT)
    assert call(capsys, "card", "tutored", "--publish")[0] == 0
    known = model(zoo).corrections
    word(zoo, "Other words.", version="1.1.0")
    code, out, err = call(capsys, "release", "tutored")
    assert code == 0 and "tutored 1.1.0 is released" in out, err
    assert "someone else" not in err and "keeps what" not in err, err
    for kind in ("model", "dataset"):
        now = card(zoo, kind)
        assert now == card(zoo, kind, at="v1.1.0") and "Other words." in now and correction.TITLE not in now
        assert PROMPT not in card(zoo, kind, at="v1.0.0")
    assert model(zoo).corrections == known and findings(capsys) == []
    assert "Nothing to correct" in call(capsys, "card", "tutored")[1]
    code, out, _ = call(capsys, "publish", "tutored", "--repair")
    assert code == 0 and "Nothing to repair" in out
