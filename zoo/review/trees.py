"""Two commits of a zoo's repository as folders, without touching the checkout: the only part that runs git."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import InputError

MOST_BYTES = 512 * 1024 * 1024
"""Of the files of one commit; a zoo keeps no weights in git."""


@dataclass(frozen=True)
class Change:
    """A file that differs. how: ``added``, ``changed`` or ``deleted``."""

    path: str
    how: str


@dataclass(frozen=True)
class Commit:
    """A commit that changed recipes or corpora."""

    author: str
    subject: str
    files: tuple[str, ...]


def resolve(root: Path, revisions: str) -> tuple[str, str]:
    """The commits of ``BASE..HEAD``: where HEAD left BASE, and HEAD. Raises InputError."""
    base, dots, head = revisions.partition("..")
    if not base or not dots or base.startswith("-") or head.startswith(("-", ".")):
        raise InputError(
            f"{revisions!r} is not BASE..HEAD", remedy="Write, for example: zoo review main..HEAD"
        )
    top = _git(root, "rev-parse", "--verify", f"{head or 'HEAD'}^{{commit}}").strip()
    return _git(root, "merge-base", base, top).strip(), top


def changes(root: Path, base: str, head: str) -> list[Change]:
    """What differs between two commits in the folder ``root``, with paths from there; a renamed file is two changes."""
    words = {"A": "added", "D": "deleted"}
    parts = _git(root, "diff", "--name-status", "--no-renames", "--relative", "-z", base, head).split("\0")
    return [
        Change(path, words.get(how, "changed")) for how, path in zip(parts[::2], parts[1::2], strict=False)
    ]


def extract(root: Path, commit: str, folder: Path) -> list[str]:
    """Write the files of a commit into a new folder. Returns the paths that are links, which are not written."""
    done = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=root, capture_output=True, check=False
    )
    if done.returncode or len(done.stdout) > MOST_BYTES:
        raise InputError(
            f"the files of commit {commit[:12]} cannot be read", remedy="Fetch it: git fetch --unshallow"
        )
    folder.mkdir(parents=True)
    links = []
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            if member.issym() or member.islnk():
                links.append(member.name)
            elif member.isfile() or member.isdir():
                archive.extract(member, folder, filter="data")
    return links


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        raise InputError("git is not installed", remedy="Install it: apt install git") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(
            f"git could not compare the commits: {said[-1] if said else words[0]}",
            remedy="Name two commits of this repository, such as: zoo review main..HEAD",
        )
    return done.stdout.decode("utf-8", "backslashreplace")


def commits(root: Path, first: str, after: str) -> list[Commit]:
    """Commits from the day ``first`` until the day before ``after`` that changed recipes or corpora, oldest first.
    Raises InputError without git or a repository."""
    words = ["log", "--no-merges", "--reverse", "--name-only", "--relative", "--format=%x1e%aN%x1f%s"]
    text = _git(root, *words, f"--since={first}T00:00:00Z", f"--until={after}T00:00:00Z", "--", "recipes")
    found = []
    for part in text.split("\x1e")[1:]:
        head, _, names = part.partition("\n")
        author, _, subject = head.partition("\x1f")
        found.append(Commit(author, subject, tuple(name for name in names.splitlines() if name)))
    return found
