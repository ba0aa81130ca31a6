"""What a watch names for each kind of difference is run, and then the watch finds nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
from releasedzoo import call, card_at, change, repo
from releasedzoo import served as served
from releasedzoo import zoo as zoo

from zoo.files.digests import pretty_json
from zoo.files.listing import FileRecord
from zoo.progress import unheard
from zoo.upkeep import remedies

Say = Callable[..., tuple[int, str, str]]
NO_COMMAND = {
    "gating": "of an upstream model", "licence": "of an upstream model", "source": "of an upstream model",
    "repository access": "changed on the hub's page",
    "repository other": "in test_gone_mirror.py, where the other hub is moved away first",
    "branch unfinished": "in test_unfinished.py, which makes more versions",
    "branch moved": "in test_partial_move.py, which makes more versions",
}  # fmt: skip
"""Kinds that no command of ours takes away, and why."""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with one model, whose version has a corrected card."""
    folder = tmp_path_factory.mktemp("remedies") / "zoo"
    shutil.copytree(
        tinyzoo.released_zoo(tmp_path_factory.mktemp("card")), folder, ignore=shutil.ignore_patterns("work")
    )
    catalog = folder / "model_catalog.json"
    data = json.loads(catalog.read_text())
    data["models"] = [model for model in data["models"] if model["name"] == "plain"]
    catalog.write_text(pretty_json(data))
    change(folder, summary="Words that a reader understands.")
    with contextlib.chdir(folder):
        from zoo.__main__ import main

        assert main(["card", "plain", "--publish", "--quiet"]) == 0
    return folder


def commit(zoo: Path, path: str, content: bytes | None, branch: str = "main") -> str:
    """Somebody else's commit: a file with other content, or without it."""
    there, local = repo(zoo), zoo / "theirs"
    local.write_bytes(content or b"")
    record = FileRecord(path, len(content or b""), hashlib.sha256(content or b"").hexdigest())
    there.put(local, record.sha256, unheard)
    head = there.refs().branches.get(branch) or there.refs().branches["main"]
    if branch not in there.refs().branches:
        there.begin(branch, head)
    adds, deletes = ([], [path]) if content is None else ([record], [])
    return str(there.commit(head, adds, deletes, "theirs", branch))


def commit_file(zoo: Path) -> Path:
    """The file of the commit that the version's tag is on."""
    there = repo(zoo)
    return Path(there.folder / "commits" / f"{there.refs().tags['v1.0.0']}.json")


def branch(zoo: Path, _: Say) -> None:
    (repo(zoo).folder / "refs/heads/main").unlink()


def card(zoo: Path, _: Say) -> None:
    commit(zoo, "README.md", b"---\nlicense: mit\n---\n# Mine\n")


def commit_lost(zoo: Path, _: Say) -> None:
    commit_file(zoo).unlink()


def tag_lost(zoo: Path, _: Say) -> None:
    commit_file(zoo).unlink()
    (repo(zoo).folder / "refs/tags/v1.0.0").unlink()


def correction(zoo: Path, _: Say) -> None:
    commit(zoo, "README.md", card_at(zoo, "v1.0.0").encode())


def digest(zoo: Path, _: Say) -> None:
    with repo(zoo).open(repo(zoo).refs().branches["main"], "recipe.yaml") as stream:
        commit(zoo, "recipe.yaml", stream.read().swapcase())
    shutil.rmtree(zoo / "build/releases")  # a machine that did not release it


def foreign(zoo: Path, _: Say) -> None:
    commit(zoo, "pytorch_model.bin", b"a pickle")


def missing(zoo: Path, _: Say) -> None:
    commit(zoo, "README.md", None)


def notice(zoo: Path, say: Say) -> None:
    card = card_at(zoo, "main")
    assert say("yank", "plain@1.0.0", "--reason", "It never stops.")[0] == 0
    commit(zoo, "README.md", card.encode())


def obsolete_notice(_: Path, say: Say) -> None:
    assert say("yank", "plain@1.0.0", "--reason", "It never stops.")[0] == 0
    assert say("unyank", "plain@1.0.0", "--reason", "It stops.", "--catalog-only")[0] == 0


def stale(zoo: Path, say: Say) -> None:
    before = (zoo / "model_catalog.json").read_bytes()
    assert say("yank", "plain@1.0.0", "--reason", "It never stops.")[0] == 0
    (zoo / "model_catalog.json").write_bytes(before)


def repository(zoo: Path, _: Say) -> None:
    shutil.rmtree(repo(zoo).folder)


