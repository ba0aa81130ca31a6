"""Generated files that no table lists: nobody would notice that they are out of date."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.sync.blocks import NAMES
from zoo.sync.derived import Derived

_HEAD_LINES = 5
_LONGEST_BYTES = 4_000_000
_SAYS_IT = re.compile(
    r"^\W*(?:<!--|#|//|\*|;|\").*(?:@generated|\b(?:do not edit|(?:auto-?)?generated (?:by|from)|made by zoo sync))\b",
    re.IGNORECASE | re.MULTILINE,
)
"""In a comment."""
_KINDS = (".md", ".yml", ".yaml", ".json", ".toml", ".txt", ".py", ".sh", ".html", ".css", ".js", "Makefile")
_SKIPPED = ("build", "dist", "node_modules")


def strays(root: Path, rows: Sequence[Derived], folders: Sequence[str]) -> list[str]:
    """One sentence for each generated file without a row: its first lines say that it is generated, it has a block that
    is in no row, or it is in one of ``folders``, in which every file is generated. Files that git does not track yet
    count too; those that it ignores do not."""
    found = []
    for path in _files(root):
        mine = [row for row in rows if fnmatch.fnmatchcase(path, row.path)]
        if any(fnmatch.fnmatchcase(path, folder) for folder in folders) and not mine:
            found.append(f"{path} is in a folder of generated files, but in no row")
        if not path.endswith(_KINDS) or (text := _text(root / path)) is None:
            continue
        if _SAYS_IT.search("\n".join(text.splitlines()[:_HEAD_LINES])) and not mine:
            found.append(f"{path} says that it is generated, but is in no row")
        unknown = set(NAMES.findall(text)) - {row.part for row in mine}
        found += [f"{path} has a generated block {name}, which is in no row" for name in sorted(unknown)]
    return found


def _text(path: Path) -> str | None:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LONGEST_BYTES:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _files(root: Path) -> list[str]:
    """Of the repository, ignored ones left out; every file where git is missing."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return sorted(_walked(root))
    return sorted(os.fsdecode(name) for name in set(done.stdout.split(b"\0")) if name)


def _walked(root: Path) -> Iterator[str]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _SKIPPED and not name.startswith((".venv", ".git"))]
        yield from ((Path(folder) / name).relative_to(root).as_posix() for name in files)
