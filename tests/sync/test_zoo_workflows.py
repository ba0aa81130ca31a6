"""The workflows of a zoo: zoo init writes them, zoo sync brings newer ones and leaves alone what the owner edited."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from zoo.__main__ import main
from zoo.errors import InputError
from zoo.sync import parts

CHECK, SITE, WATCH = (f".github/workflows/{name}.yml" for name in ("check", "site", "watch"))


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert main(["init", "--quiet", str(tmp_path / "zoo")]) == 0
    monkeypatch.chdir(tmp_path / "zoo")
    return tmp_path / "zoo"


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A newer program: its check and site workflows changed, and it has one more."""
    texts = {
        path: text + "# newer\n" if path in (CHECK, SITE) else text for path, text in parts._texts().items()
    }
    texts[".github/workflows/added.yml"] = "name: added\n"
    monkeypatch.setattr(parts, "_texts", lambda: texts)
    return texts


def test_a_new_zoo_has_the_workflows_and_is_up_to_date(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {part.state for part in parts.parts(zoo)} == {parts.CURRENT}
    assert {CHECK, SITE, WATCH} <= json.loads((zoo / parts.RECORD).read_text())["files"].keys()
    assert main(["sync", "--check"]) == 0 and main(["sync"]) == 0
    assert capsys.readouterr().out.count("Everything is up to date.") == 2


def test_newer_workflows_arrive_and_edited_ones_stay(
    zoo: Path, newer: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    mine = (zoo / SITE).read_text() + "# mine\n"
    (zoo / SITE).write_text(mine)
    (zoo / WATCH).unlink()
    code, said = main(["sync", "--check"]), capsys.readouterr()
    assert (
        code == 3
        and "+# newer" in said.out
        and "Run: zoo sync" in said.out
        and "site.yml differs" not in said.out
    )
    assert main(["sync"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"wrote {CHECK}", "wrote .github/workflows/added.yml"]
    assert (
        f"{SITE} was edited by you, so it stays. To get the program's version: zoo sync --restore {SITE}"
        in said.err
    )
    assert f"{WATCH} was deleted by you" in said.err
    assert (zoo / SITE).read_text() == mine and not (zoo / WATCH).exists()
    assert (zoo / CHECK).read_text() == newer[CHECK]
    assert main(["sync", "--check"]) == 0
    assert main(["sync", "--restore", SITE, WATCH]) == 0
    assert (zoo / SITE).read_text() == newer[SITE] and (zoo / WATCH).read_text() == newer[WATCH]
    assert {part.state for part in parts.parts(zoo)} == {parts.CURRENT}


def test_a_zoo_of_an_older_program_gets_them_but_keeps_its_own(zoo: Path) -> None:
    (zoo / parts.RECORD).unlink()
    (zoo / SITE).write_text("name: my own site\n")
    (zoo / WATCH).unlink()
    assert main(["sync"]) == 0
    assert (zoo / SITE).read_text() == "name: my own site\n" and (zoo / WATCH).is_file()
    assert {part.path: part.state for part in parts.parts(zoo)}[SITE] == parts.EDITED


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": "other/1", "files": {}}', '{"schema": "zoo-sync/1", "files": 3}']
)
def test_a_damaged_record_changes_nothing(zoo: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (zoo / parts.RECORD).write_text(text)
    (zoo / CHECK).write_text("mine\n")
    assert main(["sync"]) == 2
    assert "git checkout -- .github/zoo-sync.json" in capsys.readouterr().err
    assert (zoo / CHECK).read_text() == "mine\n" and (zoo / parts.RECORD).read_text() == text


def test_what_python_compiled_is_not_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(parts._SOURCE, tmp_path / "parts")
    monkeypatch.setattr(parts, "_SOURCE", tmp_path / "parts")
    before = parts._texts()
    (tmp_path / "parts/scripts/__pycache__").mkdir(exist_ok=True)
    (tmp_path / "parts/scripts/__pycache__/comment.pyc").write_bytes(b"\xa7\r\r\n")
    assert parts._texts() == before and ".github/scripts/comment.py" in before


def test_a_path_that_is_not_ours_is_refused(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="is not a file of this program"):
        parts.update(zoo, ["zoo.toml"])
    assert main(["sync", "--restore"]) == 2 and "no path was named" in capsys.readouterr().err
    assert main(["sync", "--list"]) == 0 and "check.yml" in capsys.readouterr().out
