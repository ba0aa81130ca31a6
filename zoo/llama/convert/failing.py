"""What the last lines of llama.cpp's converter mean, and what to do.

A person gets the reason first. The converter's own words come after it, because they help its authors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog import jsontext
from catalog.jsonvalues import table
from zoo.errors import AGAIN, GateRefused, ZooError
from zoo.llama.convert import cutting
from zoo.machine import endings
from zoo.modelfolder.files import CONFIG

NEEDS = "pip install 'model-zoo-publisher[gguf,train]'"
"""Installs the packages that the converter imports."""
UNKNOWN_PRE_TOKENIZER = "BPE pre-tokenizer was not recognized"
MISSING_PIECES = re.compile(r"(?:Missing|File not found:) \S*tokenizer\.model")
UNSUPPORTED = re.compile(r"Model (\w+) is not supported")
NO_PLACE = re.compile(r"Can ?not map tensor ['\"](.+?)['\"]")
LACKING = re.compile(r"KeyError: ['\"](\w+)['\"]")
NO_TENSOR = re.compile(r"Missing <MODEL_TENSOR\.(\w+).*<MODEL_ARCH\.(\w+)")
DISK_FULL = (r"No space left on device", r"Disk quota exceeded", r"\d+ requested and \d+ written")
"""The converter's messages for a full disk; the last are numpy's."""
TOO_MANY_TOKENS = re.compile(r"max\(.*vocab.*\) < vocab_size|len\(tokens\) == vocab\.vocab_size")
ANOTHER = "Use a model of another architecture, such as Llama, Qwen, Mistral, Gemma or GPT-2"
SAFE = "Nothing was written"
_RAISED = re.compile(r"(?:\w+\.)*(\w*(?:Error|Exception|Interrupt))(?::|$)")
"""The line of a traceback that names the exception."""


def failure(tail: Sequence[str], code: int, model_folder: Path) -> ZooError:
    """The error for people. tail: the last lines that the converter wrote; code: as ``subprocess`` reports it.

    A GateRefused says that this model cannot become a GGUF file; any other error may have another cause.
    """
    said = next((line.strip() for line in reversed(tail) if line.strip()), f"exit code {code}")
    if ended := endings.fault("llama.cpp's converter", code, said if tail else ""):
        return ended
    if any(re.search(words, line) for words in DISK_FULL for line in tail):
        return ZooError(
            f"llama.cpp's converter could not write its file, the disk is full (it reported: {said})",
            safe=SAFE,
            remedy="Free some space on the disk",
            again=AGAIN,
        )
    if refused := _tokenizer(said, model_folder) or _model(tail, said, model_folder):
        return refused
    if said.startswith("ModuleNotFoundError"):
        return ZooError(
            f"llama.cpp's converter needs a package that is not installed ({said})", safe=SAFE,
            remedy=f"Install the missing packages with: {NEEDS}",
        )  # fmt: skip
    return ZooError(
        f"llama.cpp's converter failed, and its words do not say whether the model or the program is at fault: {said}",
        safe=SAFE,
        remedy="Check the installation with: zoo doctor. If it is right, the converter cannot read this model: use "
        "another one, or report its words to llama.cpp",
    )


def _tokenizer(said: str, model_folder: Path) -> GateRefused | None:
    """Why the converter cannot write this tokenizer; None if that is not what it says."""
    if UNKNOWN_PRE_TOKENIZER in said:
        path = model_folder / "tokenizer.json"
        rule = cutting.described(table(jsontext.read(path, bounded=False))) if path.is_file() else "not stated"
        return GateRefused(
            "llama.cpp has no rule that splits text as this model's tokenizer does, so the file would behave "
            f"differently (pre_tokenizer of tokenizer.json: {rule})",
            safe=SAFE,
            remedy="Use a model whose tokenizer splits text by a rule that llama.cpp has, such as that of GPT-2, "
            "Llama 3 or Qwen 2",
        )
    if MISSING_PIECES.search(said):
        return GateRefused(
            "llama.cpp's converter reads the vocabulary of this architecture from tokenizer.model, which is missing "
            "from the folder. It can only be made from a tokenizer.json of the kind that the architecture's own models "
            "have: BPE with byte fallback, merges and an unknown token",
            safe=SAFE,
            remedy="Copy tokenizer.model of the original model into the model folder, then run: zoo lock NAME",
        )
    return None


def _model(tail: Sequence[str], said: str, model_folder: Path) -> GateRefused | None:
    """Why the converter cannot write this model; None if that is not what it says."""
    if unsupported := UNSUPPORTED.search(said):
        return _refused(f"does not support the architecture {unsupported[1]}, so it cannot make a GGUF file", "")
    if lost := NO_PLACE.search(said):
        what = f"has no place for the weight {lost[1]} in a GGUF file of this architecture"
        return _refused(what, "", where="", remedy=f"{ANOTHER}, or one that does not have this weight")
    if lost := NO_TENSOR.search(said):
        what = f"makes a tensor {lost[1].lower()} of this model's settings, for which a file of the architecture "
        return _refused(f"{what}{lost[2].lower()} has no place", "")
    raised = next((line.strip() for line in reversed(tail) if _RAISED.match(line.strip())), "")
    condition = next((line.strip() for line in reversed(tail) if line.strip().startswith("assert ")), "")
    if raised.startswith("AssertionError"):
        words = raised.removeprefix("AssertionError").removeprefix(":").strip()
        return _condition(condition.removeprefix("assert ").partition("  #")[0], words, model_folder)
    if raised.startswith("NotImplementedError"):
        words = raised.partition(":")[2].strip()
        return _values(words, words, model_folder)
    if (lacking := LACKING.fullmatch(raised)) and lacking[1] not in _config(model_folder):
        return _refused(f"needs the key {lacking[1]} in config.json, which this model's does not have", "")
    return None


def _condition(condition: str, words: str, model_folder: Path) -> GateRefused:
    """The converter checks a condition that this model does not meet. words: what it says about it, often nothing."""
    own = words or (f"it wants {condition}" if condition else "it does not say more")
    if TOO_MANY_TOKENS.search(condition):
        return _refused(
            "cannot write this vocabulary: the tokenizer numbers its tokens beyond vocab_size of config.json", own,
            where="tokenizer.json", remedy="Use the tokenizer that belongs to these weights",
        )  # fmt: skip
    return _values(f"{condition} {words}", own, model_folder)


def _values(text: str, own: str, model_folder: Path) -> GateRefused:
    """text: the converter's, with the keys of config.json that it is about in quotes or as attributes."""
    config = _config(model_folder)
    keys = [key for key in dict.fromkeys(re.findall(r"\w+", text)) if key in config and not key.isdigit()]
    if keys:
        stated = " and ".join(f"{key}: {_shown(config, key)}" for key in keys)
        return _refused(f"does not support what this model's config.json says ({stated})", own)
    return _refused("supports this architecture, but not every size and setting of it, and not this model's", own)


def _config(model_folder: Path) -> Mapping[str, object]:
    path = model_folder / CONFIG
    return table(jsontext.read(path, bounded=False, finite=False)) if path.is_file() else {}


def _shown(config: Mapping[str, object], key: str) -> str:
    text = json.dumps(config[key], ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refused(what: str, own: str, *, where: str = CONFIG, remedy: str = ANOTHER) -> GateRefused:
    """own: the converter's words."""
    quoted = f". Its own words: {own}" if own else ""
    return GateRefused(f"llama.cpp's converter {what}{quoted}", where=where, safe=SAFE, remedy=remedy)
