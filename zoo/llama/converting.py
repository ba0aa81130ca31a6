"""Runs llama.cpp's converter in a process of its own: ``python -P converting.py SCRIPT ARGUMENTS...``.

The converter reads config.json through transformers, which turns publishers' keys into its own. Here the keys that the
converter looks for are put back (``oldkeys``); nothing else of it is changed.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.llama.oldkeys import restored


def main(script: Path, arguments: list[str]) -> None:
    """Run ``script`` as a program would be, with the folders on the path that it expects there."""
    sys.path[:0] = [str(script.parent), str(script.parent / "gguf-py")]
    if (script.parent / "conversion" / "base.py").is_file():
        base = importlib.import_module("conversion.base").ModelBase
        base.load_hparams = staticmethod(_restoring(base.load_hparams))
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def _restoring(plain: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def load(*places: Any, **more: Any) -> dict[str, Any]:
        return restored(plain(*places, **more))

    return load


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
