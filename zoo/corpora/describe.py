"""What files of records hold: kinds, languages, features of the dialect, tags, forms, lengths. Shares are of records.

Everything is counted while the files are read once, so memory does not grow with them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from catalog.jsontext import JsonObject
from catalog.words import counted
from zoo.corpora import bulk, kinds, language, records, stream, tagging
from zoo.corpora.check import File
from zoo.corpora.distributions import QUANTILES
from zoo.corpora.records import Kind
from zoo.errors import InputError
from zoo.progress import Advance, unheard

SCHEMA = "corpus-description/1"
GROUPS = {
    "kind": "Kinds of records",
    "language": "Languages, found by program",
    "dialect": "Features of Québec French, found by program in French and mixed records",
    "tag": "Tags, set by the writers",
    "register": "Registers",
    "form": "Forms",
}
"""Name and title of what is counted. A record may have several tags and features, so their shares may exceed 100 %."""

MOST_LABELS = 10_000
"""Labels of a group that are counted; a tag that is unique to each record would otherwise fill the memory."""

CELL = ("region_qc", "age_group", "education_level", "gender")
SMALL_CELL = 5
"""A person may be recognised in a smaller group of records about people who are alike in CELL."""


@dataclass
class Described:
    """groups: by name, the number of records with each label. lengths: of what people wrote, in characters, by how many
    records. disagree: records whose ``lang:`` tag names another language than the program finds. cells: dialect records
    by what is known about the speaker. left_out: by group, how often a label came that MOST_LABELS excludes."""

    records: int = 0
    groups: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in GROUPS})
    lengths: Counter[int] = field(default_factory=Counter)
    disagree: int = 0
    cells: Counter[tuple[str, ...]] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def share(self, group: str, label: str) -> float:
        """The part of all records that has a label: 0 to 1."""
        return self.groups[group][label] / self.records

    def smallest_cell(self) -> int | None:
        """Records of the smallest group of speakers who are alike in CELL; None if nothing is known about speakers."""
        known = [n for cell, n in self.cells.items() if any(value != "Unspecified" for value in cell)]
        return min(known, default=None)

    def quantiles(self) -> dict[str, int]:
        """The length at place floor(q n) of the n sorted lengths, for each of QUANTILES."""
        found: dict[str, int] = {}
        for name, q in QUANTILES.items():
            left = min(int(q * self.records), self.records - 1)
            for length in sorted(self.lengths):
                left -= self.lengths[length]
                if left < 0:
                    found[name] = length
                    break
        return found


class Limit(NamedTuple):
    """A share of records that a corpus must have: at least or, if ``is_most``, at most."""

    group: str
    label: str
    share: Fraction
    is_most: bool = False

    def __str__(self) -> str:
        return f"{'at most' if self.is_most else 'at least'} {percent(float(self.share))} {self.group}:{self.label}"


@dataclass(frozen=True)
class Miss:
    """A limit that is not met. count: records with the label. change: how many more records meet it: with the label,
    or without it for an upper limit; None if none can."""

    limit: Limit
    count: int
    records: int
    change: int | None

    @property
    def what(self) -> str:
        """The shortfall, for a person."""
        have = f"{self.count} of {self.records} records ({percent(self.count / self.records)}) have it"
        return f"the corpus must have {self.limit}, and {have}"

    @property
    def remedy(self) -> str:
        """How many records to add."""
        if self.change is None:
            having = counted(self.count, "record that has it", "records that have it")
            return "Delete " + (f"the {having}" if self.limit.is_most else "all that lack it")
        one, several = ("does not have", "do not have") if self.limit.is_most else ("has", "have")
        return f"Add {counted(self.change, f'record that {one}', f'records that {several}')} it"


def describe(files: Sequence[File], kind: Kind | None = None, advance: Advance = unheard) -> Described:
    """Read files of records once. Raises InputError for a record that is not valid, or no records; OSError."""
    found = Described()
    for file in files:
        of_file = kind
        for first, lines in stream.batches(file.path, file.shown, advance):
            of_file = of_file or _kind(lines)
            for start in range(0, len(lines), bulk.PART):
                part = lines[start : start + bulk.PART]
                for record in _records(part, of_file, file, first + start):
                    assert of_file is not None, "nothing is a record without a kind"
                    _count(found, record, of_file)
    if not found.records:
        raise InputError("the files have no records", remedy="Name files with records")
    return found


def _kind(lines: stream.Lines) -> Kind | None:
    """That of the first line that is a record."""
    written = (line for line in lines if line is not None and line.strip())
    return next((kind for line in written if (kind := kinds.kind_of(records.decoded_or_none(line)))), None)


def _records(lines: stream.Lines, kind: Kind | None, file: File, first: int) -> Iterator[JsonObject]:
    """The records of some lines. Raises InputError for one that is not valid."""
    if kind is not None and (found := bulk.accepted(lines, kind)) is not None:
        yield from found.records
        return
    for number, line in enumerate(lines, first):
        if line is not None and not line.strip():
            continue
        record = records.sound(line, kind) if kind else None
        if record is None:
            raise InputError(
                "the record is not valid", where=f"{file.shown}:{number}",
                remedy=f"See its problems with: zoo corpus check {file.shown}",
            )  # fmt: skip
        yield record


def misses(found: Described, limits: Iterable[Limit]) -> Iterator[Miss]:
    """The limits that are not met, with the exact number of records that meets them.

    With c of n records, x more reach the share p if c + x >= p (n + x): x = ceil((p n - c) / (1 - p)). For an upper
    limit, y others do if c <= p (n + y): y = ceil(c / p - n).
    """
    for limit in limits:
        count, every, share = found.groups[limit.group][limit.label], found.records, limit.share
        if limit.is_most and count > share * every:
            yield Miss(limit, count, every, math.ceil(count / share - every) if share else None)
        elif not limit.is_most and count < share * every:
            more = math.ceil((share * every - count) / (1 - share)) if share < 1 else None
            yield Miss(limit, count, every, more)


def report(found: Described) -> dict[str, object]:
    """The numbers as data; every other form of the answer shows the same ones."""
    return {
        "schema": SCHEMA,
        "records": found.records,
        **{name: dict(ordered(counts)) for name, counts in found.groups.items()},
        "language_differs_from_tag": found.disagree,
        "characters": found.quantiles(),
        "smallest_cell": found.smallest_cell(),
        **({"labels_left_out": dict(found.left_out)} if found.left_out else {}),
    }


def ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Labels and numbers, the most frequent first."""
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def percent(share: float) -> str:
    """A share of records for people; what is not zero or all is not shown as such."""
    shown = f"{share * 100:.1f}"
    if shown == "0.0" and share > 0:
        return "under 0.1 %"
    return "over 99.9 %" if shown == "100.0" and share < 1 else f"{shown.removesuffix('.0')} %"


