"""Loading a GGUF file through transformers: every tensor must reach the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
import transformers.modeling_gguf_pytorch_utils as gguf_reader

from zoo.errors import ModelFileError
from zoo.gguf import caches, sentencepieces
from zoo.gguf.header import Header, read_header, read_metadata
from zoo.gguf.padding import EMBEDDING
from zoo.gguf.vocabfacts import vocabulary_facts
from zoo.judge.parity.sourcerecord import SourceRecord
from zoo.modelfolder import record, sizes, specialtokens
from zoo.modelfolder.ggufsources import FOLDER_INSTEAD, refuse_other, refuse_unreadable
from zoo.modelfolder.smallfiles import refuse_pointer
from zoo.progress import Reporter
from zoo.training import ggufconstants, ownpieces, pretokenizers, ropefactors
from zoo.training.exactly import account, refuse_differences
from zoo.training.ggufvalues import EXPERTS
from zoo.training.models import LOCAL, quiet, reading

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GGUF_MAGIC = b"GGUF"
WIDE_TYPES = ("F64", "F32", "BF16")


@dataclass(frozen=True)
class LoadedGguf:
    """model (float16, on the CPU), tokenizer, and the content of source.json.

    by_name: it used the reader that only renames, reorders and shifts, so its values can be compared.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    said: SourceRecord
    vocabulary_size: int
    by_name: bool


def load_gguf(source: Path, report: Reporter) -> LoadedGguf:
    """Raises ModelFileError for an invalid file, or one whose tensors are not exactly the architecture's."""
    header = _check(source)
    refuse_unreadable(header.architecture, source.name)
    shapes = [tensor.shape for tensor in header.tensors]
    width = next((tensor.shape[0] for tensor in header.tensors if tensor.name == EMBEDDING), None)
    sizes.refuse_beyond_tensors(header.architecture, header.metadata, shapes, source.name, width)
    specialtokens.refuse_beyond(header.metadata, header.vocabulary_size, source.name)
    named_ = {"gguf_file": source.name, **LOCAL}
    with (
        quiet(),
        reading(source),
        report.task(f"reading the tokenizer of {source.name}", 1, "files") as advance,
    ):
        tokenizer = transformers.AutoTokenizer.from_pretrained(source.parent, **named_)
        pretokenizers.fit(tokenizer, header.metadata, source.name)
        ownpieces.fit(tokenizer, sentencepieces.of_gguf(source))
        advance(1)
    with (
        report.task(f"reading {source.name}", len(header.tensors), "tensors") as advance,
        quiet(advance),
        _used_names() as used,
        account() as kept,
        reading(source),
    ):
        model = transformers.AutoModelForCausalLM.from_pretrained(
            source.parent, dtype=_dtype(header), ignore_mismatched_sizes=True, **named_
        )
    scaled = used.names is not None and _scale_rope(model, source, header)
    if used.names is not None and kept.info is not None:
        kept.info.unexpected_keys |= _unused(header, used.names) - ({ropefactors.TENSOR} if scaled else set())
    by = "what transformers reads of the file's header"
    refuse_differences(kept, model.config.to_dict(), source.name, FOLDER_INSTEAD, by)
    # transformers remembers that the weights were quantized and would refuse to write them as plain floats.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    said = record.of_gguf(header, vocabulary_facts(source))
    said["notes"] += ggufconstants.settle(model, header.architecture, said["end_tokens"])
    said["notes"] += ggufconstants.settle_windows(model, caches.windowed(header))
    return LoadedGguf(model, tokenizer, said, header.vocabulary_size, by_name=used.names is not None)


def _dtype(header: Header) -> torch.dtype:
    """float32 if the file has matrices with a larger range than float16's, which can only be checked in float32."""
    wide = {tensor.type_name for tensor in header.tensors if len(tensor.shape) > 1} & set(WIDE_TYPES)
    return torch.float32 if wide else torch.float16


def _scale_rope(model: PreTrainedModel, source: Path, header: Header) -> bool:
    """State the rope's scaling in the configuration, from the factors of the file. False for a file without factors.

    Raises ModelFileError for factors that the configuration cannot state.
    """
    if not any(tensor.name == ropefactors.TENSOR for tensor in header.tensors):
        return False
    rope, found = getattr(model.config, "rope_parameters", None), ropefactors.read(source)
    turned = header.metadata.get(f"{header.architecture}.rope.dimension_count")
    if found is None or not isinstance(rope, dict) or "rope_theta" not in rope or turned != 2 * len(found):
        return False
    if stated := ropefactors.scaling(found, float(rope["rope_theta"]), source.name):
        model.config.rope_parameters = {**rope, **stated}
    return True


class _Used:
    """GGUF names that transformers' reader maps to weights; None until it reports them."""

    names: set[str] | None = None


@contextmanager
def _used_names() -> Iterator[_Used]:
    """Within the block, records the reader's map of names; architectures of its newer reader do not use one."""
    found = _Used()
    before = gguf_reader.get_gguf_hf_weights_map

    def heard(*arguments: object, **more: object) -> dict[str, str]:
        mapping: dict[str, str] = before(*arguments, **more)
        found.names = (found.names or set()) | set(mapping)
        return mapping

    gguf_reader.get_gguf_hf_weights_map = heard
    try:
        yield found
    finally:
        gguf_reader.get_gguf_hf_weights_map = before


def _unused(header: Header, used: set[str]) -> set[str]:
    return {tensor.name for tensor in header.tensors if tensor.name not in used and EXPERTS not in tensor.name}


def _check(source: Path) -> Header:
    """The file's header. Raises ModelFileError for a file that is not a valid GGUF."""
    remedy = "Use a GGUF file or a Hugging Face model folder"
    if not source.is_file():
        raise ModelFileError("There is no such file", where=source.name, remedy=remedy)
    refuse_pointer(source, source.name)
    with source.open("rb") as file:
        head = file.read(16)
    if head[:4] != GGUF_MAGIC or len(head) < 16:
        raise ModelFileError(
            "This is not a GGUF file: its first four bytes are wrong", where=source.name, remedy=remedy
        )
    # For a damaged file, transformers' reader reports an internal error; this one reports what is wrong with the file.
    try:
        refuse_other(read_metadata(source), source.name)
        return read_header(source)
    except ModelFileError as error:
        # The output of a build must not contain the user's folders.
        raise ModelFileError(error.what, where=source.name, remedy=error.remedy or remedy) from error
