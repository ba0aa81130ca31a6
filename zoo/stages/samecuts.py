"""Whether a GGUF file cuts text into the tokens that its model folder does: before logits are compared, and with the
vocabulary alone before a model is trained or a large one is exported.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from catalog import jsontext
from catalog.jsonvalues import table
from zoo.errors import GateRefused, ModelFileError, is_no_memory
from zoo.gguf import sentencepieces, tokentypes
from zoo.gguf.header import read_header
from zoo.judge.parity.check import Check
from zoo.judge.parity.seen import Seen
from zoo.judge.parity.tokens import tokenizer
from zoo.llama.convert import convert
from zoo.llama.measure import parity as file_side
from zoo.modelfolder import record

PREFIX = "add_prefix_space"
"""The key of tokenizer_config.json that llama.cpp's converter copies to ``tokenizer.ggml.add_space_prefix``."""


def compare(weights: Path, file: Path) -> tuple[Seen, Check]:
    """The folder's side with its tokens alone, and the check. file: a GGUF file, or its vocabulary alone.

    Raises GateRefused for a file that llama.cpp does not load, ModelFileError for a folder that cannot be read.
    """
    from zoo.training import parity as folder_side

    folder = folder_side.glance(weights)
    with refusing():
        seen = file_side.glance(file, folder.normalizer.texts if folder.normalizer else None)
    if seen.by_sight:
        folder = dataclasses.replace(folder, taken=folder_side.taking(weights, seen.by_sight))
    return folder, tokenizer(folder, seen)


def refuse_early(weights: Path, source: Path) -> None:
    """Raises GateRefused if the file of an imported model folder will have other tokens. No weight is read.

    source: the folder with the import's record. Takes a few seconds.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-vocabulary-") as scratch:
        file = Path(scratch, "vocabulary.gguf")
        convert.convert(weights, file, vocabulary_only=True)
        told = record.read(source)
        if told and tokentypes.stated(file, told["tokenizer"]):
            # Only the export writes the types of a GGUF source.
            return
        found = compare(weights, file)[1]
        if not found.passed:
            raise refusal([found], weights, file, early=True)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """A file that llama.cpp does not load is refused, unless memory ran out."""
    try:
        yield
    except ModelFileError as error:
        if is_no_memory(error):
            raise
        raise GateRefused(
            f"the exported file cannot be compared with the model that it was made from: {error.what}",
            safe="Nothing was quantized or published.",
            remedy="If llama.cpp does not support this shape, use another model of the same architecture, or one of "
            "another architecture, such as Llama, Qwen, Mistral, Gemma or GPT-2",
        ) from error


def refusal(refused: Sequence[Check], weights: Path, file: Path, *, early: bool = False) -> GateRefused:
    """What differs between the folder and the file, and what to do. early: the file itself is not made yet."""
    names = [check.name for check in refused]
    cause = _space(weights, file) if "tokenizer" in names else ""
    return GateRefused(
        "\n".join([
            f"The exported file {'would differ' if early else 'differs'} from the model that it was made from:",
            *(f"  {check.name}: {check.detail}" for check in refused),
            *([f"  {cause}"] if cause else []),
        ]),
        safe="The imported model is kept. Nothing else was made." if early else "Nothing was quantized or published.",
        remedy="Fix the source model or its tokenizer. If a difference is known and harmless, write "
        f"`parity: {{allow: [{', '.join(names)}]}}` into the recipe. The release then shows it",
    )


def _space(weights: Path, file: Path) -> str:
    """The likely cause of different tokens, if only one side puts a space before a text; else ""."""
    path, stated = weights / "tokenizer.json", weights / "tokenizer_config.json"
    if not path.is_file():
        return ""
    header = read_header(file, vocabulary_only=True)
    ours = sentencepieces.puts_space(table(jsontext.read(path, bounded=False)))
    theirs = header.metadata.get("tokenizer.ggml.add_space_prefix", True)
    if header.metadata.get("tokenizer.ggml.model") != "llama" or ours == theirs:
        return ""
    config = table(jsontext.read(stated, bounded=False, finite=False)) if stated.is_file() else {}
    setting = f'"{PREFIX}": false'
    if ours:
        sides = "transformers puts a space before every text, the GGUF file does not"
        fix = f"If the model was trained with that space, remove {setting} from tokenizer_config.json of the source"
        if config.get(PREFIX) is not False:
            fix = f"llama.cpp's converter writes no such space for {header.architecture}. If the model was trained "
            fix += f"without it, write {setting} into tokenizer_config.json of the source, and remove the step that "
            fix += "puts it from tokenizer.json, if there is one"
    else:
        sides = "the GGUF file puts a space before every text, transformers does not"
        fix = f"If the model was trained without that space, write {setting} into tokenizer_config.json of the source"
    return f"Likely cause: {sides} (tokenizer.ggml.add_space_prefix is {str(theirs).lower()}). {fix}."
