"""Files of records and of text, compared with each other: which records are nearly the same, with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog.problems import Problem, show
from zoo.corpora import kinds, overlap, records, stream
from zoo.corpora.check import File
from zoo.corpora.overlap import Overlap, Text
from zoo.corpora.records import Kind
from zoo.errors import InputError
from zoo.progress import Advance, unheard

MOST_TEXTS = 2_000_000
"""What fits into some gigabytes of memory with all its rare pieces."""


@dataclass
class Compared:
    """problems: the first of them by file and line. found: all, listed or not. texts: records and paragraphs read."""

    problems: list[Problem] = field(default_factory=list)
    found: int = 0
    texts: int = 0


def compare(
    files: Sequence[File], against: Sequence[File], threshold: float, most: int, advance: Advance = unheard,
    also: Mapping[str, Sequence[str]] | None = None,
) -> Compared:  # fmt: skip
    """Records of ``files`` that are near one of ``against``, or share a phrase with it; without ``against``, those that
    are near an earlier record of ``files``. Files whose names end in .txt have a text per line. also: texts that are in
    no file, by what they are called, as part of ``against``.

    Raises InputError for a record that is not valid, or too many texts; OSError.
    """
    unwritten = also or {}
    every = [*files, *against, *(File(Path(), name) for name in unwritten)]
    texts = list(_texts(files, 0, advance))
    others = list(_texts(against, len(files), advance))
    for number, texts_of in enumerate(unwritten.values(), len(files) + len(against)):
        others += [Text(number, line, overlap.folded(text)) for line, text in enumerate(texts_of, 1)]
    found = Compared(texts=len(texts) + len(others))
    pairs = overlap.between(texts, others, threshold) if against or also else overlap.within(texts, threshold)
    for pair in pairs:
        found.found += 1
        if len(found.problems) < most:
            found.problems.append(_problem(pair, every))
    return found


def _problem(pair: Overlap, files: Sequence[File]) -> Problem:
    there = f"line {pair.other.line}"
    if pair.text.file != pair.other.file:
        there += f" of {files[pair.other.file].shown}"
    if pair.phrase:
        what = f"has {overlap.PHRASE_WORDS} words in a row of {there}: {show(pair.phrase)}"
    else:
        near = "the same words as" if pair.share == 1 else f"{pair.share:.0%} the same as"
        what = f"{near} {there}: {show(pair.other.words)}"
    return Problem(files[pair.text.file].shown, pair.text.line, 1, "", what, "Delete or rewrite one of the two")


def _texts(files: Sequence[File], first_number: int, advance: Advance) -> Iterator[Text]:
    count = 0
    for number, file in enumerate(files, first_number):
        kind: Kind | None = None
        for first, lines in stream.batches(file.path, file.shown, advance):
            for line_number, line in enumerate(lines, first):
                if line is not None and not line.strip():
                    continue
                if file.path.suffix == ".txt":
                    written: Sequence[str] = [(line or b"").decode("utf-8", errors="replace")]
                else:
                    kind = kind or kinds.kind_of(records.decoded_or_none(line or b""))
                    written = _written(line, kind, file, line_number)
                for words in filter(None, map(overlap.folded, written)):
                    count += 1
                    if count > MOST_TEXTS:
                        raise InputError(
                            f"there are more than {MOST_TEXTS:,} texts to compare", where=file.shown,
                            remedy="Compare parts of the files, or a sample of their lines",
                        )  # fmt: skip
                    yield Text(number, line_number, words)


def _written(line: bytes | None, kind: Kind | None, file: File, number: int) -> Sequence[str]:
    record = records.sound(line, kind) if kind else None
    if record is None or kind is None:
        raise InputError(
            "the record is not valid", where=f"{file.shown}:{number}",
            remedy=f"See its problems with: zoo corpus check {file.shown}",
        )  # fmt: skip
    return file.texts(record) if file.texts else [kind.shown(record)]
