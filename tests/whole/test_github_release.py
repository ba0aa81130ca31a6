"""The release of the program against a small release API: killed after every request, a second run completes it."""

from __future__ import annotations

import hashlib
import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import githubapi
import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts/githubrelease.py"))
FILES = ("zoo-1.0.0.tar.gz", "zoo-1.0.0-py3-none-any.whl", "bundle.jsonl")
ALL = {*FILES, "SHA256SUMS"}


class GitHub(githubapi.Api):
    """Releases of one repository. torn: whether the next upload is only begun."""

    def __init__(self) -> None:
        super().__init__()
        self.releases: list[dict[str, Any]] = []
        self.contents: dict[int, bytes] = {}
        self.torn = False

    def act(self, method: str, path: str, raw: bytes) -> tuple[int, Any]:
        parts = urlsplit(path).path.removeprefix("/repos/o/r/").split("/")
        match method, parts:
            case "GET", ["releases"]:
                return 200, self.releases
            case "POST", ["releases"]:
                number = len(self.releases) + 1
                made = {
                    **json.loads(raw),
                    "id": number,
                    "assets": [],
                    "html_url": f"https://github.com/{number}",
                }
                made["upload_url"] = f"{self.address}/repos/o/r/releases/{number}/assets{{?name,label}}"
                self.releases.append(made)
                return 201, made
            case "POST", ["releases", number, "assets"]:
                release = self.releases[int(number) - 1]
                (name,) = parse_qs(urlsplit(path).query)["name"]
                if not release["draft"] or any(one["name"] == name for one in release["assets"]):
                    return 422, {"message": "already_exists"}
                key = len(self.contents) + 1
                self.contents[key] = raw
                state = "starter" if self.torn else "uploaded"
                self.torn = False
                sha256 = hashlib.sha256(raw).hexdigest()
                asset = {
                    "id": key,
                    "name": name,
                    "size": len(raw),
                    "state": state,
                    "digest": f"sha256:{sha256}",
                }
                release["assets"].append(asset)
                return 201, asset
            case "DELETE", ["releases", "assets", key]:
                for release in self.releases:
                    release["assets"] = [one for one in release["assets"] if one["id"] != int(key)]
                return 204, None
            case "PATCH", ["releases", number]:
                self.releases[int(number) - 1] |= json.loads(raw)
                return 200, self.releases[int(number) - 1]
        return 404, {"message": "not found"}


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    made = GitHub()
    for name, value in {
        "GITHUB_API_URL": made.address, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": githubapi.TOKEN,
        "GITHUB_REF_NAME": "v1.0.0",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with githubapi.serving(made):
        yield made


@pytest.fixture
def dist(tmp_path: Path) -> str:
    (tmp_path / "dist").mkdir()
    for name in FILES:
        (tmp_path / "dist" / name).write_bytes(name.encode() * 100)
    return str(tmp_path / "dist")


def run(*folders: str) -> int:
    code: int = SCRIPT["main"](list(folders))
    return code


def judge(github: GitHub) -> None:
    """One published release with every file once."""
    (release,) = github.releases
    assert not release["draft"] and sorted(one["name"] for one in release["assets"]) == sorted(ALL)
    for one in release["assets"]:
        assert one["state"] == "uploaded"
    (sums,) = [github.contents[one["id"]] for one in release["assets"] if one["name"] == "SHA256SUMS"]
    for line in sums.decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(name.encode() * 100).hexdigest() == digest


def test_a_release_is_a_draft_until_every_file_is_there(github: GitHub, dist: str) -> None:
    assert run(dist) == 0
    judge(github)
    before = github.count
    assert run(dist) == 0 and github.count == before + 1  # published: one look, nothing sent


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("request_number", range(1, 9))
def test_a_second_run_completes_what_a_lost_request_left(
    github: GitHub, dist: str, request_number: int, after: bool
) -> None:
    github.fault, github.after = request_number, after
    assert run(dist) == 1 or request_number > github.count
    assert run(dist) == 0
    judge(github)


def test_a_torn_upload_is_sent_again(github: GitHub, dist: str, capsys: pytest.CaptureFixture[str]) -> None:
    github.torn = True
    assert run(dist) == 1 and "Run the job again" in capsys.readouterr().err
    assert run(dist) == 0
    judge(github)


def test_what_it_refuses(
    github: GitHub,
    dist: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run() == 1 and "there are no files" in capsys.readouterr().err
    assert run(dist) == 0
    (tmp_path / "dist" / "late.txt").write_text("late")
    assert run(dist) == 1 and "Make a higher version" in capsys.readouterr().err
    assert run(dist, dist) == 1 and "twice" in capsys.readouterr().err
    github.releases.append(dict(github.releases[0]))
    assert run(dist) == 1 and "there are 2 releases" in capsys.readouterr().err
    github.releases[:] = []
    github.act("POST", "/repos/o/r/releases", json.dumps({"tag_name": "v1.0.0", "draft": True}).encode())
    github.act("POST", "/repos/o/r/releases/1/assets?name=evil.whl", b"x")
    assert run(dist) == 1 and "nobody built here: evil.whl" in capsys.readouterr().err
    monkeypatch.delenv("GITHUB_TOKEN")
    assert run(dist) == 1 and "GITHUB_TOKEN is not set" in capsys.readouterr().err
