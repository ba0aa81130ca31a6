"""What a test in a browser needs beside Python, and what happens where that is missing."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(why: str) -> NoReturn:
    """Where CI is set the test fails; elsewhere it is left out, with ``why`` and how to get what is missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{why}; where CI is set that is an error")
    pytest.skip(why)  # a contributor may be without a browser or npm; CI never is
