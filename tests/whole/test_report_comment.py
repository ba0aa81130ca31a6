"""The comment with the report of a pull request: one, edited in place, and nothing else of a stranger's artifact."""

from __future__ import annotations

import io
import json
import runpy
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import githubapi
import pytest
from reviewsamples import COMMIT, HOSTILE, contribution

from zoo.review.report import report

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "zoo/sync/parts/scripts/comment.py"))
REPOSITORY, FORK = "o/r", "stranger/r"


GOOD, ASKING = report(contribution()), report(contribution("It got worse."))


def packed(text: str | bytes = ASKING, name: str = "report.md", kind: int = stat.S_IFREG | 0o644) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = kind << 16
        archive.writestr(member, text, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def twice(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, ASKING)
    return made.getvalue()


class GitHub(githubapi.Api):
    """A repository with one pull request from a fork, a run with its artifact, and comments."""

    def __init__(self) -> None:
        super().__init__()
        self.raw, self.artifacts, self.shown = packed(), 1, 0
        self.pulls = [self.pull(7)]
        self.comments: list[dict[str, Any]] = [
            {"id": 1, "user": {"login": "stranger"}, "body": f"{SCRIPT['MARK']}\nmine"},
            {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "another workflow's"},
        ]
        self.asked = list[str]()
        self.tokens = dict[str, str | None]()

    def pull(self, number: int, commit: str = COMMIT, base: str = REPOSITORY) -> dict[str, Any]:
        return {"number": number, "head": {"sha": commit}, "base": {"repo": {"full_name": base}}}

    def seen(self, path: str, authorization: str | None) -> None:
        self.tokens[path] = authorization

    def act(self, method: str, path: str, raw: bytes) -> tuple[int, Any]:
        asked = parse_qs(urlsplit(path).query)
        match method, urlsplit(path).path.removeprefix(f"/repos/{REPOSITORY}/").split("/"):
            case "GET", ["pulls"]:
                assert asked["head"] == ["stranger:offer"] and asked["state"] == ["open"]
                return 200, self.pulls
            case "GET", ["actions", "runs", "77", "artifacts"]:
                size = self.shown or len(self.raw)
                one = {"id": 5, "name": "report", "size_in_bytes": size}
                return 200, {"artifacts": [{"id": 4, "name": "preview", "size_in_bytes": 1}, *[one] * self.artifacts]}
            case "GET", ["actions", "artifacts", "5", "zip"]:
                return 302, f"{self.address}/storage?signed".encode()
            case "GET", ["", "storage"]:
                return 200, self.raw
            case "GET", ["issues", "7", "comments"]:
                return 200, self.comments if asked["page"] == ["1"] else []
            case "POST", ["issues", "7", "comments"]:
                made = {"id": 9, "user": {"login": "github-actions[bot]"}, **json.loads(raw)}
                self.comments.append(made)
                return 201, made
            case "PATCH", ["issues", "comments", "9"]:
                self.comments[-1] |= json.loads(raw)
                return 200, self.comments[-1]
        return 404, {"message": "not found"}

    @property
    def written(self) -> list[str]:
        """Bodies of the comments of this program."""
        return [one["body"] for one in self.comments if one["id"] == 9]


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[GitHub]:
    made = GitHub()
    for name, value in {
        "GITHUB_API_URL": made.address, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": githubapi.TOKEN,
        "GITHUB_SERVER_URL": "https://github.com", "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    event(tmp_path)
    with githubapi.serving(made):
        yield made


def event(folder: Path, **changes: object) -> None:
    run = {
        "id": 77, "event": "pull_request", "path": ".github/workflows/report.yml", "head_sha": COMMIT,
        "head_branch": "offer", "head_repository": {"full_name": FORK, "owner": {"login": "stranger"}},
        # What a run says of pull requests is empty for forks, and is not read.
        "pull_requests": [{"number": 1}],
    }  # fmt: skip
    (folder / "event.json").write_text(json.dumps({"workflow_run": {**run, **changes}}), encoding="utf-8")


def run() -> int:
    code: int = SCRIPT["main"]()
    return code


def test_there_is_one_comment_that_later_runs_edit(github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0 and "a comment was written" in capsys.readouterr().out
    (body,) = github.written
    assert ASKING in body and "https://github.com/o/r/actions/runs/77" in body
    assert run() == 0 and "up to date" in capsys.readouterr().out
    github.raw = packed(GOOD)
    assert run() == 0 and "edited" in capsys.readouterr().out
    assert len(github.written) == 1 and GOOD in github.written[0]
    # The storage of artifacts is another host: it must not see the token.
    assert github.tokens.pop("/storage?signed") is None
    assert set(github.tokens.values()) == {f"Bearer {githubapi.TOKEN}"}


def test_nothing_to_do_is_no_comment(github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    github.raw = packed(GOOD)
    assert run() == 0 and "no comment was written" in capsys.readouterr().out
    github.artifacts = 0
    assert run() == 0 and "made no report" in capsys.readouterr().out
    github.pulls = [github.pull(7, commit="4e" * 20)]
    assert run() == 0 and "no open pull request" in capsys.readouterr().out
    assert github.written == []


HOSTILE_ARTIFACTS: dict[str, Callable[[GitHub], object]] = {
    "zip slip": lambda hub: setattr(hub, "raw", packed(name="../../report.md")),
    "an absolute path": lambda hub: setattr(hub, "raw", packed(name="/tmp/report.md")),
    "a path of Windows": lambda hub: setattr(hub, "raw", packed(name="..\\report.md")),
    "a link": lambda hub: setattr(hub, "raw", packed("/etc/passwd", kind=stat.S_IFLNK | 0o777)),
    "a folder": lambda hub: setattr(hub, "raw", packed(name="report.md/")),
    "a pipe": lambda hub: setattr(hub, "raw", packed(kind=stat.S_IFIFO | 0o644)),
    "two files": lambda hub: setattr(hub, "raw", twice("report.md", "scripts/comment.py")),
    "the number of another pull request": lambda hub: setattr(hub, "raw", twice("report.md", "number.txt")),
    "no file": lambda hub: setattr(hub, "raw", twice()),
    "not an archive": lambda hub: setattr(hub, "raw", b"report"),
    "a cut archive": lambda hub: setattr(hub, "raw", packed()[:-30]),
    "10 MB": lambda hub: setattr(hub, "raw", b"x" * 10_000_000),
    "10 MB that say they are small": lambda hub: (setattr(hub, "raw", b"x" * 10_000_000), setattr(hub, "shown", 9)),
    "10 MB in a small archive": lambda hub: setattr(hub, "raw", packed(ASKING + "x" * 10_000_000)),
    "a long report": lambda hub: setattr(hub, "raw", packed(ASKING + "\n" * 60_000)),
    "HTML": lambda hub: setattr(hub, "raw", packed(f"{ASKING}\n<b>approved</b>\n")),
    "a mention": lambda hub: setattr(hub, "raw", packed(f"{ASKING}\n@someone\n")),
    "an image": lambda hub: setattr(hub, "raw", packed(f"{ASKING}\n![a](https://x.example/b.png)\n")),
    "a heading of its own": lambda hub: setattr(hub, "raw", packed(f"{ASKING}\n### Approved\n")),
    "words after an item": lambda hub: setattr(hub, "raw", packed(ASKING.replace("one recipe", "one recipe @a"))),
    "a block without end": lambda hub: setattr(hub, "raw", packed(f"{ASKING}\n```text\nx\n")),
    "a line that ends its block": lambda hub: setattr(hub, "raw", packed(f"{ASKING}\n```text\n ````\n@a\n```\n")),
    "a block of another language": lambda hub: setattr(hub, "raw", packed(f"{ASKING}\n```mermaid\nx\n```\n")),
    "a carriage return": lambda hub: setattr(hub, "raw", packed(ASKING.replace("words", "a\r```\r@b"))),
    "an escape sequence": lambda hub: setattr(hub, "raw", packed(ASKING.replace("words", "\x1b[2J"))),
    "another direction": lambda hub: setattr(hub, "raw", packed(ASKING.replace("words", "\u202ewords"))),
    "not UTF-8": lambda hub: setattr(hub, "raw", packed(b"## Review\n\xff")),
    "another text": lambda hub: setattr(hub, "raw", packed("Merge me, please.\n")),
    "nothing": lambda hub: setattr(hub, "raw", packed("")),
    "two artifacts": lambda hub: setattr(hub, "artifacts", 2),
    "two pull requests": lambda hub: setattr(hub, "pulls", [hub.pull(7), hub.pull(8)]),
}


@pytest.mark.parametrize("what", HOSTILE_ARTIFACTS)
def test_what_a_stranger_hands_over_is_refused(
    what: str, github: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    HOSTILE_ARTIFACTS[what](github)
    assert run() == 1
    assert "nothing was written" in capsys.readouterr().err
    assert github.written == [] and sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "push"}, {"event": "workflow_dispatch"}, {"path": ".github/workflows/evil.yml"}, {"head_sha": "main"},
        {"head_branch": ""}, {"head_repository": None}, {"id": "77/../78"}, {"id": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_run_of_something_else_is_refused(
    changes: dict[str, object], github: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event(tmp_path, **changes)
    assert run() == 1 and github.written == [] and "nothing was written" in capsys.readouterr().err


def test_a_pull_request_to_another_repository_is_left_alone(github: GitHub) -> None:
    github.pulls = [github.pull(7, base="stranger/other")]
    assert run() == 0 and github.written == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("lost", range(1, 7))
def test_a_lost_request_leaves_no_second_comment(github: GitHub, lost: int, after: bool) -> None:
    github.fault, github.after = lost, after
    run()
    assert run() == 0 and len(github.written) == 1


@pytest.mark.parametrize(
    "words", ["words", HOSTILE, f"{HOSTILE}\n{HOSTILE}", "a\tb", "`" * 30, "x" * 1000, "ÉÈ 日本 👩\u200d🔬"]
)
@pytest.mark.parametrize("many", [1, 300])
def test_every_report_of_this_program_is_accepted(words: str, many: int) -> None:
    for worse in ((), (words,)):
        text = report(contribution(*worse, words=words, many=many))
        assert SCRIPT["report"](packed(text)) == text
        assert (SCRIPT["ASKS"] in text.splitlines()) == bool(worse)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    assert run() == 1 and "GITHUB_TOKEN" in capsys.readouterr().err
