"""Who is asked to review: named by a command, and in every line of CODEOWNERS."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from zoo.__main__ import main
from zoo.sync import people
from zoo.sync.derived import Disagrees

OWNERS = "# Who\n* @a\n\n/recipes/ @b @c\n"
ROOT = Path(__file__).resolve().parents[2]


def test_the_owners_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = tmp_path / people.SETTINGS
    settings.write_text('[tool.zoo.people]\nmaintainers = ["@x/team", "@y"]\n', encoding="utf-8")
    assert people.owners(tmp_path, OWNERS) == "# Who\n* @x/team @y\n\n/recipes/ @x/team @y\n"
    for wrong in ("[]", '["x"]', '["@x y"]', "[3]"):
        settings.write_text(f"[tool.zoo.people]\nmaintainers = {wrong}\n", encoding="utf-8")
        with pytest.raises(Disagrees, match="no valid maintainers"):
            people.owners(tmp_path, OWNERS)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What of a clone of this program these commands read."""
    for name in (people.SETTINGS, people.FILE, "zoo/sync/table.py", "zoo.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("https://github.com/some-org/models.git", "@some-org"),
        ("git@github.com:some-org/models.git", "@some-org"),
        ("ssh://git@github.com/some-org/models", "@some-org"),
        ("https://elsewhere.example/some-org/models", "@ACCOUNT"),
        ("", "@ACCOUNT"),
    ],
)
def test_the_check_names_the_command_that_sets_them(
    address: str, named: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if address:
        subprocess.run(["git", "remote", "add", "origin", address], cwd=clone, check=True)
    assert main(["sync", "--check", people.FILE]) == 0
    assert f"zoo sync --maintainers {named}\n" in " ".join(capsys.readouterr().err.split(" "))


def test_one_command_sets_them_everywhere(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "--maintainers", "@a/team", "--maintainers", "@b", people.FILE]) == 0
    lines = (clone / people.FILE).read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("#") or line.endswith(" @a/team @b") for line in lines)
    assert not people.is_unset(clone) and 'maintainers = ["@a/team", "@b"]' in (clone / people.SETTINGS).read_text()
    capsys.readouterr()
    assert main(["sync", "--check", people.FILE]) == 0 and "--maintainers" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--maintainers", "someone"], "is not an account or a team"),
        (["--maintainers", '@a"]\nx = ["'], "is not an account or a team"),
        (["--maintainers", "@a", "--check"], "Leave out one of them"),
    ],
)
def test_what_cannot_be_set_changes_nothing(
    words: list[str], said: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (clone / people.SETTINGS).read_bytes()
    assert main(["sync", *words]) == 2 and said in capsys.readouterr().err
    assert (clone / people.SETTINGS).read_bytes() == before


def test_a_zoo_has_a_file_of_its_own(
    zoo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo_folder)
    assert main(["sync", "--maintainers", "@a"]) == 2 and ".github/CODEOWNERS" in capsys.readouterr().err
