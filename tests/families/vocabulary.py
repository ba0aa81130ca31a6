"""Real vocabularies as the tokenizer files of a model folder: from llama.cpp's vocabulary GGUF files.

The files hold tokens, types, scores and merges. How a family normalizes and splits text, and what it puts around it, is
in ``SPLITS`` and in the functions below, as that family's own tokenizer.json has it.
"""

from __future__ import annotations

import functools
import json
import mmap
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llamasource

from zoo.gguf.layout import ARRAY, SCALARS, STRING

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
"""Values of ``tokenizer.ggml.token_type`` (llama.cpp's llama_token_type, which are sentencepiece's)."""

Json = dict[str, Any]
BYTE_LEVEL: Json = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"


def _split(pattern: str) -> Json:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


SPLITS: Mapping[str, Json] = {
    "gpt2": {**BYTE_LEVEL, "use_regex": True},
    "digits": {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, {**BYTE_LEVEL, "use_regex": True}],
    },
    "llama3": {"type": "Sequence", "pretokenizers": [_split(_HEAD + r"\p{N}{1,3}|" + _TAIL), BYTE_LEVEL]},
    "qwen2": {"type": "Sequence", "pretokenizers": [_split(_HEAD + r"\p{N}|" + _TAIL), BYTE_LEVEL]},
    "falcon": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Punctuation", "behavior": "Contiguous"},
            {**BYTE_LEVEL, "use_regex": True},
            {"type": "Digits", "individual_digits": False},
            _split("[0-9][0-9][0-9]"),
        ],
    },
}
"""Pre-tokenizers by the kind of vocabulary."""


@dataclass(frozen=True)
class Raw:
    """What a vocabulary file holds. scores are empty for byte-level vocabularies, merges for sentencepiece ones."""

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    scores: tuple[float, ...]
    merges: tuple[str, ...]
    keys: Mapping[str, Any]


@dataclass(frozen=True)
class Vocabulary:
    """A family's tokenizer.

    source: a vocabulary of llama.cpp's source, or a GGUF file. split: a key of SPLITS; "" for sentencepiece.
    rename: ids of reserved tokens that this family gives another name. more: special tokens after the last one.
    files: which of tokenizer.json and tokenizer.model the family's folders have.
    """

    source: str | Path
    tokenizer_class: str
    split: str = ""
    normalizer: str | None = None
    ignore_merges: bool = False
    dummy_prefix: bool = True
    rename: Mapping[int, str] = field(default_factory=dict)
    more: Sequence[str] = ()
    files: Sequence[str] = ("tokenizer.json",)


@functools.lru_cache(maxsize=4)
def read(source: str | Path) -> Raw:
    """The vocabulary of a GGUF file; a name is one of llama.cpp's source."""
    path = source if isinstance(source, Path) else llamasource.vocabulary(source)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        _, _, _, count = struct.unpack_from("<IIQQ", data, 0)
        place, found = 24, {}
        for _ in range(count):
            key, place = _value(data, place, STRING)
            found[key.removeprefix("tokenizer.ggml.")], place = _value(data, place + 4, _number(data, place))
    arrays = {name: tuple(found.pop(name, ())) for name in ("tokens", "token_type", "scores", "merges")}
    return Raw(arrays["tokens"], arrays["token_type"], arrays["scores"], arrays["merges"], found)


def _number(data: mmap.mmap, place: int) -> int:
    return int(struct.unpack_from("<I", data, place)[0])


def _value(data: mmap.mmap, place: int, kind: int) -> tuple[Any, int]:
    """A value of GGUF's header and where the next one begins."""
    if kind == STRING:
        (length,) = struct.unpack_from("<Q", data, place)
        end = place + 8 + length
        return data[place + 8 : end].decode("utf-8", errors="surrogateescape"), end
    if kind != ARRAY:
        form = "<" + SCALARS[kind]
        return struct.unpack_from(form, data, place)[0], place + struct.calcsize(form)
    item, (count,) = _number(data, place), struct.unpack_from("<Q", data, place + 4)
    if item != STRING:
        form = f"<{count}{SCALARS[item]}"
        return struct.unpack_from(form, data, place + 12), place + 12 + struct.calcsize(form)
    items, place = [], place + 12
    for _ in range(count):
        text, place = _value(data, place, STRING)
        items.append(text)
    return items, place


