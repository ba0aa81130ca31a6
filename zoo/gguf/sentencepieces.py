"""A sentencepiece model (tokenizer.model) for model folders that have none.

For some families llama.cpp's converter reads sentencepiece-style vocabularies from tokenizer.model alone. Without it
the file would get a different kind of tokenizer, or one score for all merges. transformers 5 saves tokenizer.json only,
and a GGUF file holds the vocabulary in its header. Both say the same as tokenizer.model: pieces, scores and types.

Format: protocol buffers, sentencepiece_model.proto of https://github.com/google/sentencepiece (field numbers below).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.jsonvalues import listed, table, tables, whole
from zoo.gguf.layout import Bytes, Entry, opened, read_raw

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_BPE = 2


@dataclass(frozen=True)
class Pieces:
    """A vocabulary by id. ``types`` are sentencepiece's, which are also those of ``tokenizer.ggml.token_type``."""

    texts: Sequence[str]
    scores: Sequence[float]
    types: Sequence[int]
    dummy_prefix: bool

    def model(self) -> bytes:
        """The bytes of a tokenizer.model."""
        unknown = self.types.index(UNKNOWN)
        trainer = _number(3, _BPE) + _number(4, len(self.texts)) + _number(35, int(BYTE in self.types))
        # Ids of begin and end come from the folder's own JSON files, so none is set here.
        trainer += _number(40, unknown) + b"".join(_number(field, -1) for field in (41, 42, 43))
        trainer += _bytes(45, self.texts[unknown].encode())
        normalizer = (
            _bytes(1, b"identity") + _number(3, int(self.dummy_prefix)) + _number(4, 0) + _number(5, 1)
        )
        pieces = (
            _bytes(1, _bytes(1, text.encode("utf-8")) + _float(2, score) + _number(3, kind))
            for text, score, kind in zip(self.texts, self.scores, self.types, strict=True)
        )
        return b"".join(pieces) + _bytes(2, trainer) + _bytes(3, normalizer)


def of_tokenizer(tokenizer: Mapping[str, object], unknown: str | None = None) -> Pieces | None:
    """The pieces of a tokenizer.json; None if it is not BPE with byte fallback, or its ids have gaps.

    unknown: the unknown token if tokenizer.json does not name one, as transformers 5 writes it for Llama; without one
    it is the added token ``<unk>``. Byte fallback leaves nothing unknown, so the choice does not change how text is
    split. A piece's score is minus the rank of the first merge that makes it: joining the best piece first then follows
    the merges.
    """
    model = table(tokenizer.get("model"))
    unknown = str(model.get("unk_token") or unknown or "<unk>")
    if model.get("type") != "BPE" or not model.get("byte_fallback") or not model.get("merges"):
        return None
    added = {whole(token["id"]): token for token in tables(tokenizer.get("added_tokens"))}
    texts = {number: text for text, number in table(model["vocab"]).items() if isinstance(number, int)}
    texts |= {number: str(token["content"]) for number, token in added.items()}
    if sorted(texts) != list(range(len(texts))) or len(set(texts.values())) != len(texts):
        return None
    ranks: dict[str, int] = {}
    for merge in listed(model["merges"]):
        ranks.setdefault(_joined(merge), len(ranks))
    ordered = [texts[number] for number in range(len(texts))]
    types = [_type(text, added.get(number), unknown) for number, text in enumerate(ordered)]
    scores = [
        -float(ranks.get(text, 0)) if kind == NORMAL else 0.0
        for text, kind in zip(ordered, types, strict=True)
    ]
    if types.count(UNKNOWN) != 1:
        return None
    return Pieces(ordered, scores, types, puts_space(tokenizer))


def contradicts(path: Path, tokenizer: Mapping[str, object]) -> bool:
    """Whether the sentencepiece model at ``path`` joins pieces in a different order from the merges of a
    tokenizer.json.

    A merge must not make a better piece than the merge before it; of several merges that make one piece the first
    counts, as in ``of_tokenizer``. transformers 5 writes merges by id where it has no tokenizer.json to read; Llama's
    runs of spaces, which come last by score, then come first. A merge that makes an added token, such as Gemma's runs
    of line breaks, is ignored: both sides find those before any merge, whatever their score. True for a file that
    sentencepiece cannot read.
    """
    from sentencepiece import SentencePieceProcessor

    try:
        reader = SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError):
        return True
    last, made = math.inf, set[str]()
    added = {token["content"] for token in tables(tokenizer.get("added_tokens"))}
    for merge in listed(table(tokenizer.get("model")).get("merges")):
        text = _joined(merge)
        number = reader.piece_to_id(text)
        again = text in made
        made.add(text)
        if again or text in added or number == reader.unk_id():
            continue
        if reader.is_control(number) or reader.is_unused(number):
            continue
        score = reader.get_score(number)
        if score > last:
            return True
        last = score
    return False


