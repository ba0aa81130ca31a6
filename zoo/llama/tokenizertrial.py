"""Whether transformers supports the architecture of a model folder, and llama.cpp's converter can write its tokenizer,
before any weight is read.

Families whose rule is known need no trial. For the others transformers reads the configuration and the converter itself
writes the vocabulary alone, in a separate process (``zoo.training.tokenizertrial``). Without the converter or its
packages nothing is checked. What a trial found is remembered on the disk (``zoo.llama.trialmemory``).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from catalog import jsontext
from catalog.jsonvalues import table
from catalog.shapes import shaped
from zoo import extras, stopping
from zoo.errors import GateRefused, ModelFileError
from zoo.gguf import sentencepieces
from zoo.llama import trialmemory
from zoo.llama.convert import convert, cutting, failing, source
from zoo.llama.trialmemory import Refused
from zoo.modelfolder import owncode, trimming
from zoo.modelfolder.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG
from zoo.modelfolder.inspection import Inspected

CHILD = "zoo.training.tokenizertrial"
PACKAGES = ("torch", "transformers")
SECONDS = 300
"""A trial takes a few seconds. One that takes longer is ignored."""
PIECES, FOLDER, REFUSED = "tokenizer.model", "source", "refused.json"
BYTE_LEVEL = frozenset((
    "falcon", "gpt2", "gpt_neox", "granite", "granitemoehybrid", "lfm2", "llama", "mistral", "olmo2", "phi3", "qwen2",
    "qwen3", "qwen3_moe", "smollm3", "stablelm",
))  # fmt: skip
"""Values of model_type whose byte-level vocabulary the converter writes by its rule; the families' test proves each."""
SENTENCEPIECE = frozenset(("gemma", "gemma2", "gemma3_text", "llama", "mistral", "phi3"))
"""Values of model_type that it writes from tokenizer.model, or from what is made instead of it."""
OF_LLAMA = frozenset(("llama", "mistral"))
"""Values of model_type that it also writes from a tokenizer.json of Llama's kind."""


def refuse_unwritable(found: Inspected) -> None:
    """Raise ModelFileError for an architecture that is unknown or writes no text, and for a tokenizer that
    llama.cpp's converter cannot write, with the reason and the remedy.

    Nothing is raised if the converter is not installed, or fails for another reason.
    """
    words = found.small.get("tokenizer.json", {})
    kind = str(found.config.get("model_type"))
    own = owncode.has_own_tokenizer(found.small.get(TOKENIZER_CONFIG, {})) or owncode.own_model(found.config)
    if not own and is_known(kind, words, has_pieces=PIECES in found.files):
        return
    if not (source.folder() / source.SCRIPT).is_file() or source.fault() is not None:
        return
    if any(extras.version(name) == extras.ABSENT or extras.unfit(name) for name in PACKAGES):
        return
    files = {name: found.files[name] for name in (CONFIG, *TOKENIZER) if name in found.files}
    lost = tuple(sorted(found.without_row))
    key = trialmemory.key(files, lost)
    known, refused = trialmemory.recall(key)
    if not known:
        settled, refused = _tried(files, lost)
        if settled:
            trialmemory.keep(key, refused)
    if refused is not None:
        where = refused.where or ("tokenizer.json" if "tokenizer.json" in found.files else PIECES)
        raise ModelFileError(
            refused.what, where=f"{found.shown or found.folder.name}/{where}", safe="Nothing was imported.",
            remedy=f"{refused.remedy}. If config.json belongs to another model (model_type: {kind}), use the right one",
        )  # fmt: skip


def is_known(kind: str, tokenizer: Mapping[str, object], *, has_pieces: bool) -> bool:
    """Whether the converter is known to write this tokenizer. kind: model_type of config.json."""
    if has_pieces or not tokenizer:
        return has_pieces and kind in SENTENCEPIECE
    if kind in BYTE_LEVEL and cutting.rule_of(tokenizer) is not None:
        return True
    if kind in OF_LLAMA and _has_bytes(tokenizer):
        return True
    return kind in SENTENCEPIECE and sentencepieces.of_tokenizer(tokenizer) is not None


def _has_bytes(tokenizer: Mapping[str, object]) -> bool:
    """Whether it is of the kind that the converter's LlamaHfVocab accepts."""
    model, decoder = table(tokenizer.get("model")), table(tokenizer.get("decoder"))
    return bool(
        model.get("type") == "BPE" and model.get("byte_fallback") and decoder.get("type") == "Sequence"
    )


def _tried(files: Mapping[str, Path], lost: tuple[str, ...]) -> tuple[bool, Refused | None]:
    """(whether the trial settled it, why transformers or the converter refuses the ``files``)."""
    with tempfile.TemporaryDirectory(prefix="zoo-tokenizer-") as scratch:
        folder = Path(scratch, FOLDER)
        folder.mkdir()
        for name, path in files.items():
            shutil.copyfile(path, folder / name)
        _trim(folder, lost)
        command = [sys.executable, "-P", "-m", CHILD, str((source.found() / source.SCRIPT).resolve())]
        try:
            done = subprocess.run(
                stopping.bound(command), cwd=scratch, env=convert.environment(source.found(), scratch),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False, None
        if (told := Path(scratch, REFUSED)).is_file():
            return True, shaped(jsontext.read(told), Refused)
        lines = done.stdout.decode("utf-8", errors="replace").splitlines()
        refused = failing.failure(lines, done.returncode, folder) if done.returncode else None
    if isinstance(refused, GateRefused):
        return True, Refused(refused.what, refused.remedy, refused.where)
    return refused is None, None


def _trim(folder: Path, lost: Collection[str]) -> None:
    """The same as the import does with markers that have no row."""
    if lost:
        trimming.trim(folder, lost)
