"""From a GGUF file or a Hugging Face folder to one plain model folder, optionally with some layers only.

The folder holds the tokenizer and safetensors, in float16 or, where that cannot hold the weights, in bfloat16
(``precision``). Its bytes depend on the source, the layers and the library versions, never on the path of the source.
The result is compared with the source before it is used.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from catalog import jsontext
from catalog.jsonvalues import table
from catalog.words import counted
from zoo.gguf import sentencepieces
from zoo.judge.parity.sourcerecord import SourceRecord
from zoo.modelfolder import owncode, record, templates, trimming, unsupported, vocabulary
from zoo.modelfolder.files import SINGLE, TOKENIZER
from zoo.modelfolder.inspection import Inspected, inspect, needed_tokens
from zoo.progress import Reporter
from zoo.training import fidelity, ggufvalues, linking, precision, sameness
from zoo.training.folders import load_folder
from zoo.training.ggufs import load_gguf
from zoo.training.layers import layer_count, prune
from zoo.training.models import clean_json, quiet, refuse_infinite, save_model
from zoo.training.writing import writing

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

INFINITE = "Fetch the file again and compare its SHA-256 with the published one, or use another model"


@dataclass(frozen=True)
class ImportReport:
    """The written model. parameters counts tied weights once; context_tokens is the model's own limit, if it
    has one. notes: what is reported about the source, in sentences.
    """

    architecture: str
    parameters: int
    layers_kept: tuple[int, ...]
    layers_total: int
    context_tokens: int | None
    vocabulary_size: int
    dtype: str
    notes: tuple[str, ...] = ()


def import_model(
    source: Path,
    out: Path,
    report: Reporter,
    *,
    layers: tuple[int, ...] | None = None,
    root: Path | None = None,
    as_stored: bool = False,
) -> ImportReport:
    """Write the model of ``source`` into the folder ``out``, keeping ``layers`` in that order (None: all).

    root: the zoo's folder, in which links of a model folder may end. as_stored: use a folder's weight files as they
    are, if all weights are in one format of 16 bits and no layer is dropped. Also writes ``source.json``, unless layers
    are dropped (then it is another model). Raises ModelFileError for a file that is damaged, pickled, incomplete or of
    another kind, InputError for layers that it does not have.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".import.") as scratch:
        if source.is_dir():
            found = inspect(source, root)
            dtype = linking.own_dtype(found) if as_stored and layers is None else None
            if dtype:
                model, total, kept, said = _link_folder(found, out, Path(scratch), dtype, report)
            else:
                model, total, kept, said = _import_folder(found, out, Path(scratch), layers, report)
        else:
            model, total, kept, said = _import_gguf(source, out, report, layers)
    if layers is None:
        record.write(out, said)
    for note in said["notes"]:
        report.say(f"  {source.name}: {note}")
    config = model.config
    layers_said = counted(total, "layer") if len(kept) == total else f"{len(kept)} of {counted(total, 'layer')}"
    report.say(f"imported {layers_said}, {model.num_parameters():,} parameters")
    return ImportReport(
        architecture=str(config.architectures[0]),
        parameters=int(model.num_parameters()),
        layers_kept=kept,
        layers_total=total,
        context_tokens=getattr(config, "max_position_embeddings", None),
        vocabulary_size=int(config.get_text_config().vocab_size),
        dtype=str(config.dtype).removeprefix("torch."),
        notes=tuple(said["notes"]),
    )


class _Imported(NamedTuple):
    """Model, number of layers of the source, layers that were kept, content of source.json."""

    model: PreTrainedModel
    total: int
    kept: tuple[int, ...]
    said: SourceRecord


def _import_folder(
    found: Inspected, out: Path, scratch: Path, layers: tuple[int, ...] | None, report: Reporter
) -> _Imported:
    format_ = precision.of_folder(found)
    model, tokenizer, account = load_folder(found, scratch, format_.dtype)
    total, kept, name = _kept(model, layers)
    _refuse_bad(model, found, report)
    save_model(model, out, format_.dtype)
    notes = fidelity.check(found, out / SINGLE, account, layers=name, order=None if layers is None else kept)
    said = _words(found, tokenizer, out)
    if lost := _trim(found, model, out):
        said["tokenizer"]["vocabulary_size"] = min(lost.values())
        notes = [one for one in (vocabulary.left_out(lost), *notes) if one not in said["notes"]]
    return _Imported(model, total, kept, _precise(said, format_, notes))


def _link_folder(found: Inspected, out: Path, scratch: Path, dtype: torch.dtype, report: Reporter) -> _Imported:
    """The folder with the source's own weight files. Loading it is the test that transformers reads all of them."""
    model, tokenizer, _ = load_folder(found, scratch, dtype)
    total, kept, _ = _kept(model, None)
    _refuse_bad(model, found, report)
    linking.link_model(found, model, out, dtype)
    said = _words(found, tokenizer, out)
    if lost := _trim(found, model, out):
        said["tokenizer"]["vocabulary_size"] = min(lost.values())
        said["notes"] += [one for one in (vocabulary.left_out(lost),) if one not in said["notes"]]
    return _Imported(model, total, kept, said)


