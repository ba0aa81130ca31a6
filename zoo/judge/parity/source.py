"""Whether the exported file keeps what the source itself says. Pure.

The other checks compare the file with the imported folder, so they cannot detect what the import lost or rewrote. The
import step records what the source's own small files say (``zoo.modelfolder.record``); the file is compared with that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from catalog.jsonvalues import number
from zoo.judge.parity.check import Check
from zoo.judge.parity.seen import Seen
from zoo.judge.parity.sourcerecord import EndToken, SourceRecord, VocabularyFacts

_SAME_CUT = (
    "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2",
    "dbrx smaug-bpe",
    "gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de gigachat a.x-4.0 mellum modern-bert mpt olmo jais trillion "
    "granite-docling",
    "qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 megrez hunyuan solar-open",
    "gpt-4o llama4 kanana2",
    "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2",
)
SAME_CUT = tuple(frozenset(names.split()) for names in _SAME_CUT)
"""Names of pre-tokenizers that split text alike in llama.cpp (llama-vocab.cpp), and also look up complete pieces first
alike."""

CONTRADICTED = (
    "The source has two tokenizers that join pieces in different orders, tokenizer.json and tokenizer.model. The files "
    "follow tokenizer.json, as transformers does; a program that reads tokenizer.model cuts some texts otherwise."
)

TEXT_KINDS = frozenset((1, 2, 5))
"""Types of tokens that are plain text: normal, unknown, unused. Control, user-defined and byte tokens act
differently."""


def source(record: SourceRecord | None, file: Seen, facts: VocabularyFacts) -> Check:
    """record: content of source.json, None if the import wrote none. facts: of the file, ``zoo.gguf.vocabfacts``."""
    if record is None:
        return Check("source", True, "The import recorded nothing of the source.")
    done = []
    for name, found in _differences(record, file, facts):
        if found is not None:
            return Check("source", False, found)
        done.append(name)
    said = f"The file keeps what the source says: {', '.join(done)}."
    return Check("source", True, said, CONTRADICTED if record.get("pieces_contradicted") else "")


def _differences(
    record: SourceRecord, file: Seen, facts: VocabularyFacts
) -> Iterator[tuple[str, str | None]]:
    """What can be compared, each with the difference in words or None."""
    if ends := _ends(record["end_tokens"]):
        yield "end tokens", _lost_end(ends, file)
    context = record["context_tokens"]
    if isinstance(context, int) and "context_length" in file.parameters:
        have = file.parameters["context_length"].value
        said = (
            f"The source has a context of {context} tokens, the file of {have:g}."
            if have != context
            else None
        )
        yield "context", said
    words = record["tokenizer"]
    size = words["vocabulary_size"]
    if isinstance(size, int) and "vocab_size" in file.parameters:
        yield (
            "vocabulary size",
            _vocabulary(size, record["embedding_rows"], number(file.parameters["vocab_size"].value)),
        )
    if tokens := words.get("tokens_sha256"):
        said = "The list of tokens is not the source's: a token has another text or another number."
        yield "list of tokens", None if tokens == facts["tokens_sha256"] else said
    if (ours := words.get("token_types")) and (theirs := facts["token_types"]):
        yield "types of tokens", _types(ours, theirs, file)
    if (rule := words.get("pre_tokenizer")) and (own := facts["pre_tokenizer"]):
        yield "pre-tokenizer", _cut(rule, own)


def _ends(listed: Sequence[EndToken]) -> Mapping[int, str]:
    """Id -> the file that names it. If generation_config.json names ends, transformers uses nothing else."""
    generation = [end for end in listed if end["file"] == "generation_config.json"]
    counted = generation or [end for end in listed if not end["file"].startswith(("tokenizer_", "special_"))]
    return {end["id"]: end["file"] for end in counted}


def _lost_end(ends: Mapping[int, str], file: Seen) -> str | None:
    for token, place in ends.items():
        if token not in file.ends:
            return f"{place} of the source ends an answer after {file.named(token)}; {file.side} goes on."
    return None


def _vocabulary(size: int, rows: int | None, have: float) -> str | None:
    """Rows of an embedding beyond its tokens may be kept or not."""
    most = max(size, rows) if isinstance(rows, int) else size
    if size <= have <= most:
        return None
    return f"The source has {size} tokens{f' and {rows} rows for them' if most > size else ''}, the file has {have:g}."


def _types(ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]], file: Seen) -> str | None:
    pairs = zip(_spread(ours), _spread(theirs), strict=False)
    for token, (one, other) in enumerate(pairs):
        if one != other and not {one, other} <= TEXT_KINDS:
            return f"Token {file.named(token)} has the type {one} in the source and {other} in the file."
    return None


def _spread(runs: Sequence[Sequence[int]]) -> Iterator[int]:
    for kind, count in runs:
        yield from (kind for _ in range(count))


def _cut(one: str, other: str) -> str | None:
    if one == other or any({one, other} <= group for group in SAME_CUT):
        return None
    return f"The source cuts text by the rule {one!a} (tokenizer.ggml.pre), the file by {other!a}."
