"""The files of a recipe's corpus, each read once and line by line: digests, counts, and text that two parts share."""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Literal, NamedTuple

from catalog import corpora, dataplaces, packed, plainfiles, secrets
from catalog.corpora import NO_TEXT, NUL_IN_TEXT, Asked, paragraph_key, prompt_key
from catalog.problems import Problem, show
from catalog.recipe import Recipe
from catalog.unseen import blank
from catalog.words import data_size
from catalog.yamltext import Document

PARTS = ("evaluation", "calibration", "train", "tune.train", "tune.heldout", "heldout")
"""In the order of reading: when a part is read, the text that it must not share is already known."""

_BLOCK = 1 << 20
_KEPT_BYTES, _KEPT_FILES = 1 << 18, 32
"""Recipes share corpora, so what smaller files hold is kept for the next recipe. It is found again by the bytes."""
_FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")
_SHORT_BYTES = 1 << 16
"""Of longer files only the bytes are counted: no window has so many tokens."""


@dataclass(frozen=True)
class FileFacts:
    """What a plan needs about a file: its digest, its number of line feeds, and of a file of records the first line
    whose conversation begins with a system message, and the number of valid records. most_tokens: no tokenizer makes
    more of it, because a token has at least one byte of the text or of one of its normal forms."""

    sha256: str
    lines: int
    system_line: int | None = None
    prompts: int = 0
    most_tokens: int = 0


@dataclass(frozen=True)
class Corpus:
    """files: by path. problems: files without usable text, else parts that share a file or, if none do, a prompt or a
    paragraph."""

    files: dict[str, FileFacts]
    problems: list[Problem]


def read(document: Document, recipe: Recipe, root: Path) -> Corpus:
    """Read every file of a recipe's data. Every path is known to exist. Raises OSError."""
    named = recipe.data
    uses = [
        _Use(part, number, entry.path) for part in PARTS for number, entry in enumerate(named.get(part, ()))
    ]
    seen, files = _Seen(), dict[str, FileFacts]()
    overlaps: list[Problem] = []
    faults: list[Problem] = []
    if large := list(_too_large(uses, root, document)):
        return Corpus({}, large)
    for use in uses:
        with (root / use.path).open("rb", buffering=0) as stream:
            reading = _reading(stream, use.part)
            overlaps += _overlaps(use, reading, seen, document)
        files[use.path] = reading.facts()
        if fault := reading.fault():
            fault = packed.fault(reading.begin, use.path) or fault
            faults.append(use.problem(document, f"{show(use.path)}: {fault[0]}", fault[1]))
    return Corpus(files, faults or list(_same(uses, files, document)) or overlaps)


@dataclass(frozen=True)
class _Use:
    """A file of a part."""

    part: str
    number: int
    path: str

    def problem(self, document: Document, what: str, instead: str) -> Problem:
        return document.problem((*dataplaces.PLACES[self.part], self.number, "path"), what, instead)


def _too_large(uses: Iterable[_Use], root: Path, document: Document) -> Iterator[Problem]:
    most = plainfiles.MOST_CORPUS_BYTES
    for use in uses:
        if (size := (root / use.path).stat().st_size) > most:
            what = f"{show(use.path)} has {data_size(size)}; more than {data_size(most)} would take days"
            yield use.problem(document, what, "Take a sample of its lines")


@dataclass(frozen=True)
class _Seen:
    """First place of a paragraph used for measurement, of a training prompt, or of a question whose answer a teacher
    learns: by digest, (line, path)."""

    measured: dict[bytes, tuple[int, str]] = field(default_factory=dict)
    learnt: dict[bytes, tuple[int, str]] = field(default_factory=dict)
    taught: dict[bytes, tuple[int, str]] = field(default_factory=dict)

    def by_teacher(self, user: str) -> tuple[int, str] | None:
        """Where the teacher has the question, under whatever system message."""
        return self.taught.get(_digest(prompt_key(user, None))) if self.taught else None


