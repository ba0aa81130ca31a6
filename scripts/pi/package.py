"""The Debian package pi-zoo-runtime: the same bytes from every folder, day and umask.

    python scripts/pi/package.py arm64 --out dist   compiles if necessary, writes pi-zoo-runtime_VERSION_arm64.deb

The programs come from ``scripts/pi/compile.py``; everything else is text of this repository. Debian's dpkg-deb packs.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import compile as compiling

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "pi_runtime/debian"
PRIVATE = "usr/lib/pi-zoo-runtime"
SCRIPTS = ("postinst", "prerm", "postrm")
MOST_BYTES = 6_000_000


def version() -> str:
    """The version of the newest entry in the package's changelog."""
    first = (DEBIAN / "changelog").read_text(encoding="utf-8").split("\n", 1)[0]
    return first.partition("(")[2].partition(")")[0]


def lay_out(root: Path, architecture: str, programs: Path) -> None:
    """Put every file of the package into ``root``."""
    private = root / PRIVATE
    for path in sorted(programs.iterdir()):
        _put(path.read_bytes(), private / path.name, path.name in compiling.PROGRAMS)
    for path in sorted((ROOT / "pi_runtime").glob("*.py")):
        _put(path.read_bytes(), private / "pi_runtime" / path.name)
    for path in (*sorted((ROOT / "catalog/devices").glob("*.json")), ROOT / "catalog/data/token-costs.json"):
        _put(path.read_bytes(), private / path.relative_to(ROOT / "catalog"))
    _put((DEBIAN / "pi-zoo").read_bytes(), root / "usr/bin/pi-zoo", True)
    _put((DEBIAN / "pi-zoo-launch").read_bytes(), private / "pi-zoo-launch", True)
    for path in sorted((ROOT / "pi_runtime/units").iterdir()):
        _put(path.read_bytes(), root / "usr/lib/systemd/system" / path.name)
    for path in sorted((DEBIAN / "man").iterdir()):
        _put(_packed(path), root / f"usr/share/man/man{path.suffix[1:]}" / f"{path.name}.gz")
    _put((DEBIAN / "completion.bash").read_bytes(), root / "usr/share/bash-completion/completions/pi-zoo")
    if any(programs.iterdir()):
        # Without programs lintian would call it an override that nothing needs.
        _put((DEBIAN / "lintian-overrides").read_bytes(), root / "usr/share/lintian/overrides/pi-zoo-runtime")
    documents = root / "usr/share/doc/pi-zoo-runtime"
    _put((DEBIAN / "copyright").read_bytes(), documents / "copyright")
    _put(_packed(DEBIAN / "changelog"), documents / "changelog.gz")
    for folder in ("etc/pi-zoo", "var/lib/pi-zoo/models"):
        (root / folder).mkdir(parents=True)
    _control(root, architecture)


def _put(content: bytes, place: Path, executable: bool = False) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    place.chmod(0o755 if executable else 0o644)


def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)


def _control(root: Path, architecture: str) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    kilobytes = sum(-(-path.stat().st_size // 1024) for path in files) + sum(p.is_dir() for p in root.rglob("*"))
    text = (DEBIAN / "control").read_text(encoding="utf-8")
    for name, value in (("VERSION", version()), ("ARCHITECTURE", architecture), ("SIZE", str(kilobytes))):
        text = text.replace(f"@{name}@", value)
    sums = "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in files
    )
    _put(text.encode(), root / "DEBIAN/control")
    _put(sums.encode(), root / "DEBIAN/md5sums")
    for name in SCRIPTS:
        _put((DEBIAN / name).read_bytes(), root / "DEBIAN" / name, True)


def build(architecture: str, out: Path, programs: Path | None = None) -> Path:
    """Write the package into ``out`` and return its path. Raises CouldNot."""
    if shutil.which("dpkg-deb") is None:
        raise compiling.CouldNot("dpkg-deb was not found; the package can only be built on Debian.")
    programs = programs or compiling.compiled(architecture)
    out.mkdir(parents=True, exist_ok=True)
    place = out / f"pi-zoo-runtime_{version()}_{architecture}.deb"
    with tempfile.TemporaryDirectory(dir=out, prefix=".package-") as scratch:
        root, new = Path(scratch, "root"), Path(scratch, place.name)
        root.mkdir()
        lay_out(root, architecture, programs)
        for path in (root, *root.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (int(compiling.EPOCH), int(compiling.EPOCH)))
        # One thread: how xz cuts the stream depends on the number of threads.
        pack = ["dpkg-deb", "--root-owner-group", "--threads-max=1", "-Zxz", "-z9", "--build", str(root), str(new)]
        world = {**os.environ, "SOURCE_DATE_EPOCH": compiling.EPOCH}
        done = subprocess.run(pack, env=world, capture_output=True, text=True, check=False)
        if done.returncode:
            raise compiling.CouldNot(f"dpkg-deb failed: {done.stderr.strip()}")
        new.replace(place)
    if place.stat().st_size > MOST_BYTES:
        raise compiling.CouldNot(f"{place} has {place.stat().st_size:,} bytes, more than the {MOST_BYTES:,} allowed")
    return place


def main() -> int:
    """Print the package's path and sha256; exit code 1 with a sentence if it cannot be built."""
    parser = argparse.ArgumentParser(description="Build the Debian package pi-zoo-runtime.")
    parser.add_argument("architecture", choices=sorted(compiling.TARGETS))
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the package; default: dist")
    parser.add_argument("--programs", type=Path, help="a folder with compiled programs; default: compile or cache")
    given = parser.parse_args()
    try:
        place = build(given.architecture, given.out, given.programs)
    except compiling.CouldNot as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{hashlib.sha256(place.read_bytes()).hexdigest()}  {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
