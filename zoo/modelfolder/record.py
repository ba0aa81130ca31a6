"""source.json: facts of the source, for checking everything made from it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from catalog import jsontext
from catalog.jsonvalues import texts
from catalog.quants import QUANTS
from catalog.shapes import WrongShape, shaped
from zoo.errors import ModelFileError
from zoo.files.digests import pretty_json, sha256_file
from zoo.files.whole import write_atomic
from zoo.gguf.header import Header
from zoo.gguf.layout import PLAIN, Scalar
from zoo.judge.parity.sourcerecord import SourceRecord, SourceTokenizer, VocabularyFacts
from zoo.modelfolder.inspection import Inspected, end_tokens

FILE = "source.json"
FORMAT = "zoo-source/1"
PLAIN_TYPES = ("F64", *PLAIN)
"""Types of a GGUF file whose values are numbers as they are."""
CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")


def of_folder(found: Inspected) -> SourceRecord:
    """The record of a model folder."""
    config = found.text_config
    context = next((size for key in CONTEXT_KEYS if isinstance(size := config.get(key), int)), None)
    return {
        "format": FORMAT,
        "kind": "folder",
        "files": {name: sha256_file(path) for name, path in found.files.items() if name not in found.shards},
        "quantized": found.quantized,
        "end_tokens": end_tokens(found.small, found.vocabulary),
        "tokenizer": {
            "vocabulary_size": found.vocabulary.size,
            "normalizers": list(found.vocabulary.normalizers),
            "model_type": found.vocabulary.model_type,
        },
        "embedding_rows": found.rows,
        "context_tokens": context,
        "architecture": next(iter(texts(found.config.get("architectures"))), None),
        "renamed": [dict(rule) for rule in found.rules],
        "notes": list(found.notes),
    }


def of_gguf(header: Header, facts: VocabularyFacts) -> SourceRecord:
    """The record of a GGUF file. facts: of its vocabulary (``zoo.gguf.vocabfacts``)."""
    metadata = header.metadata
    tokenizer: SourceTokenizer = {
        "vocabulary_size": header.vocabulary_size,
        "normalizers": [],
        "model_type": _text(metadata.get("tokenizer.ggml.model")),
        **facts,
    }
    keys = ("eos", "eot", "eom")
    ends = {f"tokenizer.ggml.{key}_token_id": metadata.get(f"tokenizer.ggml.{key}_token_id") for key in keys}
    return {
        "format": FORMAT,
        "kind": "gguf",
        "files": {},
        "quantized": _quantized(header),
        "end_tokens": [
            {"id": number, "file": key} for key, number in ends.items() if isinstance(number, int)
        ],
        "tokenizer": tokenizer,
        "embedding_rows": next((t.shape[-1] for t in header.tensors if t.name == "token_embd.weight"), None),
        "context_tokens": header.context_tokens,
        "architecture": _text(metadata.get("general.architecture")),
        "renamed": [],
        "notes": [],
    }


def _quantized(header: Header) -> str | None:
    """The file's own word for its type (``general.file_type``), as its name and its readers use it: most matrices of a
    Q4_K_M whose rows are 640 wide are Q5_0. Without a known one, the type of most of its quantized matrices. None where
    no matrix is quantized.
    """
    types = Counter(tensor.type_name for tensor in header.tensors if len(tensor.shape) > 1)
    small = next((name for name, _ in types.most_common() if name not in PLAIN_TYPES), None)
    if small is None:
        return None
    declared = (name for name, quant in QUANTS.items() if quant.number == header.file_type and name not in PLAIN_TYPES)
    return next(declared, small)


def _text(value: Scalar | None) -> str | None:
    return value if isinstance(value, str) else None


def read(folder: Path) -> SourceRecord | None:
    """The content of ``source.json`` of an imported folder; None where there is none, or one of another program.

    Raises ModelFileError for one that was changed.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        found: object = jsontext.read(path, bounded=False)
    except jsontext.NotJson:
        return None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        return None
    try:
        return shaped(found, SourceRecord)
    except WrongShape as error:
        raise ModelFileError(
            f"The file is not what the import writes: {error}", where=FILE,
            remedy="Delete it. The import writes it again",
        ) from error  # fmt: skip


def write(folder: Path, record: SourceRecord) -> None:
    """Write ``source.json`` into ``folder``, atomically."""
    write_atomic(folder / FILE, pretty_json(record))
