"""Faults of the disk, said as the operating system says them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

_OS_ERROR = re.compile(r"\(os error (\d+)\)")


@contextmanager
def writing() -> Iterator[None]:
    """Turn what the libraries of safetensors and tokenizers raise for a full disk or a missing right into OSError.

    They are written in Rust, which names the number of the system's error in its message.
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
