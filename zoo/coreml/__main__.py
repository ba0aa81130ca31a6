"""``python -m zoo.coreml FOLDER OUT.mlpackage [--tokens N]``: convert, and print what is known about the result."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from zoo import extras
from zoo.errors import ZooError


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 1, with a sentence, if it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m zoo.coreml", description=__doc__.partition(": ")[2])
    parser.add_argument("folder", type=Path, help="a model in the layout of Hugging Face, with safetensors")
    parser.add_argument("out", type=Path, help="the program to write, NAME.mlpackage")
    parser.add_argument("--tokens", type=int, default=64, help="its fixed length, %(default)s tokens")
    given = parser.parse_args(argv)
    try:
        extras.require("A Core ML program", "coremltools", "torch", "transformers")
        # It says at its import that parts of it exist on macOS only, and which version of torch it was tested with.
        logging.getLogger("coremltools").setLevel(logging.ERROR)
        convert = extras.load("zoo.coreml.convert").convert
        print(json.dumps(asdict(convert(given.folder, given.out, given.tokens)), indent=2))
    except ZooError as error:
        print(". ".join(filter(None, (str(error), error.remedy))), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