def _refuse_bad(model: PreTrainedModel, found: Inspected, report: Reporter) -> None:
    name = found.folder.name
    files = {own: f"{name}/{found.tensors[stored].file}" for stored, own in found.own.items()}
    _refuse_unfilled(model, files, name, report)
    for sentence in owncode.remarks(found.small):
        report.warn(f"{name}: {sentence}")


def _words(found: Inspected, tokenizer: PreTrainedTokenizerBase, out: Path) -> SourceRecord:
    """Write the tokenizer; the record of the source."""
    _save_tokenizer(found.files, tokenizer, out)
    said = record.of_folder(found)
    if sentencepieces.disagree(found.files.get("tokenizer.model"), found.small.get("tokenizer.json")):
        said["pieces_contradicted"] = True
        said["notes"].append(
            "tokenizer.model joins pieces in another order than tokenizer.json; tokenizer.json counts, as in "
            "transformers"
        )
    return said


def _import_gguf(source: Path, out: Path, report: Reporter, layers: tuple[int, ...] | None) -> _Imported:
    loaded = load_gguf(source, report)
    total, kept, _ = _kept(loaded.model, layers)
    format_ = precision.of_model(loaded.model)
    _refuse_unfilled(loaded.model, dict.fromkeys(loaded.model.state_dict(), source.name), source.name, report)
    save_model(loaded.model, out, format_.dtype)
    if loaded.by_name and layers is None:
        with report.task(f"comparing with {source.name}", None, "tensors") as advance:
            ggufvalues.check(source, out / SINGLE, advance)
    _save_tokenizer({}, loaded.tokenizer, out)
    _drop_inventions(out, loaded.vocabulary_size)
    pieces = sentencepieces.of_gguf(source)
    if pieces is not None:
        (out / "tokenizer.model").write_bytes(pieces.model())
    return _Imported(loaded.model, total, kept, _precise(loaded.said, format_, []))


def _refuse_unfilled(model: PreTrainedModel, files: Mapping[str, str], name: str, report: Reporter) -> None:
    """Raises ModelFileError for infinity, NaN, and weights that were never filled; warns of a matrix that was not."""
    same = refuse_infinite(model, remedy=INFINITE, files=files)
    for sentence in sameness.judge(model, same, name):
        report.warn(f"{name}: {sentence}")


def _precise(said: SourceRecord, format_: precision.Format, notes: list[str]) -> SourceRecord:
    """The record with what float16 cannot represent, and more notes."""
    notes = [*said["notes"], *notes, *format_.notes()]
    return {**said, "beyond_float16": list(format_.matrices), "notes": notes}


def _trim(found: Inspected, model: PreTrainedModel, out: Path) -> dict[str, int]:
    """Remove markers without a row from the written tokenizer, and return them with their numbers.

    A tokenizer.json that was made here from a SentencePiece model is checked for the first time.
    """
    if not (out / "tokenizer.json").is_file():
        return {}
    words = vocabulary.read(table(jsontext.read(out / "tokenizer.json", bounded=False)), None)
    rows = int(model.get_input_embeddings().weight.shape[0])
    lost = vocabulary.without_row(words, rows, needed_tokens(found), templates.choose(found.files).text or "")
    if lost:
        trimming.trim(out, lost)
    return lost


def _drop_inventions(out: Path, size: int) -> None:
    """Remove tokens that transformers' GGUF reader adds after the file's own ``size`` tokens: it gives every Llama
    vocabulary an ``<|endoftext|>``."""
    words = vocabulary.read(table(jsontext.read(out / "tokenizer.json", bounded=False)), None)
    every = {**words.words, **words.added}
    trimming.trim(out, {text for text, number in every.items() if number >= size})


def _kept(model: PreTrainedModel, layers: tuple[int, ...] | None) -> tuple[int, tuple[int, ...], str]:
    """The number of layers, the kept ones, and the name of their list (empty if it was not needed)."""
    total = layer_count(model)
    if layers is None:
        return total, tuple(range(total)), ""
    name = prune(model, layers)
    # The kept layers may have kinds, or an order, that the complete model did not have.
    unsupported.refuse(model.config.to_dict())
    return total, layers, name


def _save_tokenizer(files: Mapping[str, Path], tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    """Copy a folder's tokenizer files unchanged; transformers writes a GGUF's tokenizer."""
    if "tokenizer.json" in files:
        for name in TOKENIZER:
            if name in files:
                shutil.copyfile(files[name], out / name)
    else:
        with quiet(), writing():
            tokenizer.save_pretrained(out)
    clean_json(out / "tokenizer_config.json")
    templates.settle(out)
