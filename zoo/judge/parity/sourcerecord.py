"""The shape of source.json: what the import records about a source (``zoo.modelfolder.record``) and the checks read."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class EndToken(TypedDict):
    """A token that ends an answer, and the file or the key that names it."""

    id: int
    file: str


class VocabularyFacts(TypedDict):
    """A GGUF file's facts about its vocabulary (``zoo.gguf.vocabfacts``)."""

    tokens_sha256: str | None
    token_types: list[list[int]] | None
    pre_tokenizer: str | None


class SourceTokenizer(TypedDict):
    """vocabulary_size: None if no file has it. The last three are a GGUF source's ``VocabularyFacts``."""

    vocabulary_size: int | None
    normalizers: list[str]
    model_type: str | None
    tokens_sha256: NotRequired[str | None]
    token_types: NotRequired[list[list[int]] | None]
    pre_tokenizer: NotRequired[str | None]


class SourceRecord(TypedDict):
    """kind: "folder" or "gguf". files: sha256 by name of the small files. quantized: the format of the weights, None
    for plain ones. renamed: how a wrapper's names were changed. pieces_contradicted: tokenizer.model joins pieces in
    another order. beyond_float16: matrices that float16 cannot represent.
    """

    format: str
    kind: str
    files: dict[str, str]
    quantized: str | None
    end_tokens: list[EndToken]
    tokenizer: SourceTokenizer
    embedding_rows: int | None
    context_tokens: int | None
    architecture: str | None
    renamed: list[dict[str, object]]
    notes: list[str]
    pieces_contradicted: NotRequired[bool]
    beyond_float16: NotRequired[list[str]]
