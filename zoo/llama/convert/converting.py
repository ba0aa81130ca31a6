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
from typing import Any

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


def _restoring(plain: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def load(*places: Any, **more: Any) -> dict[str, Any]:
        return restored(plain(*places, **more))

    return load


def _by_rule(plain: Callable[[Any, Any], str]) -> Callable[[Any, Any], str]:
    def name(model: Any, tokenizer: Any) -> str:
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
