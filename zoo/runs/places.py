"""Where journals are, and whether the process that writes one lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

FOLDER = "runs"
"""In the work folder."""
SUFFIX = ".jsonl"


def is_locked(path: Path) -> bool:
    """Whether the process that writes the journal still lives."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
