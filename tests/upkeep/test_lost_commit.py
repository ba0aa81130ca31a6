"""A hub that lost a commit, also the one that its main branch is on: a repair brings it back, over HTTP too."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from releasedzoo import call, card_at, model_of, repo
from releasedzoo import one as one
from releasedzoo import released as released
from releasedzoo import served as served
from releasedzoo import zoo as zoo
from test_remedies import commit, tag_newer


def lose(zoo: Path, name: str) -> str:
    oid = str({**repo(zoo).refs().tags, **repo(zoo).refs().branches}[name])
    (repo(zoo).folder / "commits" / f"{oid}.json").unlink()
    return oid


def damage(zoo: Path, name: str) -> str:
    oid = str({**repo(zoo).refs().tags, **repo(zoo).refs().branches}[name])
    path = repo(zoo).folder / "commits" / f"{oid}.json"
    path.write_bytes(path.read_bytes().replace(b"README.md", b"README.mb"))
    return oid


@pytest.mark.parametrize("harm", [lose, damage])
def test_the_commit_of_a_version_and_of_the_branch_is_written_again(
    harm: Callable[[Path, str], str], one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog, oid = (one / "model_catalog.json").read_bytes(), harm(one, "main")
    assert oid == repo(one).refs().tags["v1.0.0"]
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 3 and "zoo publish plain --repair" in out, out + err
    assert "zoo publish plain --repair" in err or "could not be checked" not in err, err
    code, out, err = call(capsys, "verify", "plain", "--on-hub")
    assert code == 3, out + err
    code, out, err = call(capsys, "publish", "plain", "--repair")
    assert code == 0 and f"restored: commit {oid[:12]} of model tiny/plain-gguf" in out, out + err
    assert call(capsys, "watch", "--no-upstream", "--full")[0] == 0
    assert repo(one).refs().branches["main"] == oid and (one / "model_catalog.json").read_bytes() == catalog


def test_a_branch_whose_last_commit_is_lost_goes_back_and_gets_its_card(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "yank", "plain@1.0.0", "--reason", "It never stops.")[0] == 0
    lose(one, "main")
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code in (1, 3) and "zoo publish plain --repair" in out + err, out + err
    code, out, err = call(capsys, "publish", "plain", "--repair")
    assert code == 0 and "restored: branch main" in out and "restored: card of" in out, out + err
    assert "Version 1.0.0 was withdrawn" in card_at(one, "main")
    assert call(capsys, "watch", "--no-upstream")[0] == 0


def test_a_commit_that_cannot_be_written_again_gets_a_new_one(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # It follows a commit that nobody knows any more, so its id cannot be computed.
    catalog = one / "model_catalog.json"
    before = model_of(one).releases[0].location.model.commit
    there = repo(one).folder
    other = "e" * 64
    (there / "commits" / f"{repo(one).refs().tags['v1.0.0']}.json").unlink()
    (there / "refs/heads/main").write_text(other + "\n")
    (there / "refs/tags/v1.0.0").unlink()
    (there / "refs.log").unlink()
    catalog.write_text(catalog.read_text().replace(before, other[: len(before)]))
    code, out, err = call(capsys, "publish", "plain", "--repair")
    if code:
        assert "zoo publish plain --repair --move" in err, out + err
        code, out, err = call(capsys, "publish", "plain", "--repair", "--move")
    after = model_of(one).releases[0].location.model.commit
    assert code == 0 and f"now at commit {after[:12]}" in out, out + err
    assert call(capsys, "watch", "--no-upstream", "--full")[0] == 0


def test_a_machine_without_the_files_says_that_the_commit_is_lost(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(one / "build/releases")
    assert call(capsys, "publish", "plain")[0] == 0
    lose(one, "v1.0.0")
    code, out, err = call(capsys, "publish", "plain")
    assert code == 1 and "is lost" in err and "zoo publish plain --repair" in err, out + err


def test_every_warning_of_a_lost_commit_names_a_command(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lose(one, "main")
    err = call(capsys, "watch", "--no-upstream")[2]
    for warning in (line for line in err.splitlines() if "could not be checked" in line):
        assert "zoo publish plain --repair" in warning, warning


@pytest.mark.parametrize("kind", ["without a release", "of a release"])
def test_a_higher_tag_leaves_the_branch_alone_if_it_is_of_a_release(
    kind: str, one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(one, "theirs.bin", b"theirs")
    if kind == "of a release":
        tag_newer(one, lambda *_: (0, "", ""))
    else:
        repo(one).tag("v9.0.0", repo(one).refs().branches["main"])
    code, out, err = call(capsys, "publish", "plain", "--repair", "--delete-others")
    there = repo(one).tree(repo(one).refs().branches["main"])
    if kind == "of a release":
        assert code == 1 and "has v2.0.0 (tag), which this catalog does not know" in err and "theirs.bin" in there
    else:
        assert code == 0 and "has v9.0.0 (tag), which this catalog does not know" in err, out + err
        assert "theirs.bin" not in there