def as_text(found: Described) -> str:
    """The numbers as a table for a terminal."""
    lines = [counted(found.records, "record")]
    for name, title in GROUPS.items():
        if counts := found.groups[name]:
            width = max(len(label) for label in counts)
            rows = [f"  {label:{width}}  {n:>7}  {percent(n / found.records)}" for label, n in ordered(counts)]
            lines += ["", title, *rows]
    shown = ", ".join(f"{name} {length}" for name, length in found.quantiles().items())
    lines += ["", f"Length of what people wrote, in characters: {shown}"]
    for name, count in found.left_out.items():
        lines.append(f"{GROUPS[name]}: only the first {MOST_LABELS} labels are counted; others came {count} times.")
    if found.disagree:
        have = counted(found.disagree, "record has", "records have")
        lines.append(f"{have} a lang: tag that differs from what the program finds.")
    if (cell := found.smallest_cell()) is not None:
        size = counted(cell, "record")
        lines.append(f"Smallest group of speakers alike in region, age, education and gender: {size}.")
    return "\n".join(lines)


def _count(found: Described, record: JsonObject, kind: Kind) -> None:
    found.records += 1
    shown = kind.shown(record)
    found.lengths[len(shown)] += 1
    typed = tagging.plain(shown)
    words = tagging.WORD.findall(small := typed.lower())
    spoken = language.of_words(small, words)
    labels = set(records.tags_of(record))
    tagged = {label.removeprefix("lang:").partition("-")[0] for label in labels if label.startswith("lang:")}
    found.disagree += bool(tagged) and spoken in ("en", "fr") and spoken not in tagged
    _add(found, "kind", (kind.name,))
    _add(found, "language", (spoken,))
    if spoken in ("fr", "mixed"):
        _add(found, "dialect", tagging.of_words(typed, words))
    _add(found, "tag", labels)
    register = record.get("registre", record.get("register"))
    _add(found, "register", (register,) if isinstance(register, str) else ())
    _add(found, "form", _forms(record))
    speaker = record.get("sociolinguistic_parameters")
    if isinstance(speaker, dict):
        cell = tuple(str(speaker.get(name)) for name in CELL)
        if cell in found.cells or len(found.cells) < MOST_LABELS:
            found.cells[cell] += 1


def _add(found: Described, group: str, labels: Iterable[str]) -> None:
    counts = found.groups[group]
    for label in labels:
        if label in counts or len(counts) < MOST_LABELS:
            counts[label] += 1
        else:
            found.left_out[group] += 1


def _forms(record: JsonObject) -> Iterator[str]:
    if record.get("requires_json") or record.get("answer_schema"):
        yield "json"
    if record.get("system_hint"):
        yield "system"
    messages = record.get("messages")
    if not isinstance(messages, list):
        return
    roles = Counter(message["role"] for message in messages if isinstance(message, dict))
    if roles["system"]:
        yield "system"
    if roles["user"] > 1:
        yield "several_turns"
    if record.get("tools"):
        yield "tools"
        yield "tool_calls" if roles["tool"] else "no_tool_call"
