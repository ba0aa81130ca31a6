"""Facts from a source's small files that a recipe may contradict: a model folder's JSON, a GGUF file's header.

Nothing here loads weights, torch or transformers; a child process may (``zoo.llama.tokenizertrial``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import cardrules
from catalog.shapes import shaped
from zoo.gguf.header import Header, read_header, read_metadata
from zoo.gguf.wording import PHI3_KEEPS, PHI3_TOKENS
from zoo.llama import tokenizertrial
from zoo.modelfolder import normalizers, owncode, record, templates
from zoo.modelfolder.files import reading
from zoo.modelfolder.inspection import Inspected, inspect, inspect_small
from zoo.modelfolder.record import CONTEXT_KEYS

_LAYER_KEYS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_WIDTH_KEYS = ("hidden_size", "n_embd", "d_model")
_CARD_BYTES = 1 << 20


@dataclass(frozen=True)
class SourceFacts:
    """None if the source does not say. context_tokens: as llama.cpp and transformers read it, scaled or not.

    words: digest of the tokens and their numbers, comparable between sources of the same ``kind`` (folder or gguf).
    template: the text of the chat template that counts.
    row_lengths: of most matrices; empty where they are not known. licence: an SPDX or a Hub identifier. overflows:
    matrices that float16 cannot represent, known for an imported folder only. without: those of ``PHI3_TOKENS`` that
    the tokenizer of a folder lacks. spaced: its added tokens that leave the space after them, but not as Phi-3.
    normalizers: those of a folder that llama.cpp lacks and that change text. remarks: sentences on what is not used.
    """

    kind: str
    context_tokens: int | None
    layers: int | None
    vocabulary_size: int | None
    words: str | None
    template: str | None
    licence: str | None
    row_lengths: tuple[int, ...]
    overflows: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    spaced: tuple[str, ...] = ()
    normalizers: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> SourceFacts:
        """From what ``to_json`` gave. Raises ValueError for another form."""
        return shaped(data, cls)

    def to_json(self) -> dict[str, object]:
        """The same as plain data."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @property
    def has_template(self) -> bool:
        """Whether it has a chat template."""
        return self.template is not None


def read(path: Path, root: Path | None = None, header: Header | None = None) -> SourceFacts:
    """Of a model folder or a GGUF file. root: the zoo's folder, in which links may end. header: if it was read.

    Raises ModelFileError for a source that the import would refuse by its small files.
    """
    if path.is_dir():
        found = inspect(path, root)
        tokenizertrial.refuse_unwritable(found)
        return _of_folder(found)
    with reading(path, root):
        return _of_header(header or read_header(path))


def read_small(folder: Path, shown: str) -> SourceFacts:
    """Of a folder with the small files of a model, without its weights. shown: its name in messages.

    Raises ModelFileError for a source that the import would refuse by them.
    """
    found = inspect_small(folder, shown)
    tokenizertrial.refuse_unwritable(found)
    return _of_folder(found)


def stated_licence(path: Path) -> str | None:
    """What a model folder's card or a GGUF file's header says; None if it says nothing. An SPDX or a Hub word.

    Raises ModelFileError for a file that is not a valid GGUF.
    """
    if path.is_dir():
        return _card_licence(path)
    with reading(path):
        value = read_metadata(path).get("general.license")
    return value if isinstance(value, str) and value else None


def _of_folder(found: Inspected) -> SourceFacts:
    config, words = found.text_config, found.vocabulary
    numbers = {**words.words, **words.added}
    experts = _first(config, ("num_local_experts", "num_experts", "n_routed_experts"))
    width, inner = _first(config, _WIDTH_KEYS), _first(config, ("intermediate_size",))
    return SourceFacts(
        kind="folder",
        context_tokens=_first(config, CONTEXT_KEYS),
        layers=_first(config, _LAYER_KEYS),
        vocabulary_size=words.size,
        words=_digest(sorted(numbers.items(), key=lambda one: (one[1], one[0]))) if numbers else None,
        template=templates.choose(found.files).text or None,
        licence=_card_licence(found.folder),
        row_lengths=tuple(n for n in (width, None if experts else inner) if n),
        overflows=tuple(said.get("beyond_float16", ())) if (said := record.read(found.folder)) else (),
        without=tuple(one for one in PHI3_TOKENS if one not in numbers) if numbers else (),
        spaced=tuple(_spaced(found)),
        normalizers=tuple(normalizers.changing(found.small.get("tokenizer.json"))),
        remarks=tuple(owncode.remarks(found.small)),
    )


def _spaced(found: Inspected) -> Iterator[str]:
    """Added tokens of tokenizer.json that would absorb the space after them in a file with one of PHI3_NAMES."""
    entries = found.small.get("tokenizer.json", {}).get("added_tokens")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and not entry.get("rstrip") and entry.get("content") not in PHI3_KEEPS:
            yield str(entry.get("content"))


def _of_header(header: Header) -> SourceFacts:
    inner = header.metadata.get(f"{header.architecture}.feed_forward_length")
    experts = header.metadata.get(f"{header.architecture}.expert_count")
    licence, template = (header.metadata.get(key) for key in ("general.license", "tokenizer.chat_template"))
    lengths = (header.embedding_length, None if experts or not isinstance(inner, int) else inner)
    return SourceFacts(
        kind="gguf",
        context_tokens=header.context_tokens,
        layers=header.block_count,
        vocabulary_size=header.vocabulary_size,
        words=header.vocabulary_sha256,
        template=template if isinstance(template, str) and template else None,
        licence=licence if isinstance(licence, str) and licence else None,
        row_lengths=tuple(n for n in lengths if n),
    )


def _first(config: Mapping[str, object], keys: Iterable[str]) -> int | None:
    values = (config.get(key) for key in keys)
    return next((n for n in values if isinstance(n, int) and not isinstance(n, bool)), None)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def _card_licence(folder: Path) -> str | None:
    """``license:`` of the folder's README.md, as the Hub reads it."""
    path = folder / "README.md"
    try:
        if not path.is_file() or path.is_symlink() or path.stat().st_size > _CARD_BYTES:
            return None
        data = cardrules.read_header(path.read_text(encoding="utf-8"), path.name).data
    except (OSError, ValueError):
        return None
    value = data.get("license") if data else None
    return value if isinstance(value, str) else None