def size(zoo: Path, _: Say) -> None:
    sha256 = repo(zoo).tree(repo(zoo).refs().tags["v1.0.0"])["recipe.yaml"].sha256
    path = zoo / "build/hub/objects" / sha256[:2] / sha256
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-3])


def tag(zoo: Path, _: Say) -> None:
    (repo(zoo).folder / "refs/tags/v1.0.0").unlink()


def tag_moved(zoo: Path, _: Say) -> None:
    (repo(zoo).folder / "refs/tags/v1.0.0").write_text(repo(zoo).refs().branches["main"] + "\n")


def tag_newer(zoo: Path, _: Say) -> None:
    with repo(zoo).open(repo(zoo).refs().tags["v1.0.0"], "MANIFEST.json") as stream:
        told = json.loads(stream.read())
    oid = commit(zoo, "MANIFEST.json", json.dumps({**told, "version": "2.0.0"}).encode(), "beside")
    repo(zoo).tag("v2.0.0", oid)
    repo(zoo).end("beside")


def tag_unknown(zoo: Path, _: Say) -> None:
    repo(zoo).tag("v0.9.0", repo(zoo).refs().branches["main"])


CASES: dict[str, tuple[str, Callable[[Path, Say], None]]] = {
    "folder: branch": ("branch", branch),
    "folder: card": ("card", card),
    "folder: commit": ("commit", commit_lost),
    "folder: correction": ("correction", correction),
    "folder: digest": ("digest", digest),
    "folder: foreign": ("foreign", foreign),
    "folder: missing": ("missing", missing),
    "folder: notice": ("notice", notice),
    "folder: obsolete notice": ("notice", obsolete_notice),
    "folder: repository": ("repository", repository),
    "folder: size": ("size", size),
    "folder: stale": ("stale", stale),
    "folder: tag": ("tag", tag),
    "folder: tag moved": ("tag moved", tag_moved),
    "folder: tag newer": ("tag newer", tag_newer),
    "folder: tag unknown": ("tag unknown", tag_unknown),
    "http: branch": ("branch", branch),
    "http: card": ("card", card),
    "http: commit": ("commit lost", commit_lost),
    "http: digest": ("digest", digest),
    "http: foreign": ("foreign", foreign),
    "http: obsolete notice": ("notice", obsolete_notice),
    "http: repository": ("repository lost", repository),
    "http: size": ("missing", size),
    "http: stale": ("stale", stale),
    "http: tag": ("tag", tag),
    "http: tag lost": ("tag lost", tag_lost),
    "http: tag moved": ("tag moved", tag_moved),
    "http: tag newer": ("tag newer", tag_newer),
    "http: tag unknown": ("tag unknown", tag_unknown),
}
"""Kind of hub and case -> the row of the table, and what brings it about."""


def test_every_row_of_the_table_is_tried() -> None:
    assert {kind for kind, _ in CASES.values()} == remedies.TABLE.keys() - NO_COMMAND.keys()


@pytest.mark.parametrize("case", CASES)
def test_the_named_command_repairs_it(
    case: str, zoo: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if case.startswith("http"):
        request.getfixturevalue("served")

    def say(*words: str) -> tuple[int, str, str]:
        return call(capsys, *words)

    seen = list[str]()
    original = remedies.remedy
    monkeypatch.setattr("zoo.upkeep.notes.remedy", lambda kind, *rest: seen.append(kind) or original(kind, *rest))
    kind, harm = CASES[case]
    assert say("watch", "--no-upstream")[0] == 0
    harm(zoo, say)
    code, out, err = say("watch", "--no-upstream")
    assert code == 3 and kind in seen, out + err
    findings: list[dict[str, Any]] = json.loads((zoo / "site/evidence/watch.json").read_text())["findings"]
    follow(zoo, findings[seen.index(kind)]["repair"], say)
    code, out, err = say("watch", "--no-upstream")
    assert code == 0, out + err


def follow(zoo: Path, repair: str, say: Say) -> None:
    """Do what a sentence says: delete the tag that it names, then run its first command."""
    if found := re.search(r"the tag: rm (\S+?)(?:, then|\. |$)", repair):
        (zoo / found[1]).unlink()
    elif found := re.search(r"the file (\S+) in its folder", repair):
        (zoo / "build/hub" / found[1]).unlink(missing_ok=True)
    if command := re.search(r"zoo ((?:publish|card)(?: \S+?)+)(?:\. |$)", repair):
        code, out, err = say(*shlex.split(command[1]))
        assert code == 0, f"{repair}\n{out}{err}"
