"""Loading an inspected model folder: transformers only sees a view with the files that count."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
import transformers

from catalog import jsontext
from catalog.jsonvalues import table
from zoo.errors import ModelFileError
from zoo.modelfolder import sizes
from zoo.modelfolder.files import CONFIG, SINGLE, view
from zoo.modelfolder.formats import ADAPTER
from zoo.modelfolder.inspection import Inspected
from zoo.training import architecture
from zoo.training.exactly import Account, account, refuse_differences
from zoo.training.models import LOCAL, quiet, read_tokenizer, reading, refuse_own_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_COPY_BYTES = 1 << 22


def load_folder(
    found: Inspected, scratch: Path, dtype: torch.dtype
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, Account]:
    """Model (on the CPU), tokenizer, and transformers' account of the load.

    dtype: of the loaded weights. scratch: a folder for the view, and for weights whose names had to be changed.
    Raises ModelFileError.
    """
    shown = view(found.files, scratch / "view", leave_out=(ADAPTER,))
    for shard in found.shards if found.rules else ():
        (shown / shard).unlink()
        _rename(found.files[shard], shown / shard, found.own)
    if found.shards != (SINGLE,):
        _write_index(shown, found)
    with quiet():
        architecture.check(shown, found.config, found.shown)
        _refuse_larger(shown, found)
    with quiet(), account() as kept, reading(found.folder, shown, where=found.shown):
        model = transformers.AutoModelForCausalLM.from_pretrained(
            shown, dtype=dtype, use_safetensors=True, ignore_mismatched_sizes=True, **LOCAL
        )
    refuse_differences(kept, found.text_config, found.shown, _wrapper(found))
    model.name_or_path = model.config.name_or_path = ""
    if found.quantized:
        _forget_packing(model)
    with quiet(), reading(found.folder, shown, what="tokenizer", where=found.shown):
        refuse_own_tokenizer(shown, found.shown)
        tokenizer = read_tokenizer(shown)
    return model, tokenizer, kept


def _refuse_larger(shown: Path, found: Inspected) -> None:
    """Refuse a configuration of another size before it uses memory: on the meta device a model needs none.

    Raises ModelFileError for that, and for values that cannot form a model.
    """
    where = f"{found.shown}/{CONFIG}"
    config = transformers.AutoConfig.from_pretrained(shown, **LOCAL)
    try:
        with torch.device("meta"):
            described = transformers.AutoModelForCausalLM.from_config(config).num_parameters()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".replace(str(shown), found.shown).split())[:300]
        raise ModelFileError(
            f"transformers {transformers.__version__} cannot build a model from this configuration ({reason})",
            where=where, remedy=sizes.remedy(where),
        ) from error  # fmt: skip
    sizes.refuse_larger(described, found.tensors.values(), where)


def _forget_packing(model: PreTrainedModel) -> None:
    """Make the model save its current form, plain numbers under plain names.

    transformers keeps the quantizer of a source and would give the tensors the names and scales of the packed ones
    again. Its renaming of scales (``.scale``, ``.qscale_weight``) has no effect on plain names; reversed, it would.
    """
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    used = getattr(model, "_weight_conversions", None) or []
    model._weight_conversions = [one for one in used if not _packs(one)]


class _Conversion(Protocol):
    """The parts of transformers' renaming and merging at load that are used here."""

    source_patterns: list[str]
    target_patterns: list[str]


def _packs(conversion: _Conversion) -> bool:
    """Whether one of transformers' conversions reads or names a packed tensor or its scales."""
    patterns = [*conversion.source_patterns, *conversion.target_patterns]
    return any(part in pattern for part in ("_blocks", "scale_inv", "_scales") for pattern in patterns)


def _wrapper(found: Inspected) -> str:
    if not found.rules:
        return ""
    by = " and ".join(dict.fromkeys(str(rule["by"]) for rule in found.rules))
    return (
        f"The names look like those of a wrapped model ({by}), but they do not fit without the wrapper either. "
        "Unwrap the model and save it again with save_pretrained (for peft: merge_and_unload() first)"
    )


def _rename(source: Path, target: Path, own: Mapping[str, str]) -> None:
    """Copy a safetensors file with other tensor names; the values stay unchanged."""
    with source.open("rb") as stream, target.open("wb") as out:
        length = struct.unpack("<Q", stream.read(8))[0]
        header = table(jsontext.parse(stream.read(length)))
        raw = json.dumps({own.get(name, name): entry for name, entry in header.items()}).encode()
        raw += b" " * (-len(raw) % 8)
        out.write(struct.pack("<Q", len(raw)) + raw)
        while piece := stream.read(_COPY_BYTES):
            out.write(piece)


def _write_index(shown: Path, found: Inspected) -> None:
    index = shown / "model.safetensors.index.json"
    index.unlink()
    weight_map = {found.own[name]: one.file for name, one in found.tensors.items()}
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}), encoding="utf-8")
