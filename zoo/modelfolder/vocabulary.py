"""The tokens of a tokenizer.json: how many, how text is normalized, and whether every token has a row. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from catalog.jsonvalues import table, tables, whole
from zoo.errors import ModelFileError
from zoo.modelfolder.weights import named


@dataclass(frozen=True)
class Vocabulary:
    """size: the largest number of any token plus one, None if no JSON file gives it.

    normalizers: their kinds, in order. model_type: "BPE", "Unigram", ... words: text to number of the model's own
    tokens. added: the same of added tokens. markers: added tokens that never come out of plain words. placed: texts of
    the tokens that the tokenizer itself puts around every text (its post-processor).
    """

    size: int | None
    normalizers: tuple[str, ...]
    model_type: str | None
    words: Mapping[str, int]
    added: Mapping[str, int]
    markers: frozenset[str]
    placed: frozenset[str] = frozenset()

    def number(self, text: str) -> int | None:
        """The number of a token, by its text."""
        return self.added.get(text, self.words.get(text))


def read(tokenizer: Mapping[str, object] | None, added: Mapping[str, object] | None) -> Vocabulary:
    """From the content of tokenizer.json and added_tokens.json, either of which may be absent."""
    if tokenizer is None:
        return Vocabulary(None, (), None, {}, _counted(added or {}), frozenset())
    model = table(tokenizer["model"])
    words = _words(model.get("vocab"))
    listed = tables(tokenizer.get("added_tokens"))
    ids = {str(one["content"]): whole(one["id"]) for one in listed}
    return Vocabulary(
        size=max([*words.values(), *ids.values()], default=-1) + 1,
        normalizers=tuple(_kinds(tokenizer.get("normalizer"))),
        model_type=kind if isinstance(kind := model.get("type"), str) else None,
        words=words,
        added=ids,
        markers=frozenset(str(one["content"]) for one in listed if one.get("special")),
        placed=frozenset(_strings(tokenizer.get("post_processor"))) & set(ids),
    )


def without_row(
    vocabulary: Vocabulary, rows: int, needed: Iterable[int] = (), template: str = ""
) -> dict[str, int]:
    """Text to number of the tokens without a row in the embedding that can be left out; empty if every token has a row.

    They are markers that no file names, so they occur only in text that spells them out, and the model cannot use them.
    needed: numbers that the other files name (begin, end). template: the chat template's text.
    Raises ModelFileError for a token without a row that something names, or that plain words may become.
    """
    if vocabulary.size is None or vocabulary.size <= rows:
        return {}
    every = {**vocabulary.words, **vocabulary.added}
    names = dict(sorted(((t, n) for t, n in every.items() if n >= rows), key=lambda one: one[1]))
    in_template = [text for text in names if text in template]
    named_by_files = set(names.values()) & set(needed) or set(names) & vocabulary.placed
    if set(names) <= vocabulary.markers and not in_template and not named_by_files:
        return names
    uses = f"; the chat template uses {named(in_template)}" if in_template else ""
    raise ModelFileError(
        f"The tokenizer has {vocabulary.size:,} tokens, but the embedding has {rows:,} rows; these have no row: "
        f"{_shown(names)}{uses}",
        where="tokenizer.json",
        remedy="Use the tokenizer that belongs to these weights. If tokens were added, save the model again after "
        "model.resize_token_embeddings(len(tokenizer)), or remove them",
    )


def left_out(names: Mapping[str, int]) -> str:
    """What to report about tokens that have no row and are removed."""
    return (
        "these tokens have no row in the embedding, so the model cannot take them; they are left out of the "
        f"tokenizer: {_shown(names)}"
    )


def _shown(names: Mapping[str, int]) -> str:
    return named(f"{text} ({number})" for text, number in names.items())


def _counted(numbers: Mapping[str, object]) -> dict[str, int]:
    return {text: number for text, number in numbers.items() if isinstance(number, int)}


def _words(vocabulary: object) -> dict[str, int]:
    if isinstance(vocabulary, dict) and all(isinstance(one, int) for one in vocabulary.values()):
        return vocabulary
    # Unigram: a list of [text, score], numbered from 0.
    if isinstance(vocabulary, list) and all(isinstance(one, list) and one for one in vocabulary):
        return {str(one[0]): number for number, one in enumerate(vocabulary)}
    raise ModelFileError(
        "model.vocab is not a list of tokens", where="tokenizer.json", remedy="Fetch the file again"
    )


def _strings(value: object) -> Iterator[str]:
    """Every string in a JSON value, keys of objects included."""
    if isinstance(value, str):
        yield value
    for one in value if isinstance(value, list | dict) else ():
        yield from _strings(one)
    for one in value.values() if isinstance(value, dict) else ():
        yield from _strings(one)


def _kinds(normalizer: object) -> Iterator[str]:
    if not isinstance(normalizer, dict):
        return
    if normalizer.get("type") == "Sequence":
        for one in normalizer.get("normalizers") or []:
            yield from _kinds(one)
    elif isinstance(normalizer.get("type"), str):
        yield normalizer["type"]