def disagree(path: Path | None, tokenizer: Mapping[str, object] | None) -> bool:
    """Whether a folder has both files, of the same kind, and they contradict each other."""
    return bool(path and tokenizer and of_tokenizer(tokenizer) is not None and contradicts(path, tokenizer))


def of_gguf(path: Path) -> Pieces | None:
    """The pieces in a GGUF file's header; None for another kind of vocabulary."""
    with opened(path) as source:
        entries = read_raw(source).entries
        names = ("model", "tokens", "scores", "token_type")
        found = {name: entries.get(f"tokenizer.ggml.{name}") for name in names}
        if None in found.values() or _text(source, found["model"]) != "llama":
            return None
        texts = _strings(source, found["tokens"])
        scores = [float(score) for score in _numbers(source, found["scores"])]
        types = [int(kind) for kind in _numbers(source, found["token_type"])]
        prefix = entries.get("tokenizer.ggml.add_space_prefix")
        dummy = prefix is None or bool(source.data[prefix.start])
        unknown = entries.get("tokenizer.ggml.unknown_token_id")
        number = struct.unpack_from("<I", source.data, unknown.start)[0] if unknown else -1
    if UNKNOWN not in types and 0 <= number < len(types):
        # Many files call it a control token, as tokenizer_config.json does; a sentencepiece model needs exactly one.
        types[number] = UNKNOWN
    if types.count(UNKNOWN) != 1 or len(set(texts)) != len(texts) or "" in texts:
        return None
    return Pieces(texts, scores, types, dummy)


def _joined(merge: object) -> str:
    """The piece that a merge makes; tokenizer.json writes one as a pair, or as a text with a space between both."""
    return "".join(merge) if isinstance(merge, list) else str(merge).replace(" ", "", 1)


def _type(text: str, added: Mapping[str, object] | None, unknown: str) -> int:
    if text == unknown:
        return UNKNOWN
    if added is not None:
        return CONTROL if added.get("special") else USER_DEFINED
    return BYTE if _BYTE.fullmatch(text) else NORMAL


def puts_space(tokenizer: Mapping[str, object]) -> bool:
    """Whether a tokenizer.json puts a space before the text: in the normalizer, or in Llama's pre-tokenizer of
    transformers 5."""
    cutter = table(tokenizer.get("pre_tokenizer"))
    spaces = cutter.get("type") == "Metaspace" and cutter.get("prepend_scheme") != "never"
    return spaces or "Prepend" in _kinds(table(tokenizer.get("normalizer")))


def _kinds(normalizer: Mapping[str, object]) -> set[str]:
    """Types of a normalizer and of the parts of a sequence; none for an empty one."""
    if not normalizer:
        return set()
    parts = tables(normalizer.get("normalizers"))
    return {str(normalizer.get("type"))}.union(*map(_kinds, parts))


def _text(source: Bytes, entry: Entry | None) -> str:
    return source.data[entry.start + 8 : entry.end].decode("utf-8", errors="replace") if entry else ""


def _numbers(source: Bytes, entry: Entry | None) -> tuple[float, ...]:
    """The 32-bit floats or 32-bit whole numbers of an array that ``read_raw`` has checked."""
    assert entry is not None
    block = bytes(source.data[entry.start : entry.end])
    return struct.unpack(f"<{entry.count}{'f' if entry.item_type == 6 else 'i'}", block)


def _strings(source: Bytes, entry: Entry | None) -> list[str]:
    """The texts of an array that ``read_raw`` has checked."""
    assert entry is not None
    block = bytes(source.data[entry.start : entry.end])
    texts, place = [], 0
    for _ in range(entry.count):
        (length,) = struct.unpack_from("<Q", block, place)
        texts.append(block[place + 8 : place + 8 + length].decode("utf-8", errors="replace"))
        place += 8 + length
    return texts


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _bytes(field: int, value: bytes | Iterable[int]) -> bytes:
    raw = bytes(value)
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw
