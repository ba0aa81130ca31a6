"""Everything that can be known about a model folder before its weights are loaded, or why it is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.jsonvalues import table
from zoo.errors import ModelFileError
from zoo.judge.parity.sourcerecord import EndToken
from zoo.modelfolder import (
    commands,
    configured,
    depth,
    formats,
    missing,
    names,
    otherlayouts,
    purposes,
    ropes,
    sizes,
    specialtokens,
    templates,
    tokenizerfaults,
    unsupported,
    vocabulary,
)
from zoo.modelfolder.files import CONFIG, TOKENIZER, listed, reading
from zoo.modelfolder.smallfiles import place_of, read_json, read_text, refuse_marks
from zoo.modelfolder.vocabulary import Vocabulary
from zoo.modelfolder.weights import Stored, shards_of, tensors, weight_files

GENERATION = "generation_config.json"
EMBEDDINGS = (
    "embed_tokens.weight",
    "wte.weight",
    "embed_in.weight",
    "word_embeddings.weight",
    "tok_embeddings.weight",
)
"""Name endings of the matrix with one row for each token."""


@dataclass(frozen=True)
class Inspected:
    """files: name to real path of what counts. small: content of the JSON files. shards: the files with the weights.

    tensors: by stored name; own: stored name to the model's name; rules: how a wrapper's names were changed.
    quantized: the format of the weights, None for plain ones. notes: what is reported but not refused. shown: the
    folder's place in the zoo, or its name elsewhere, for messages.
    """

    folder: Path
    files: Mapping[str, Path]
    small: Mapping[str, Mapping[str, object]]
    shards: tuple[str, ...]
    tensors: Mapping[str, Stored]
    own: Mapping[str, str]
    rules: tuple[Mapping[str, object], ...]
    vocabulary: Vocabulary
    quantized: str | None
    notes: tuple[str, ...]
    shown: str = ""

    @property
    def config(self) -> Mapping[str, object]:
        """config.json."""
        return self.small[CONFIG]

    @property
    def text_config(self) -> Mapping[str, object]:
        """The part of config.json that describes the language model."""
        inner = self.config.get("text_config")
        return inner if isinstance(inner, dict) else self.config

    @property
    def without_row(self) -> Mapping[str, int]:
        """Text to number of the markers without a row in the embedding; the import removes them."""
        if self.rows is None:
            return {}
        template = templates.choose(self.files).text or ""
        return vocabulary.without_row(self.vocabulary, self.rows, needed_tokens(self), template)

    @property
    def rows(self) -> int | None:
        """Rows of the embedding as it is stored, or as in config.json if no tensor has one of the usual names."""
        stored, stated = embedding_rows(self.tensors), self.text_config.get("vocab_size")
        return stated if stored is None and isinstance(stated, int) else stored


def inspect(folder: Path, root: Path | None = None) -> Inspected:
    """Read the small files and the headers of the weights of ``folder``.

    root: the zoo's folder, in which links may end. Raises ModelFileError with the file and the remedy, also for a file
    that cannot be read.
    """
    try:
        with reading(folder, folder):
            found = _inspect(folder, root)
            notes = tuple(_notes(found))
            if not found.quantized:
                # After what the notes refuse: that tokens lack rows says more than that the embedding is smaller.
                configured.refuse_shapes(found.text_config, found.own, found.tensors)
            return replace(found, shown=_shown(folder, root), notes=notes)
    except ModelFileError as error:
        raise _placed(error, folder, root) from error


def inspect_small(folder: Path, shown: str) -> Inspected:
    """The facts from the small files alone, for a folder without its weights. shown: its name in messages.

    Raises ModelFileError for anything in them that the import would refuse.
    """
    files = listed(folder)
    try:
        if CONFIG not in files:
            raise ModelFileError("This folder has no config.json", remedy="Name a repository with a model")
        refuse_marks(files)
        small = read_small(files)
        quantized = formats.quantized(small[CONFIG])
        unsupported.refuse(small[CONFIG])
        purposes.refuse_other(small[CONFIG])
        inner = table(small[CONFIG].get("text_config")) or small[CONFIG]
        configured.refuse(inner)
        ropes.refuse(inner)
        _refuse_no_tokenizer(folder, files)
        words = vocabulary.read(small.get("tokenizer.json"), small.get("added_tokens.json"))
        tokenizerfaults.refuse(small.get("tokenizer.json"), words)
        found = Inspected(folder, files, small, (), {}, {}, (), words, quantized, (), shown)
        return replace(found, notes=tuple(_notes(found)))
    except ModelFileError as error:
        place = "" if error.where in ("", folder.name) else f": {error.where}"
        raise ModelFileError(error.what, where=f"{shown}{place}", safe=error.safe, remedy=error.remedy) from error


def _placed(error: ModelFileError, folder: Path, root: Path | None) -> ModelFileError:
    """The same error with the file's place from the zoo's folder; a folder elsewhere is named by its last part."""
    shown = _shown(folder, root)
    where = shown if error.where in ("", folder.name) else f"{shown}/{error.where}"
    remedy = error.remedy_at(where) if isinstance(error, commands.FileRefused) else error.remedy
    if root and folder.is_relative_to(root):
        remedy = commands.filled(remedy, shown)
    return ModelFileError(error.what, where=where, safe=error.safe, remedy=remedy)


def _shown(folder: Path, root: Path | None) -> str:
    return folder.relative_to(root).as_posix() if root and folder.is_relative_to(root) else folder.name


def _inspect(folder: Path, root: Path | None) -> Inspected:
    refuse_marks(listed(folder, root))  # before the first file is read
    files = listed(folder, root, shards_of(folder))
    if CONFIG not in files and formats.ADAPTER not in files:
        raise otherlayouts.without_config(folder)
    formats.refuse_adapter(files)
    small = read_small(files)
    quantized = _quantized(folder, files, small[CONFIG])
    unsupported.refuse(small[CONFIG])
    purposes.refuse_other(small[CONFIG])
    inner = table(small[CONFIG].get("text_config")) or small[CONFIG]
    configured.refuse(inner)
    ropes.refuse(inner)
    shards = weight_files(folder, files)
    stored = tensors(files, shards)
    _refuse_no_tokenizer(folder, files)
    formats.refuse_lora(stored)
    formats.refuse_packed(stored, quantized)
    formats.refuse_unpacked(small[CONFIG], stored)
    own, rules = names.unwrapped(stored)
    depth.refuse_more(small[CONFIG], own.values())
    sizes.refuse_impossible(inner, stored.values())
    if not quantized:
        missing.refuse(small[CONFIG], own.values(), folder.name)
    words = vocabulary.read(small.get("tokenizer.json"), small.get("added_tokens.json"))
    tokenizerfaults.refuse(small.get("tokenizer.json"), words)
    return Inspected(folder, files, small, shards, stored, own, tuple(rules), words, quantized, ())


def _quantized(folder: Path, files: Mapping[str, Path], config: Mapping[str, object]) -> str | None:
    """As ``formats.quantized``, but a format that is refused is compared with the tensors first, if they can be read:
    where they are plain, the configuration is what has to change."""
    try:
        return formats.quantized(config)
    except ModelFileError:
        stored: Mapping[str, Stored] = {}
        with contextlib.suppress(ModelFileError):
            stored = tensors(files, weight_files(folder, files))
        formats.refuse_unpacked(config, stored)
        raise


def read_small(files: Mapping[str, Path]) -> dict[str, Mapping[str, object]]:
    """Content of every small JSON file. Raises ModelFileError for the first that cannot be used."""
    small: dict[str, Mapping[str, object]] = {}
    for name, path in files.items():
        if name.endswith(".json") and not name.endswith(".index.json"):
            small[name] = read_json(path, name)
        elif name.endswith((".jinja", ".txt")) and name in TOKENIZER:
            read_text(path, name)
    return small


def end_tokens(small: Mapping[str, Mapping[str, object]], words: Vocabulary) -> list[EndToken]:
    """Every token that ends an answer, with the file that names it: {"id", "file"}, sorted."""
    found: set[tuple[int, str]] = set()
    for name in (CONFIG, GENERATION):
        given = small.get(name, {}).get("eos_token_id")
        if given is None and name == CONFIG:
            given = table(small.get(name, {}).get("text_config")).get("eos_token_id")
        found |= {(one, name) for one in (given if isinstance(given, list) else [given]) if isinstance(one, int)}
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        given = small.get(name, {}).get("eos_token")
        text = given.get("content") if isinstance(given, dict) else given
        number = words.number(text) if isinstance(text, str) else None
        if number is not None:
            found.add((number, name))
    return [{"id": number, "file": name} for number, name in sorted(found) if number >= 0]


def needed_tokens(found: Inspected) -> set[int]:
    """Numbers of the tokens that begin, end or stand for something unknown, as any of the small files names them."""
    needed = {one["id"] for one in end_tokens(found.small, found.vocabulary)}
    starts = (found.text_config.get("bos_token_id"), found.small.get(GENERATION, {}).get("bos_token_id"))
    needed |= {one for one in starts if isinstance(one, int)}
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        for key in ("bos_token", "unk_token"):
            given = found.small.get(name, {}).get(key)
            text = given.get("content") if isinstance(given, dict) else given
            number = found.vocabulary.number(text) if isinstance(text, str) else None
            needed |= set() if number is None else {number}
    return needed


def embedding_rows(stored: Mapping[str, Stored]) -> int | None:
    """Rows of the matrix with the tokens' vectors; None where it has no usual name."""
    for name in sorted(stored):
        if name.endswith(EMBEDDINGS) and len(stored[name].shape) == 2:
            return stored[name].shape[0]
    return None


