"""Whether each action's pinned commit is the one that its version has, and which versions are newer. Needs the network.

    python3 scripts/actionpins.py [FOLDER...]     FOLDER with workflows; default: this repository's and a zoo's

It asks git for the tags of each action's repository, and runs nothing of it. Exit code 1 if a pin differs, or if it
could not be found out. Variable: ACTIONS_FROM, where the repositories are; default: https://github.com.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (ROOT / ".github/workflows", ROOT / "zoo/sync/parts/workflows")
USES = re.compile(r"uses: ([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)")
VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
TIMEOUT_SECONDS = 60


def used(folders: list[Path]) -> set[tuple[str, str, str]]:
    """(repository, commit, version) of every action of the workflows."""
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in sorted(folder.glob("*.yml"))]
    return {found for text in texts for found in USES.findall(text)}


def tags(repository: str) -> dict[str, str]:
    """Version to commit. Raises OSError if they cannot be read."""
    address = f"{os.environ.get('ACTIONS_FROM', 'https://github.com').rstrip('/')}/{repository}"
    words = ["git", "ls-remote", "--tags", address]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"no answer within {TIMEOUT_SECONDS} seconds") from None
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or ["git failed"])[-1])
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        commit, _, name = line.partition("\t")
        # A tag with a message has its own digest; its commit is in the line that ends in ^{}.
        tag = name.removeprefix("refs/tags/")
        if tag.endswith("^{}") or tag not in found:
            found[tag.removesuffix("^{}")] = commit
    return found


def judged(repository: str, commit: str, version: str) -> tuple[bool, str]:
    """(whether the pin is right, a line that says so)."""
    try:
        known = tags(repository)
    except OSError as error:
        return False, f"{repository} {version}: could not be found out: {error}"
    if known.get(version) != commit:
        there = known.get(version) or "no such version"
        return False, f"{repository} {version}: the workflows pin {commit}, but there it is {there}"
    newest = max((found for found in known if VERSION.fullmatch(found)), key=_order)
    later = f"; the newest is {newest}" if _order(newest) > _order(version) else ""
    return True, f"{repository} {version}: right{later}"


def _order(version: str) -> tuple[int, ...]:
    found = VERSION.fullmatch(version)
    return tuple(map(int, found.groups())) if found else ()


def main(folders: list[str]) -> int:
    pins = used([Path(one) for one in folders] or list(FOLDERS))
    if not pins:
        print("actionpins: no workflow uses an action. Name a folder with workflows.", file=sys.stderr)
        return 1
    answers = [judged(*pin) for pin in sorted(pins)]
    print("\n".join(line for _, line in answers))
    return 0 if all(is_right for is_right, _ in answers) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