def _same(uses: Iterable[_Use], files: dict[str, FileFacts], document: Document) -> Iterator[Problem]:
    """The parts of a corpus must not share a file under any name. The later part in the recipe is reported."""
    order = tuple(dataplaces.PLACES)
    first_use: dict[str, str] = {}
    for use in sorted(uses, key=lambda one: order.index(one.part)):
        digest = files[use.path].sha256
        if digest in first_use:
            what = f"the file has the same bytes as one under {dataplaces.shown(first_use[digest])}"
            yield use.problem(document, what, "Use each text once. The parts must not share text")
        first_use.setdefault(digest, use.part)


def _overlaps(use: _Use, lines: _Lines | _Kept, seen: _Seen, document: Document) -> Iterator[Problem]:
    """Reads every line of a file; a problem for text that another part also has."""
    match use.part:
        case "evaluation":
            for line, key in lines.paragraphs():
                seen.measured.setdefault(key, (line, use.path))
        case "calibration":
            found = [(line, seen.measured[key], "") for line, key in lines.paragraphs() if key in seen.measured]
            if found:
                what = _shared(found, " as {where}, which measures the quants")
                yield use.problem(document, what, "Calibrate and evaluate on different text")
        case "train" | "tune.train":
            found = []
            known = seen.learnt if use.part == "train" else seen.taught
            for line, user, key in lines.prompts():
                known.setdefault(key, (line, use.path))
                if seen.measured and (where := seen.measured.get(_paragraph(user) or b"")):
                    found.append((line, where, user))
            if found:
                what = _shared(found, " as {where}, which is used for measurement: {user}")
                yield use.problem(document, what, "Train and evaluate on different text")
        case "tune.heldout":
            found = [(line, seen.taught[key], user) for line, user, key in lines.prompts() if key in seen.taught]
            if found:
                instead = "Delete one of the two. Held-out conversations must not be used for training"
                yield use.problem(document, _shared(found, " question as {where}: {user}"), instead)
        case "heldout":
            found = []
            for line, user, key in lines.prompts():
                if where := seen.learnt.get(key) or seen.by_teacher(user):
                    found.append((line, where, user))
            if found:
                what = _shared(found, " prompt as {where}: {user}")
                instead = "Delete one of the two. Held-out prompts must not be used for training"
                yield use.problem(document, what, instead)


def _shared(found: list[tuple[int, tuple[int, str], str]], words: str) -> str:
    line, (there, path), user = found[0]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"line {line} of the file{more} is the same{words.format(where=f'line {there} of {path}', user=show(user))}"


class _Form(NamedTuple):
    """How a line of records is read, and what is wrong with a file without any, with what to do."""

    read: Callable[[bytes], Asked | None]
    fault: tuple[str, str]


_PROMPTS = _Form(
    corpora.asked_in_prompt, ("the file has no records", 'Write one JSON object per line, such as {"user": "..."}')
)
_CONVERSATIONS = _Form(
    corpora.asked_in_conversation,
    (
        "no line of the file is a conversation",
        'Write {"messages": [...]} in each line. From questions with answers, make that with: '
        "zoo corpus import FILE --from pairs --out NEW.jsonl",
    ),
)
_FORM_OF = {"tune.train": _CONVERSATIONS, "tune.heldout": _CONVERSATIONS}


