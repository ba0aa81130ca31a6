"""From a GGUF file or a Hugging Face folder to one plain model folder, on request with some layers only.

The folder holds float16 safetensors and the tokenizer; its bytes depend on the source, the layers and the
library versions, never on where the source lies.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from zoo.errors import InputError, ModelFileError
from zoo.llama.header import read_header
from zoo.progress import Reporter
from zoo.training.models import LOCAL, check_folder, clean_json, load_tokenizer, quiet, reading, save_model

GGUF_MAGIC = b"GGUF"
SINGLE_DIGITS = ("smollm", "refact", "starcoder", "command-r", "codeshell", "exaone", "minerva-7b")
"""Values of ``tokenizer.ggml.pre`` for which llama.cpp first cuts the text at every \\p{N} and then as GPT-2 does
(llama-vocab.cpp)."""
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)


@dataclass(frozen=True)
class ImportReport:
    """What was written. parameters counts tied weights once; context_tokens is the model's own limit, if it
    has one.
    """

    architecture: str
    parameters: int
    layers_kept: tuple[int, ...]
    layers_total: int
    context_tokens: int | None
    vocabulary_size: int
    dtype: str


def import_model(
    source: Path, out: Path, report: Reporter, *, layers: tuple[int, ...] | None = None
) -> ImportReport:
    """Write the model of ``source`` into the folder ``out``, keeping ``layers`` in that order (None: all).

    Raises ModelFileError for a file that is damaged, pickled or of another kind, InputError for layers it has
    not.
    """
    out.mkdir(parents=True, exist_ok=True)
    model, tokenizer = _load(source, report)
    total = len(_decoder_layers(model))
    kept = tuple(range(total)) if layers is None else layers
    _prune(model, kept)
    save_model(model, out)
    _save_tokenizer(source, tokenizer, out)
    config = model.config
    report.say(f"kept {len(kept)} of {total} layers, {model.num_parameters():,} parameters")
    return ImportReport(
        architecture=str(config.architectures[0]),
        parameters=int(model.num_parameters()),
        layers_kept=kept,
        layers_total=total,
        context_tokens=getattr(config, "max_position_embeddings", None),
        vocabulary_size=int(config.vocab_size),
        dtype="float16",
    )


def _load(source: Path, report: Reporter) -> tuple[Any, Any]:
    """Model (float16, on the CPU) and tokenizer of a GGUF file or folder."""
    if source.is_dir():
        return _load_folder(source)
    return _load_gguf(source, report)


def _load_folder(source: Path) -> tuple[Any, Any]:
    check_folder(source)
    with quiet(), reading(source):
        model = transformers.AutoModelForCausalLM.from_pretrained(
            source, dtype=torch.float16, use_safetensors=True, **LOCAL
        )
    return model, load_tokenizer(source)


def _load_gguf(source: Path, report: Reporter) -> tuple[Any, Any]:
    tensors = _check_gguf(source)
    named = {"gguf_file": source.name, **LOCAL}
    with (
        quiet(),
        reading(source),
        report.task(f"reading the tokenizer of {source.name}", 1, "files") as advance,
    ):
        tokenizer = transformers.AutoTokenizer.from_pretrained(source.parent, **named)
        _cut_digits(tokenizer, source)
        advance(1)
    with (
        report.task(f"reading {source.name}", tensors, "tensors") as advance,
        quiet(advance),
        reading(source),
    ):
        model = transformers.AutoModelForCausalLM.from_pretrained(source.parent, dtype=torch.float16, **named)
    # transformers remembers that the weights were quantized and would refuse to write them as plain floats.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model, tokenizer


def _cut_digits(tokenizer: Any, source: Path) -> None:
    """Let the tokenizer cut every digit off, where the file says so.

    transformers builds the same plain byte-level tokenizer for every GGUF of the kind "gpt2" and does not look at
    ``tokenizer.ggml.pre``. Those of SINGLE_DIGITS then join a space with what follows it (found by the parity check).
    """
    if read_header(source).metadata.get("tokenizer.ggml.pre") not in SINGLE_DIGITS:
        return
    from tokenizers import pre_tokenizers

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None and isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel):
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, backend.pre_tokenizer])


def _check_gguf(source: Path) -> int:
    """The number of tensors. Raises ModelFileError for a file that is no sound GGUF."""
    remedy = "Give a GGUF file or a Hugging Face model folder"
    if not source.is_file():
        raise ModelFileError("There is no such file", where=source.name, remedy=remedy)
    with source.open("rb") as file:
        head = file.read(16)
    if head[:4] != GGUF_MAGIC or len(head) < 16:
        raise ModelFileError(
            "This is no GGUF file (its first four bytes say so)", where=source.name, remedy=remedy
        )
    # transformers' reader says of a damaged file what went wrong inside of it, this one what is wrong with the file.
    try:
        return len(read_header(source).tensors)
    except ModelFileError as error:
        # Where a user's folders lie is no part of what a build says.
        raise ModelFileError(error.what, where=source.name, remedy=error.remedy or remedy) from error


def _decoder_layers(model: Any) -> Any:
    """The model's list of decoder layers; ModelFileError for an architecture that keeps them elsewhere."""
    layers = getattr(model.base_model, "layers", None)
    if not isinstance(layers, torch.nn.ModuleList):
        raise ModelFileError(
            f"The architecture {type(model).__name__} has no plain list of decoder layers",
            remedy="Use a decoder-only model such as Llama, Qwen, Mistral or Gemma",
        )
    return layers


def _prune(model: Any, kept: tuple[int, ...]) -> None:
    """Keep the decoder layers ``kept`` and make the configuration say so.

    Every per-layer list of the configuration (``layer_types`` and its like) is cut alike. ``layer_idx``
    addresses the key-value cache, so it must count the layers that are left.
    """
    layers = _decoder_layers(model)
    total = len(layers)
    if not kept or len(set(kept)) != len(kept) or not all(0 <= number < total for number in kept):
        raise InputError(
            f"layers {list(kept)} cannot be kept: the model has layers 0 to {total - 1}, each once",
            remedy="Correct student.layers in the recipe",
        )
    if kept == tuple(range(total)):
        return
    model.base_model.layers = torch.nn.ModuleList(layers[number] for number in kept)
    for number, layer in enumerate(model.base_model.layers):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                module.layer_idx = number
    for name, value in model.config.to_dict().items():
        if "layer" in name and isinstance(value, list) and len(value) == total:
            setattr(model.config, name, [value[number] for number in kept])
    model.config.num_hidden_layers = len(kept)


def _save_tokenizer(source: Path, tokenizer: Any, out: Path) -> None:
    """Copy a folder's tokenizer files as they are; a GGUF's tokenizer is written anew by transformers."""
    if source.is_dir() and (source / "tokenizer.json").is_file():
        for name in TOKENIZER_FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, out / name)
    else:
        with quiet():
            tokenizer.save_pretrained(out)
    clean_json(out / "tokenizer_config.json")
