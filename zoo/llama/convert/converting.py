"""Runs llama.cpp's converter in a separate process: ``python -P converting.py SCRIPT ARGUMENTS...``.

The converter reads config.json through transformers, which replaces publishers' keys with its own. This module restores
the keys that the converter reads (``oldkeys``). It identifies an unknown byte-level vocabulary by its rule
(``cutting``). It loads of transformers only what the converter uses. It changes nothing else.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from catalog import jsontext
from catalog.jsonvalues import table
from zoo.llama.convert.cutting import rule_of
from zoo.llama.convert.oldkeys import restored


def main(script: Path, arguments: list[str]) -> None:
    """Run ``script`` as a program, with the folders that it expects on the path."""
    sys.path[:0] = [str(script.parent), str(script.parent / "gguf-py")]
    if (script.parent / "conversion" / "base.py").is_file():
        _without_models()
        base = importlib.import_module("conversion.base")
        base.ModelBase.load_hparams = staticmethod(_restoring(base.ModelBase.load_hparams))
        base.TextModel.get_vocab_base_pre = _by_rule(base.TextModel.get_vocab_base_pre)
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def _without_models() -> None:
    """Load transformers as if torch were not installed. The converter takes configurations and tokenizers from it, and
    what it has for models takes longer to load than a small model to convert."""
    if "transformers" in sys.modules or "torch" in sys.modules:
        return
    # find_spec() does not find a module that is None here, and transformers asks only once.
    sys.modules["torch"] = None  # type: ignore[assignment]  # cannot be imported, as Python documents
    os.environ["TRANSFORMERS_NO_ADVISORY_WARNINGS"] = "1"  # it would advise to install torch
    try:
        importlib.import_module("transformers").is_torch_available()
    finally:
        del sys.modules["torch"]


class _Model(Protocol):
    """The parts of the converter's own model that are used here."""

    dir_model: str | Path


def _restoring(plain: Callable[..., dict[str, object]]) -> Callable[..., dict[str, object]]:
    def load(*places: object, **more: object) -> dict[str, object]:
        return restored(plain(*places, **more))

    return load


def _by_rule(plain: Callable[[_Model, object], str]) -> Callable[[_Model, object], str]:
    def name(model: _Model, tokenizer: object) -> str:
        try:
            return plain(model, tokenizer)
        except NotImplementedError:
            path = Path(model.dir_model) / "tokenizer.json"
            found = rule_of(table(jsontext.read(path, bounded=False))) if path.is_file() else None
            if found is None:
                raise
            return found

    return name


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
