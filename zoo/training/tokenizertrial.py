"""Tries the architecture and vocabulary of a model folder without weights: ``python -m ... SCRIPT``.

In the current folder, ``source`` has the small files. If transformers cannot read the architecture as a language model,
the reason is written to ``refused.json``. The import's output for them goes into ``model``, and the converter writes
``out.gguf`` from that. Run by ``zoo.llama.tokenizertrial``, which reads what is printed.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import transformers

from catalog import jsontext
from catalog.jsonvalues import table
from zoo.errors import ModelFileError
from zoo.llama.convert import convert, converting
from zoo.llama.tokenizertrial import REFUSED
from zoo.modelfolder.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG
from zoo.training import architecture
from zoo.training.models import LOCAL, clean_json, quiet, read_tokenizer, refuse_own_tokenizer


def main(script: Path) -> None:
    """Write ``model`` as the import does, then run the converter on it."""
    source, folder = Path("source"), Path("model")
    folder.mkdir()
    try:
        with quiet():
            architecture.check(source, table(jsontext.read(source / CONFIG, bounded=False, finite=False)), "")
            refuse_own_tokenizer(source)
    except ModelFileError as error:
        where = TOKENIZER_CONFIG if error.where.endswith(TOKENIZER_CONFIG) else CONFIG
        words = {"what": error.what, "remedy": error.remedy, "where": where}
        Path(REFUSED).write_text(json.dumps(words), encoding="utf-8")
        raise SystemExit(1) from error
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
            read_tokenizer(source).save_pretrained(folder)
    clean_json(folder / "tokenizer_config.json")
    convert.stage(folder, Path("staged"))
    converting.main(script, ["staged", "--vocab-only", "--outfile", "out.gguf"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
