"""Two builds of the Debian packages, compared byte for byte; if they are the same, one of them is kept.

    python3 scripts/pi/same.py FIRST SECOND OUT     copies the packages of FIRST into the folder OUT

It uses only the standard library: the job that runs it installs nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path


def sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each package by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.deb"))}


def main(words: list[str]) -> int:
    if len(words) != 3:
        print("same: name two folders with packages, and one for the result", file=sys.stderr)
        return 2
    first, second, out = map(Path, words)
    one, other = sums(first), sums(second)
    differ = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    if differ or not one:
        for name in differ:
            print(f"{name}: {one.get(name, 'missing')} and {other.get(name, 'missing')}", file=sys.stderr)
        why = "the two builds differ, so nothing is released" if one else "there is no package"
        print(f"same: {why}", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    for name, sha256 in one.items():
        shutil.copyfile(first / name, out / name)
        print(f"{sha256}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
