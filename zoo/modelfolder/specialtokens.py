"""The numbers of special tokens in a folder's small files, compared with the rows of the embedding. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

from zoo.errors import ModelFileError
from zoo.modelfolder.commands import FileRefused
from zoo.modelfolder.files import CONFIG
from zoo.modelfolder.vocabulary import Vocabulary

KEYS = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id")
FILES = (CONFIG, "generation_config.json", "tokenizer_config.json")
GGUF_KEYS = tuple(f"tokenizer.ggml.{name}_token_id" for name in ("bos", "eos", "padding", "unknown"))
NEEDED = ("bos_token_id", "eos_token_id")
"""Keys whose token begins or ends a text."""
OPTIONAL = ("pad_token_id", "unk_token_id", "sep_token_id", "cls_token_id", "mask_token_id")
"""Keys that may be null."""
WRITTEN = (*NEEDED, *OPTIONAL)
"""Keys of config.json that llama.cpp's converter writes; it fails on a negative number."""


TEXT_FILES = ("tokenizer_config.json", "special_tokens_map.json")
TEXT_KEYS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""In the order in which transformers adds them."""
LISTS = ("additional_special_tokens", "extra_special_tokens")
"""Keys of more special tokens: a list of them, or an object from names to them."""


def refuse_without_row(
    small: Mapping[str, Mapping[str, object]], rows: int, texts: Mapping[str, int] | None = None
) -> None:
    """Raise ModelFileError for the first number that has no row, with its file, its key and what to write.

    small: content of the small files, by name. rows: of the embedding; its tokens are 0 to rows - 1. texts: text to
    number of the tokenizer's added tokens, to name one.
    """
    known = {number: text for text, number in (texts or {}).items()}
    for file, key, number in _named(small):
        if number >= rows:
            text = f" ({known[number]})" if number in known else ""
            raise FileRefused(
                f"{key} is {number}{text}, but the embedding has only {rows:,} rows (numbers from 0), so {rows - 1:,} "
                "is the largest number",
                where=file,
                remedy=functools.partial(_correct, key.rpartition(".")[2]),
            )


def refuse_negative(small: Mapping[str, Mapping[str, object]]) -> None:
    """Raise ModelFileError for a negative number that llama.cpp's converter would write, or that should end a text.

    Some files write -1 for "none"; null is what both libraries read so.
    """
    for file in FILES:
        keys = WRITTEN if file == CONFIG else NEEDED
        for key, number in _of(small.get(file, {}), keys):
            if number < 0:
                raise FileRefused(
                    f"{key} is {number}, but the numbers of tokens begin at 0", where=file,
                    remedy=functools.partial(_counted, key.rpartition(".")[2]),
                )  # fmt: skip


def _counted(key: str, place: str) -> str:
    if key in OPTIONAL:
        return f'Write "{key}": null in {place}, or the number of a token'
    return f"Write the number of a token as {key} in {place}, or delete the key"


def refuse_unknown(
    small: Mapping[str, Mapping[str, object]], words: Vocabulary, line: Callable[[str, str], str]
) -> list[str]:
    """Raise ModelFileError if the tokenizer has none of the numbers that the files give for the beginning or the end.

    Returns a note for each other number beyond the tokenizer's tokens: one of several, or for padding and unknown text.
    Such numbers are left from other models, and rows of the embedding may be padded beyond the tokens, so nothing
    uses them. line: the place of a key in a file, with its line.
    """
    tokens = max([words.size or 0, *(number + 1 for number in _decoded(small))])
    if words.size is None:
        return []
    every = [one for one in _numbered(small) if one[2] >= 0]
    beyond = [one for one in every if one[2] >= tokens]
    for file, key, number in beyond:
        last = key.rpartition(".")[2]
        if last in NEEDED and all(n >= tokens for _, other, n in every if other.rpartition(".")[2] == last):
            raise FileRefused(
                f"{key} is {number}, but the tokenizer has only {tokens:,} tokens (numbers from 0), so "
                f"{tokens - 1:,} is the largest number",
                where=line(file, key),
                remedy=functools.partial(_other_tokenizer, last),
            )
    return [f"{key} of {file} is {number}, which is not one of the tokenizer's tokens" for file, key, number in beyond]


def refuse_absent(
    small: Mapping[str, Mapping[str, object]], words: Vocabulary, rows: int, line: Callable[[str, str], str]
) -> None:
    """Raise ModelFileError for a special token, named by its text, that the tokenizer does not have.

    transformers adds such a token behind the others. Without a row for it llama.cpp's converter fails; with one, an
    answer would wait for an end that no training showed to the model. line: as in ``refuse_unknown``.
    """
    if words.size is None:
        return
    listed = (text for _, text in _contents(small))
    there = {*words.words, *words.added, *small.get("added_tokens.json", {}), *listed}
    added: dict[str, int] = {}
    for file, key, text in _texts(small):
        if text in there:
            continue
        number = added.setdefault(text, max([words.size, *(one + 1 for one in _decoded(small))]) + len(added))
        if number >= rows or key == "eos_token":
            row = f"but the embedding has only {rows:,} rows" if number >= rows else "which no training used"
            raise FileRefused(
                f"{key} is {text!r}, which the tokenizer does not have: transformers would add it as token "
                f"{number:,} (numbers from 0), {row}",
                where=line(file, key),
                remedy=functools.partial(_present, key, _named_by_number(small, words, f"{key}_id")),
            )


def _present(key: str, usual: str, place: str) -> str:
    instead = f", such as {usual}" if usual else ""
    null = "" if key in ("bos_token", "eos_token") else ", or delete it"
    return f"Correct {key} in {place}: write a token that tokenizer.json has{instead}{null}"


def _named_by_number(small: Mapping[str, Mapping[str, object]], words: Vocabulary, key: str) -> str:
    """``'</s>' (eos_token_id of config.json)``: the token that another file names by its number; empty without one."""
    texts = {number: text for text, number in (*words.words.items(), *words.added.items())}
    return next(
        (
            f"{texts[number]!r} ({key} of {file})"
            for file, named, number in _numbered(small)
            if named.rpartition(".")[2] == key and number in texts
        ),
        "",
    )


def _texts(small: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, str, str]]:
    """(file, key, text) of the special tokens that transformers reads: of special_tokens_map.json only where
    tokenizer_config.json has no list of added tokens, and then instead of its own."""
    own, older = (small.get(name, {}) for name in TEXT_FILES)
    is_older_read = "added_tokens_decoder" not in own
    for key in (*TEXT_KEYS, *LISTS):
        file = TEXT_FILES[1] if is_older_read and key in older else TEXT_FILES[0]
        given = small.get(file, {}).get(key)
        every = list(given.values()) if key in LISTS and isinstance(given, dict) else given
        for one in every if isinstance(every, list) else [given]:
            text = one.get("content") if isinstance(one, dict) else one
            if isinstance(text, str) and text:
                yield file, key, text


def _other_tokenizer(key: str, place: str) -> str:
    return f"Use the tokenizer that belongs to these weights, or correct {key} in {place}"


def _decoded(small: Mapping[str, Mapping[str, object]]) -> Iterator[int]:
    """Numbers of tokens that are added to those of tokenizer.json."""
    decoder = small.get("tokenizer_config.json", {}).get("added_tokens_decoder")
    yield from (int(one) for one in (decoder if isinstance(decoder, dict) else ()) if str(one).isdecimal())
    yield from (one for one in small.get("added_tokens.json", {}).values() if isinstance(one, int))


def _contents(small: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[int, str]]:
    """(number, text) of the list of added tokens in tokenizer_config.json."""
    decoder = small.get("tokenizer_config.json", {}).get("added_tokens_decoder")
    for number, one in decoder.items() if isinstance(decoder, dict) else ():
        if isinstance(one, dict) and isinstance(one.get("content"), str) and str(number).isdecimal():
            yield int(number), one["content"]


def _correct(key: str, place: str) -> str:
    null = f', or "{key}": null' if key in OPTIONAL else ""
    return (
        f"Correct {key} in {place}: write the number of a token that has a row{null}. If the token was added to the "
        "tokenizer, save the model again after model.resize_token_embeddings(len(tokenizer))"
    )


def refuse_beyond(metadata: Mapping[str, object], tokens: int, where: str) -> None:
    """Raise ModelFileError for a special token of a GGUF header whose number none of its ``tokens`` has."""
    for key in GGUF_KEYS:
        number = metadata.get(key)
        if isinstance(number, int) and (number < 0 or number >= tokens > 0):
            raise ModelFileError(
                f"{key} is {number}, but the file has only {tokens:,} tokens (numbers from 0), so {tokens - 1:,} is "
                "the largest number",
                where=where,
                remedy=f"Use a valid file, or fix the header of a copy: gguf-set-metadata {where} {key} NUMBER",
            )


def _named(small: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, str, int]]:
    """(file, key, number) of every special token that is named by its number."""
    yield from _numbered(small)
    yield from _listed(small)


def _numbered(small: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, str, int]]:
    """The same without those that only tokenizer_config.json's own list numbers."""
    for file in FILES:
        for key, number in _of(small.get(file, {}), KEYS):
            yield file, key, number


def _of(content: Mapping[str, object], keys: Sequence[str]) -> Iterator[tuple[str, int]]:
    """(key, number) of the ``keys`` in one file."""
    inner = content.get("text_config")
    # Of two places the inner one describes the language model.
    parts = [("", content), *([("text_config.", inner)] if isinstance(inner, dict) else [])]
    for before, part in parts:
        for key in keys:
            value = part.get(key)
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, int) and not isinstance(one, bool):
                    yield before + key, one


def _listed(small: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, str, int]]:
    """Tokens that tokenizer_config.json numbers itself; this counts if there is no tokenizer.json."""
    own = small.get("tokenizer_config.json", {})
    decoder = own.get("added_tokens_decoder")
    if "tokenizer.json" in small or not isinstance(decoder, dict):
        return
    numbers = {text: number for number, text in _contents(small)}
    for key in ("bos_token", "eos_token", "unk_token"):
        given = own.get(key)
        text = given.get("content") if isinstance(given, dict) else given
        if text in numbers:
            yield "tokenizer_config.json", key, numbers[text]
