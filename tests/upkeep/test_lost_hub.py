"""A hub that lost versions: it is reported with the command, restored, and its card is what the catalog says again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from releasedzoo import call, card_at, change, model_of, repo
from releasedzoo import released as released
from releasedzoo import served as served
from releasedzoo import zoo as zoo

from zoo.files.digests import pretty_json

CORRECTED = "Words that a reader understands."


@pytest.fixture
def worded(zoo: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A zoo with one model, whose version has a corrected card and a notice."""
    catalog = zoo / "model_catalog.json"
    data = json.loads(catalog.read_text())
    data["models"] = [model for model in data["models"] if model["name"] == "plain"]
    catalog.write_text(pretty_json(data))
    change(zoo, summary=CORRECTED)
    assert call(capsys, "card", "plain", "--publish")[0] == 0
    assert call(capsys, "yank", "plain@1.0.0", "--reason", "It loses its end marker.")[0] == 0
    return zoo


def has_words(zoo: Path, words: str = CORRECTED) -> bool:
    card = card_at(zoo, "main")
    return words in card and "Version 1.0.0 was withdrawn" in card


def watched(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str]:
    code, out, err = call(capsys, "watch", "--no-upstream", *flags)
    return code, out + err


@pytest.mark.parametrize("command", [["publish", "plain"], ["release", "plain"], ["publish", "plain", "--repair"]])
def test_a_lost_folder_hub_is_restored_and_said(
    command: list[str], worded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog, card = (worded / "model_catalog.json").read_bytes(), card_at(worded, "main")
    shutil.rmtree(worded / "build/hub")
    code, told = watched(capsys)
    assert code == 1 and "nothing could be checked" in told and "the folder hub does not exist" in told
    code, out, err = call(capsys, *command)
    told = out + err
    assert code == 0 and "restored: commit" in told and "restored: card of tiny/plain-gguf" in told, told
    if "--repair" not in command:
        assert "lost versions of plain that the catalog records. They are restored" in told
        assert "WITHDRAWN" in out
    assert (worded / "model_catalog.json").read_bytes() == catalog, "no commit is another one"
    assert card_at(worded, "main") == card and has_words(worded)
    assert watched(capsys)[0] == 0


def test_commits_that_cannot_be_written_again_are_recorded_anew(
    worded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = model_of(worded).releases[0].location
    # What the commit's id is made of is not known completely any more: it follows a commit of someone else.
    catalog = worded / "model_catalog.json"
    catalog.write_text(catalog.read_text().replace(before.model.commit, "e" * 64))
    shutil.rmtree(worded / "build/hub")
    code, _, err = call(capsys, "publish", "plain")
    after = model_of(worded).releases[0].location
    assert code == 0 and f"restored: version 1.0.0 of tiny/plain-gguf, now at commit {after.model.commit[:12]}" in err
    assert after.model.commit == repo(worded).refs().tags["v1.0.0"] and has_words(worded)
    assert watched(capsys)[0] == 0


@pytest.mark.usefixtures("served")
def test_a_hub_over_http_that_lost_everything(worded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(worded / "build/hub/repos")
    code, told = watched(capsys)
    assert code == 3 and "tiny/plain-gguf no longer exists" in told
    assert "1 difference to the record was found and no file could be compared" in told
    assert "not private or renamed, repair it with: zoo publish plain --repair --move" in told
    code, out, err = call(capsys, "publish", "plain", "--repair")
    assert code == 1 and "To publish the same files with new commits: zoo publish plain --repair --move" in err
    assert err.count("model tiny/plain-gguf: ") == 1 and "(version 1.0.0)" in err
    assert not (worded / "build/hub/repos/model/tiny").exists()
    code, out, err = call(capsys, "publish", "plain")
    assert code == 1 and "zoo publish plain --repair --move" in err
    code, out, err = call(capsys, "publish", "plain", "--repair", "--move")
    assert code == 0 and "restored: version 1.0.0" in out and has_words(worded), err
    assert "0 contents" not in out and "were read back" not in out
    code, told = watched(capsys)
    assert code == 0, told
    assert "Nothing to repair" in call(capsys, "publish", "plain", "--repair")[1]


@pytest.mark.parametrize("way", ["folder", "http"])
def test_main_branch_and_tag_are_set_again(
    way: str, zoo: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if way == "http":
        request.getfixturevalue("served")
    request.getfixturevalue("worded")
    refs, card = repo(zoo).folder / "refs", card_at(zoo, "main")
    for path, what in ((refs / "heads/main", "branch main"), (refs / "tags/v1.0.0", "tag v1.0.0")):
        path.unlink()
        code, told = watched(capsys)
        assert code == 3 and f"{what} of tiny/plain-gguf no longer exists" in told, told
        assert told.count("Repair it with: zoo publish plain --repair") == told.count("DRIFT") == 1
        code, out, err = call(capsys, "publish", "plain", "--repair")
        assert code == 0 and f"restored: {what}" in out, err
        assert card_at(zoo, "main") == card
        assert watched(capsys)[0] == 0


def commit(zoo: Path, path: str, content: bytes | None) -> None:
    """Somebody else's commit on the branch: a file with other content, or without it."""
    import hashlib

    from zoo.files.listing import FileRecord
    from zoo.progress import unheard

    record = FileRecord(path, len(content or b""), hashlib.sha256(content or b"").hexdigest())
    local = zoo / "theirs"
    local.write_bytes(content or b"")
    repo(zoo).put(local, record.sha256, unheard)
    head = repo(zoo).refs().branches["main"]
    repo(zoo).commit(head, [record] if content else [], [] if content else [path], "theirs")


def released_card(zoo: Path) -> bytes:
    return card_at(zoo, "v1.0.0").encode()


def test_every_difference_names_what_repairs_it(worded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repaired = "Repair it with: zoo publish plain --repair"
    commit(worded, "recipe.yaml", b"other")
    commit(worded, "extra.bin", b"someone's")
    commit(worded, "README.md", released_card(worded))
    code, told = watched(capsys)
    lines = {line.split(": ")[1].split(" ")[0]: line for line in told.splitlines() if line.startswith("DRIFT")}
    assert code == 3 and len(told.split("DRIFT")) == 5, told
    assert "lacks the correction of" in told and "lacks the notice about withdrawn versions" in told
    assert told.count(repaired) == 3 and "zoo publish plain --repair --delete-others" in lines["extra.bin"]
    code, out, err = call(capsys, "publish", "plain", "--repair")
    assert code == 0 and "1 file on the branch of model tiny/plain-gguf" in out and has_words(worded), err
    assert "extra.bin" in watched(capsys)[1]
    commit(worded, "README.md", b"---\nlicense: mit\n---\n# Mine\n")
    code, told = watched(capsys)
    assert code == 3 and "zoo card plain --publish --force" in told
    call(capsys, "publish", "plain", "--repair")
    assert card_at(worded, "main").endswith("# Mine\n"), "somebody else's words stay"
    report: dict[str, Any] = json.loads((worded / "site/evidence/watch.json").read_text())
    assert all(one["repair"] for one in report["findings"])


def test_every_command_counts_the_same_files_and_the_sums_are_compared(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(repo(zoo).tree(repo(zoo).refs().branches["main"]))
    assert f" {count} files, " in call(capsys, "verify", "plain")[1]
    assert f" {count} files, " in call(capsys, "verify", "plain", "--on-hub")[1]
    catalog = json.loads((zoo / "model_catalog.json").read_text())
    catalog["models"] = [one for one in catalog["models"] if one["name"] == "plain"]
    (zoo / "model_catalog.json").write_text(json.dumps(catalog, indent=2, ensure_ascii=False) + "\n")
    assert f", {count} files of 1 release were served as recorded" in watched(capsys)[1]
    commit(zoo, "SHA256SUMS", b"0" * 64 + b"  README.md\n")
    code, told = watched(capsys)
    assert code == 3 and "SHA256SUMS differs from what 1.0.0 recorded" in told
    assert "1 file on the branch" in call(capsys, "publish", "plain", "--repair")[1]
    assert watched(capsys)[0] == 0


def test_a_card_that_waits_says_once_what_to_run(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = zoo / "model_catalog.json"
    catalog.write_text(catalog.read_text().replace('"hub": "folder"', '"hub": "http://127.0.0.1:9"'))
    code, out, err = call(capsys, "yank", "plain@1.0.0", "--reason", "It loses its end marker.")
    assert code == 0 and "The card is pending" in err, out + err
    assert err.count("Run the same command again") == 1