def tokens_of(vocabulary: Vocabulary) -> tuple[list[str], list[int]]:
    """Tokens and their types by id, with renamed and further ones; unused ones at the end are omitted."""
    raw = read(vocabulary.source)
    tokens, types = list(raw.tokens), list(raw.types)
    # The converter fills the end of the embedding with names like these; a tokenizer does not have them.
    while re.fullmatch(r"\[PAD\d+\]", tokens[-1]):
        tokens.pop(), types.pop()
    kinds = {UNKNOWN: CONTROL}
    types = [
        UNKNOWN if text == "<unk>" else kinds.get(kind, kind)
        for text, kind in zip(tokens, types, strict=True)
    ]
    for number, text in vocabulary.rename.items():
        tokens[number], types[number] = text, CONTROL
    tokens += vocabulary.more
    types += [CONTROL] * len(vocabulary.more)
    return tokens, types


def write(folder: Path, vocabulary: Vocabulary, config: Mapping[str, Any]) -> int:
    """Write tokenizer files and tokenizer_config.json (``config`` in addition to the class); returns the number of
    tokens."""
    tokens, types = tokens_of(vocabulary)
    sentencepiece = not vocabulary.split
    if "tokenizer.json" in vocabulary.files:
        made = _sentencepiece_json if sentencepiece else _byte_level_json
        _dump(folder / "tokenizer.json", made(vocabulary, tokens, types, config))
    if "tokenizer.model" in vocabulary.files:
        (folder / "tokenizer.model").write_bytes(_sentencepiece_model(vocabulary, tokens, types))
    phi3 = vocabulary.source == "phi-3"
    decoder = {str(n): _added(n, tokens[n], types[n], idless=True, phi3=phi3) for n in _added_ids(types)}
    own = {"tokenizer_class": vocabulary.tokenizer_class, "added_tokens_decoder": decoder, **config}
    _dump(folder / "tokenizer_config.json", own)
    return len(tokens)


def _dump(path: Path, data: Json) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False) + "\n", encoding="utf-8")


def _added_ids(types: Sequence[int]) -> list[int]:
    return [number for number, kind in enumerate(types) if kind in (UNKNOWN, CONTROL, USER_DEFINED)]


def _added(number: int, text: str, kind: int, *, idless: bool = False, phi3: bool = False) -> Json:
    flags: Json = {
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
    }
    flags["special"] = kind != USER_DEFINED
    # Phi-3's markers absorb the space after them (its tokenizer.json, and llama.cpp by the model's name).
    flags["rstrip"] = phi3 and (text == "</s>" or (text.startswith("<|") and text != "<|endoftext|>"))
    return flags if idless else {"id": number, **flags}


def _tokenizer(tokens: Sequence[str], types: Sequence[int], config: Mapping[str, Any], **parts: Any) -> Json:
    phi3 = "<|placeholder1|>" in tokens
    added = [_added(n, tokens[n], types[n], phi3=phi3) for n in _added_ids(types)]
    begin = config.get("bos_token") if config.get("add_bos_token") else None
    found: Json = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, **parts}
    if begin is not None:
        number = tokens.index(begin)
        special = {"id": begin, "ids": [number], "tokens": [begin]}
        before = {"SpecialToken": {"id": begin, "type_id": 0}}
        single = [before, {"Sequence": {"id": "A", "type_id": 0}}]
        pair = [
            *single,
            {"SpecialToken": {"id": begin, "type_id": 1}},
            {"Sequence": {"id": "B", "type_id": 1}},
        ]
        found["post_processor"] = {
            "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {begin: special}
        }  # fmt: skip
    return found


