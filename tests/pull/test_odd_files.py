"""A pipe, a device, a folder, a loop of links, nothing instead of a file: an answer, and no waiting."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pullsamples import NAME, Zoo, make_zoo

from catalog import jsontext, plainfiles
from zoo.__main__ import main
from zoo.files import journal
from zoo.plan.store import Workspace
from zoo.pull import accounts

FOLDER = f"{NAME}-1.0.0"


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def nowhere(path: Path) -> None:
    path.symlink_to("not-there")


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def empty(path: Path) -> None:
    path.touch()


ODD = (pipe, folder, loop, nowhere, endless, empty)
COMMANDS = (
    ("catalog",), ("check",), ("verify", FOLDER), ("verify", NAME), ("verify", NAME, "--on-hub"),
    ("pull", f"{NAME}:Q4_0"), ("watch", "--no-upstream"), ("pick", NAME, "--device", "pi-5-4gb"),
)  # fmt: skip
PLACES = (
    "model_catalog.json", f"{FOLDER}/MANIFEST.json", f"{FOLDER}/SHA256SUMS", f"{FOLDER}/.zoo/pull.json",
    f"{FOLDER}/README.md", "site/evidence/watch.json",
)  # fmt: skip


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    made = make_zoo(tmp_path / "zoo")
    monkeypatch.chdir(made.folder)
    assert main(["pull", f"{NAME}:Q4_0", "--quiet"]) == 0
    (made.folder / "site/evidence").mkdir(parents=True, exist_ok=True)
    return made


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__)
def test_every_command_answers(
    odd: Callable[[Path], None], place: str, zoo: Zoo, capsys: pytest.CaptureFixture[str]
) -> None:
    path = zoo.folder / place
    for words in COMMANDS:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        odd(path)
        capsys.readouterr()
        code = main([*words, "--json"])
        said = capsys.readouterr()
        assert code in (0, 1, 2, 3)
        assert "bug in zoo" not in said.err + said.out, (words, said.err)
        assert code == 0 or said.err or said.out


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__)
def test_the_readers_below_answer(odd: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "odd"
    odd(path)
    if odd is empty:
        assert plainfiles.read_bytes(path) == b""
    else:
        with pytest.raises(OSError):
            plainfiles.read_bytes(path)
        with pytest.raises(OSError):
            jsontext.read(path)
    (tmp_path / "k").mkdir()
    odd(tmp_path / "k" / "artifact.json")
    assert Workspace(tmp_path).finished("k") is None
    if odd not in (pipe, folder, loop, endless):
        assert journal.read(path, str) == []


def test_a_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert plainfiles.read_bytes(tmp_path / "a", 10) == b"x" * 10


@pytest.mark.parametrize("entries", [accounts.MOST_FILES, 300_000])
def test_a_manifest_or_list_of_sums_without_end(entries: int, zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not compared file by file for minutes, and its differences do not fill the screen."""
    for name in ("MANIFEST.json", "SHA256SUMS"):
        path = zoo.folder / FOLDER / name
        before = path.read_bytes()
        if name == "SHA256SUMS":
            path.write_text("".join(f"{'0' * 64}  a{number}\n" for number in range(entries)), encoding="ascii")
        else:
            told = json.loads(before)
            one = told["files"][0]
            told["files"] += [{**one, "path": f"a{number}"} for number in range(entries - len(told["files"]))]
            path.write_text(json.dumps(told), encoding="utf-8")
        capsys.readouterr()
        started = time.process_time()
        assert main(["verify", FOLDER]) == 3
        assert time.process_time() - started < 10 and len(capsys.readouterr().out) < 50_000
        path.write_bytes(before)