def _notes(found: Inspected) -> list[str]:
    notes = [
        f"{rule['tensors']} tensors were renamed: {rule['removed']} (left by {rule['by']}) was taken out"
        for rule in found.rules
    ]
    templates.refuse_empty(found.files)
    template = templates.choose(found.files)
    notes += template.notes
    if found.quantized:
        notes.append(f"the weights are {found.quantized}; they are turned into plain numbers")
    specialtokens.refuse_negative(found.small)
    rows = found.rows
    if rows is not None:
        specialtokens.refuse_without_row(found.small, rows, found.vocabulary.added)

    def line(name: str, key: str) -> str:
        return place_of(found.files[name], name, key.split("."))

    notes += specialtokens.refuse_unknown(found.small, found.vocabulary, line)
    if rows is None:
        return notes
    specialtokens.refuse_absent(found.small, found.vocabulary, rows, line)
    if lost := found.without_row:
        notes.append(vocabulary.left_out(lost))
    size = found.vocabulary.size
    if size is not None and size < rows:
        notes.append(f"the embedding has {rows:,} rows for {size:,} tokens; the others become unused tokens")
    return notes


def _refuse_no_tokenizer(folder: Path, files: Mapping[str, Path]) -> None:
    if {"tokenizer.json", "tokenizer.model"} & set(files) or {"vocab.json", "merges.txt"} <= set(files):
        return
    raise ModelFileError(
        "The folder has no tokenizer: neither tokenizer.json nor tokenizer.model", where=folder.name,
        remedy="Fetch the tokenizer's files of the same repository as well",
    )  # fmt: skip
