"""Two complete compiles in different folders give the same Debian package, byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from llamaserver import ROOT, compiling

pytestmark = pytest.mark.pi_twice
SCRIPTS = ROOT / "scripts/pi"


def build(cache: Path, out: Path, architecture: str, **world: str) -> None:
    """Compile, unless the cache has the result, and pack."""
    line = [sys.executable, str(SCRIPTS / "package.py"), architecture, "--out", str(out)]
    environment = {**os.environ, **world, "PI_ZOO_CACHE": str(cache)}
    umask = int(world.get("UMASK", "022"), 8)
    done = subprocess.run(
        line, env=environment, cwd=cache, umask=umask, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("architecture", sorted(compiling.TARGETS))
def test_two_compiles_give_the_same_package(architecture: str, tmp_path: Path) -> None:
    kept = compiling.compiled(architecture).parent
    # A path of another length, a closed umask, another language and zone: none of it may be in the package.
    other = tmp_path / "another-folder-with-a-long-name" / "cache"
    other.mkdir(parents=True)
    shutil.copyfile(compiling.sdist(), other / compiling.SDIST)
    build(kept, tmp_path / "first", architecture)
    build(other, tmp_path / "second", architecture, UMASK="077", LC_ALL="C", TZ="Pacific/Auckland", HOME="/nonexistent")
    assert (other / f"{architecture}-{compiling.key(architecture)}").is_dir(), "the second one was not compiled here"
    same = [sys.executable, str(SCRIPTS / "same.py"), *map(str, (tmp_path / "first", tmp_path / "second"))]
    done = subprocess.run([*same, str(tmp_path / "dist")], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
