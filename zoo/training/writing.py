"""Disk errors, reported as the operating system reports them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

_OS_ERROR = re.compile(r"\(os error (\d+)\)")


@contextmanager
def writing() -> Iterator[None]:
    """Convert errors of the libraries safetensors and tokenizers for a full disk or a missing permission to OSError.

    They are written in Rust, whose messages contain the number of the system's error.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        found = _OS_ERROR.search(str(error))
        if found is None:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1]))) from error
