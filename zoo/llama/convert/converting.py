"""Runs llama.cpp's converter in a process of its own: ``python -P converting.py SCRIPT ARGUMENTS...``.

The converter reads config.json through transformers, which turns publishers' keys into its own. Here the keys that the
converter looks for are put back (``oldkeys``). A byte-level vocabulary that it does not know is known by its rule
(``cutting``). Nothing else of it is changed.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from catalog import jsontext
from zoo.llama.convert.cutting import rule_of
from zoo.llama.convert.oldkeys import restored


def main(script: Path, arguments: list[str]) -> None:
    """Run ``script`` as a program would be, with the folders on the path that it expects there."""
    sys.path[:0] = [str(script.parent), str(script.parent / "gguf-py")]
    if (script.parent / "conversion" / "base.py").is_file():
        base = importlib.import_module("conversion.base")
        base.ModelBase.load_hparams = staticmethod(_restoring(base.ModelBase.load_hparams))
        base.TextModel.get_vocab_base_pre = _by_rule(base.TextModel.get_vocab_base_pre)
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


class _Model(Protocol):
    """The converter's own model, as far as it is used here."""

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
            found = rule_of(jsontext.read(path, bounded=False)) if path.is_file() else None
            if found is None:
                raise
            return found

    return name


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
