"""A separate file system that fills up soon."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """``folder``, new, on a file system of ``size`` (``400k``, ``1m``); skips if none can be mounted."""
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("needs to mount a file system")  # only an administrator may
    if subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False).returncode != 0:
        pytest.skip("no file system may be mounted here")  # a container without that right
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