def _byte_level_json(
    vocabulary: Vocabulary, tokens: Sequence[str], types: Sequence[int], config: Mapping[str, Any]
) -> Json:
    model = {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
        "ignore_merges": vocabulary.ignore_merges, "vocab": {text: n for n, text in enumerate(tokens)},
        "merges": [merge.split(" ", 1) for merge in read(vocabulary.source).merges],
    }  # fmt: skip
    return _tokenizer(
        tokens, types, config,
        normalizer={"type": vocabulary.normalizer} if vocabulary.normalizer else None,
        pre_tokenizer=SPLITS[vocabulary.split],
        post_processor=BYTE_LEVEL,
        decoder={**BYTE_LEVEL, "use_regex": True},
        model=model,
    )  # fmt: skip


def _sentencepiece_json(
    vocabulary: Vocabulary, tokens: Sequence[str], types: Sequence[int], config: Mapping[str, Any]
) -> Json:
    """Without a dummy prefix as Gemma's, with one as Llama 2's tokenizer.json."""
    spaces: Json = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    prepend: Json = {"type": "Prepend", "prepend": "\u2581"}
    back: Json = {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}
    strip: list[Json] = (
        [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if vocabulary.dummy_prefix else []
    )
    prefixed: Json = {"type": "Sequence", "normalizers": [prepend, spaces]}
    model = {
        "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
        "vocab": {text: n for n, text in enumerate(tokens)}, "merges": _merges(vocabulary, tokens),
    }  # fmt: skip
    return _tokenizer(
        tokens, types, config,
        normalizer=prefixed if vocabulary.dummy_prefix else spaces,
        pre_tokenizer=None, post_processor=None,
        decoder={"type": "Sequence", "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip]},
        model=model,
    )  # fmt: skip


def _merges(vocabulary: Vocabulary, tokens: Sequence[str]) -> list[list[str]]:
    """Pairs in the order in which sentencepiece joins them: by the score of what they make."""
    raw = read(vocabulary.source)
    if raw.merges:
        return [merge.split(" ", 1) for merge in raw.merges]
    known = {text: raw.scores[n] for n, text in enumerate(raw.tokens) if raw.types[n] == NORMAL}
    number = {text: n for n, text in enumerate(tokens)}
    pairs = [
        (-score, number[text[:cut]], number[text[cut:]])
        for text, score in known.items()
        for cut in range(1, len(text))
        if text[:cut] in known and text[cut:] in known
    ]
    return [[tokens[left], tokens[right]] for _, left, right in sorted(pairs)]


def scores_of(vocabulary: Vocabulary) -> list[float]:
    """A score for every token; from the rank of the merge that makes it if the file only has merges."""
    raw = read(vocabulary.source)
    if not raw.merges:
        return list(raw.scores)
    rank: dict[str, int] = {}
    for merge in raw.merges:
        left, _, right = merge.partition(" ")
        rank.setdefault(left + right, len(rank))
    return [-float(rank.get(text, 0)) for text in raw.tokens]


def _sentencepiece_model(vocabulary: Vocabulary, tokens: Sequence[str], types: Sequence[int]) -> bytes:
    from sentencepiece import sentencepiece_model_pb2 as proto

    keys = read(vocabulary.source).keys
    made = proto.ModelProto()
    scores = scores_of(vocabulary)
    for number, (text, kind) in enumerate(zip(tokens, types, strict=True)):
        # Tokens that the family added to its sentencepiece model are in added_tokens_decoder.
        made.pieces.add(piece=text, score=scores[number] if number < len(scores) else 0.0, type=kind)
    spec = made.trainer_spec
    spec.model_type, spec.vocab_size, spec.byte_fallback = 2, len(tokens), True
    spec.unk_id = types.index(UNKNOWN)
    spec.bos_id, spec.eos_id, spec.pad_id = keys["bos_token_id"], keys["eos_token_id"], -1
    spec.unk_piece, spec.bos_piece, spec.eos_piece = (
        tokens[n] for n in (spec.unk_id, spec.bos_id, spec.eos_id)
    )
    made.normalizer_spec.name = "identity"
    made.normalizer_spec.add_dummy_prefix = vocabulary.dummy_prefix
    made.normalizer_spec.remove_extra_whitespaces = False
    return bytes(made.SerializeToString())
