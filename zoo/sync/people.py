"""Who is asked to review: ``[tool.zoo.people]`` of ``pyproject.toml``, and the file CODEOWNERS that follows from it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

from zoo.errors import InputError
from zoo.files.whole import write_atomic
from zoo.sync.derived import Disagrees

SETTINGS, FILE = "pyproject.toml", ".github/CODEOWNERS"
PLACEHOLDER = "@OWNER/maintainers"
"""In place of the maintainers, until the owner of a clone names them."""
_NAME = re.compile(r"@[\w.-]+(/[\w.-]+)?")
_SETTING = re.compile(r"^(\[tool\.zoo\.people\]\n)maintainers = .*$", re.MULTILINE)
_GITHUB = re.compile(r"(?:https://|git@|ssh://git@)github\.com[:/]([\w.-]+)/[\w.-]+")


def owners(root: Path, now: str) -> str:
    """CODEOWNERS with the maintainers of ``pyproject.toml`` in every line."""
    data = tomllib.loads((root / SETTINGS).read_text(encoding="utf-8"))
    names = data.get("tool", {}).get("zoo", {}).get("people", {}).get("maintainers", [])
    if not names or not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        raise Disagrees(
            "[tool.zoo.people] has no valid maintainers",
            where=SETTINGS,
            remedy="Name accounts or teams: zoo sync --maintainers @my-organisation/my-team",
        )
    lines = [
        line if not line or line.startswith("#") else " ".join([line.split()[0], *names])
        for line in now.splitlines()
    ]
    return "\n".join(lines) + "\n"


def is_unset(root: Path) -> bool:
    """Whether nobody is named yet."""
    return PLACEHOLDER in (root / FILE).read_text(encoding="utf-8")


def name(root: Path, names: Sequence[str]) -> None:
    """Write the maintainers into ``pyproject.toml``. Raises InputError for a name that GitHub does not have."""
    if wrong := [one for one in names if not _NAME.fullmatch(one)]:
        raise InputError(
            f"{wrong[0]!r} is not an account or a team",
            safe="Nothing was changed.",
            remedy="Write, for example: zoo sync --maintainers @my-organisation/my-team",
        )
    path = root / SETTINGS
    text = path.read_text(encoding="utf-8")
    listed = ", ".join(f'"{one}"' for one in names)
    new, count = _SETTING.subn(lambda found: f"{found[1]}maintainers = [{listed}]", text)
    if count != 1:
        raise InputError(
            "[tool.zoo.people] with maintainers was not found",
            where=SETTINGS,
            safe="Nothing was changed.",
            remedy=f"Write below [tool.zoo.people]: maintainers = [{listed}]",
        )
    if new != text:
        write_atomic(path, new)


def account(root: Path) -> str:
    """The account of the repository, by the address that git has of it, as @NAME; "" if it is not known."""
    words = ["git", "-C", str(root), "remote", "get-url", "origin"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    found = _GITHUB.match(done.stdout.strip())
    return f"@{found[1]}" if found else ""
