"""The vocabulary of a model folder through llama.cpp's converter, without weights: ``python -m ... SCRIPT``.

In the current folder, ``source`` holds the small files. What the import would write of them goes into ``model``, and
the converter writes ``out.gguf`` from that. Run by ``zoo.llama.tokenizertrial``, which reads what is printed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import transformers

from zoo.llama import convert, converting
from zoo.modelfolder.files import TOKENIZER
from zoo.training.models import LOCAL, clean_json, quiet


def main(script: Path) -> None:
    """Write ``model`` as the import writes it, then run the converter on it."""
    source, folder = Path("source"), Path("model")
    folder.mkdir()
    with quiet():
        config = transformers.AutoConfig.from_pretrained(source, **LOCAL)
        kind = transformers.MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
        config.architectures = [kind.__name__]
        config.save_pretrained(folder)
        if (source / "tokenizer.json").is_file():
            for name in TOKENIZER:
                if (source / name).is_file():
                    shutil.copyfile(source / name, folder / name)
        else:
            transformers.AutoTokenizer.from_pretrained(source, **LOCAL).save_pretrained(folder)
    clean_json(folder / "tokenizer_config.json")
    convert.stage(folder, Path("staged"))
    converting.main(script, ["staged", "--vocab-only", "--outfile", "out.gguf"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
