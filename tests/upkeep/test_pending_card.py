"""A card that could not be changed while a version was withdrawn: what a watch says of it, and what ends it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from releasedzoo import call, card_at, repo
from releasedzoo import one as one
from releasedzoo import released as released
from releasedzoo import served as served
from releasedzoo import zoo as zoo

BACK = "still says that a version is withdrawn, but the catalog says that none is"


def without_hub(zoo: Path, capsys: pytest.CaptureFixture[str], *words: str) -> None:
    """Run a command while the hub does not have the repository."""
    folder = repo(zoo).folder
    folder.rename(zoo / "away")
    code, out, err = call(capsys, *words)
    assert code == 0 and "The card is pending" in err, out + err
    (zoo / "away").rename(folder)


def test_a_watch_reports_it_with_the_command_that_ends_it(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = (("yank", "It never stops.", "lacks the notice about withdrawn versions"), ("unyank", "It stops.", BACK))
    for command, reason, what in steps:
        without_hub(one, capsys, command, "plain@1.0.0", "--reason", reason)
        (repo(one).folder / "refs/tags/v1.0.0").rename(one / "tag")
        code, out, err = call(capsys, "watch", "--no-upstream")
        assert code == 3 and what in out and "could not be checked" not in err, out + err
        assert "tag v1.0.0 of tiny/plain-gguf no longer exists" in out, "other differences stay visible"
        (one / "tag").rename(repo(one).folder / "refs/tags/v1.0.0")
        found = re.search(r"Repair it with: zoo (.+?)\.?$", out, re.MULTILINE)
        assert found and call(capsys, *shlex.split(found[1]))[0] == 0
        assert ("Version 1.0.0 was withdrawn" in card_at(one, "main")) is (command == "yank")
        assert call(capsys, "watch", "--no-upstream")[0] == 0