class _Lines:
    """The lines of a file, without their ends. sha256, feeds (line feeds) and begin (the first bytes) are known after
    the last one."""

    def __init__(self, stream: RawIOBase | BytesIO, part: str = "train") -> None:
        self._form = _FORM_OF.get(part, _PROMPTS)
        self.sha256, self.feeds = hashlib.sha256(), 0
        self.system_line: int | None = None
        self.found = 0
        self.size, self.begin = 0, b""
        self._fault: tuple[str, str] | None = None
        self._is_seen = self._is_prompts = False
        self._stream = stream

    def facts(self) -> FileFacts:
        """Known after the last line."""
        return FileFacts(self.sha256.hexdigest(), self.feeds, self.system_line, self.found, self._most_tokens())

    def fault(self) -> tuple[str, str] | None:
        """Why the file cannot be used, and what to do; known after the last line."""
        if self._fault or self._is_seen:
            return self._fault
        if self._is_prompts:
            return self._form.fault
        return NO_TEXT

    def _most_tokens(self) -> int:
        if self.size > _SHORT_BYTES:
            return self.size
        text = self.begin.decode("utf-8", errors="replace")
        return max(self.size, *(len(unicodedata.normalize(form, text).encode()) for form in _FORMS))

    def _look(self, number: int, line: bytes) -> str:
        """The text of a line; what is wrong with it is kept."""
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            what, instead = packed.NOT_UTF8
            self._fault = self._fault or (f"line {number} is {what}", instead)
            return line.decode("utf-8", errors="replace")
        if "\x00" in text:
            what, instead = NUL_IN_TEXT
            self._fault = self._fault or (f"line {number}: {what}", instead)
        if secrets.has_token(text):
            self._fault = self._fault or (f"line {number} contains {secrets.TOKEN}", secrets.REVOKE)
        return text

    def __iter__(self) -> Iterator[bytes]:
        begun: list[bytes] = []
        while block := self._stream.read(_BLOCK):
            self.sha256.update(block)
            self.size += len(block)
            self.begin += block[: max(_SHORT_BYTES - len(self.begin), 0)]
            self.feeds += block.count(b"\n")
            begun.append(block)
            # The end may be the first half of a Windows line end, or of a line.
            if b"\n" in block or b"\r" in block[:-1]:
                *lines, last = b"".join(begun).splitlines(keepends=True)
                begun = [last]
                if last.endswith(b"\n"):
                    lines, begun = [*lines, last], []
                yield from (line.rstrip(b"\r\n") for line in lines)
        yield from b"".join(begun).splitlines()

    def paragraphs(self) -> Iterator[tuple[int, bytes]]:
        """(line number, digest) of every longer paragraph; white space, case and Unicode form are ignored."""
        for number, line in enumerate(self, 1):
            text = self._look(number, line)
            self._is_seen = self._is_seen or not blank(text)
            if key := _paragraph(text):
                yield number, key

    def prompts(self) -> Iterator[tuple[int, str, bytes]]:
        """(line number, question, its digest) of every line that is a valid record; the corpus step reports the
        others."""
        self._is_prompts = True
        for number, line in enumerate(self, 1):
            self._look(number, line)
            if found := self._form.read(line):
                self.found += 1
                self._is_seen = True
                if found.has_system and self.system_line is None:
                    self.system_line = number
                for question, key in found.questions:
                    yield number, question, _digest(key)


class _Kept:
    """What ``_Lines`` says of a file, after the last line."""

    def __init__(self, lines: _Lines, is_text: bool) -> None:
        self._prompts: Sequence[tuple[int, str, bytes]] = () if is_text else list(lines.prompts())
        self._paragraphs: Sequence[tuple[int, bytes]] = list(lines.paragraphs()) if is_text else ()
        self._facts, self._fault = lines.facts(), lines.fault()
        self.begin = lines.begin

    def prompts(self) -> Sequence[tuple[int, str, bytes]]:
        return self._prompts

    def paragraphs(self) -> Sequence[tuple[int, bytes]]:
        return self._paragraphs

    def facts(self) -> FileFacts:
        return self._facts

    def fault(self) -> tuple[str, str] | None:
        return self._fault


def _reading(stream: RawIOBase, part: str) -> _Lines | _Kept:
    raw = stream.read(_KEPT_BYTES + 1)
    if raw is not None and len(raw) <= _KEPT_BYTES and not stream.read(1):
        return _kept(raw, part)
    stream.seek(0)
    return _Lines(stream, part)


@functools.lru_cache(_KEPT_FILES)
def _kept(raw: bytes, part: str) -> _Kept:
    return _Kept(_Lines(BytesIO(raw), part), part in dataplaces.TEXTS)


@functools.lru_cache(1 << 14)
def _paragraph(text: str) -> bytes | None:
    key = paragraph_key(text)
    return _digest(key) if key else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
