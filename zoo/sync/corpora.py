"""What documents say of the starter corpus: its shares, their chart, and what was looked for and found in it; and how
much of made-up personal data is found."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zoo.corpora import describe
from zoo.corpora.check import File
from zoo.corpora.privacy import keys, redact
from zoo.corpora.privacy.finders import FINDERS
from zoo.corpora.privacy.placeholders import Placeholders
from zoo.sync.figures import Result

STARTER = "recipes/corpora/starter"
PICTURE = "site/docs/images/starter-corpus.svg"
_GROUPS = ("kind", "language", "form", "register", "dialect")
"""The other groups have a label for each subject."""


def _files(root: Path) -> list[File]:
    return [File(path, path.name) for path in sorted((root / STARTER).glob("*.jsonl"))]


def picture(root: Path, now: str) -> str:
    """The shares as a chart in SVG."""
    from zoo.site.pages.charts.coverage import coverage  # needs what builds sites, which other rows do not
    from zoo.site.pages.charts.trend import alone

    del now
    return alone(coverage(describe.describe(_files(root)), "Starter corpus"))


def shares(root: Path) -> str:
    """The table of the shares, as ``zoo corpus describe`` counts them."""
    found = describe.describe(_files(root))
    lines = [f"{found.records} records.", "", "| What | Label | Records | Share |", "|---|---|---:|---:|"]
    for group in _GROUPS:
        for label, count in describe.ordered(found.groups[group]):
            share = describe.percent(count / found.records)
            lines.append(f"| {describe.GROUPS[group].partition(',')[0]} | `{label}` | {count} | {share} |")
    return "\n".join(lines)


def finds(root: Path) -> str:
    """The table of what ``zoo corpus redact`` looks for, and how often it finds it."""
    counts = _redacted(root)
    found = sum((one.found for one in counts), Counter[str]())
    what: dict[str, list[str]] = {}
    for finder in FINDERS:
        what.setdefault(finder.kind, []).append(finder.what)
    lines = ["| Kind | What is looked for | Found |", "|---|---|---:|"]
    lines += [f"| `{kind}` | {'; '.join(dict.fromkeys(words))} | {found[kind]} |" for kind, words in what.items()]
    changed, every = sum(one.changed for one in counts), sum(one.records for one in counts)
    return "\n".join([*lines, "", f"{changed} of {every} records would be changed. {redact.LIMITS}"])


def quality(root: Path) -> str:
    """The table of how much of made-up personal data is found, by kind and language, here and by Presidio."""
    result = Result(root, "redaction_quality")
    lines = [
        "| Kind | Found | Recall | Precision | Recall of Presidio | Precision of Presidio |",
        "|---|---:|---|---|---|---|",
    ]
    kinds, theirs = result.at("kinds"), result.at("presidio:kinds")
    assert isinstance(kinds, list) and isinstance(theirs, list), "the benchmark writes lists"
    place_of = {
        (result.at(f"{row}:kind"), result.at(f"{row}:language")): row
        for row in (f"presidio:kinds:{number}" for number in range(len(theirs)))
    }
    for number in range(len(kinds)):
        row = f"kinds:{number}"
        language = {"fr": "French", "en": "English"}[str(result.at(f"{row}:language"))]
        found, values = (int(result.number(f"{row}:{key}")) for key in ("found", "values"))
        other = place_of.get((result.at(f"{row}:kind"), result.at(f"{row}:language")))
        shares = [_share(result, row, key) for key in ("recall", "precision")]
        shares += [_share(result, other, key) if other else "" for key in ("recall", "precision")]
        lines.append(f"| `{result.at(f'{row}:kind')}`, {language} | {found} of {values} | {' | '.join(shares)} |")
    alike, wrong = (int(result.number(key)) for key in ("look_alikes", "look_alikes_with_a_find"))
    words = [
        f"Of {alike} records that only look like personal data, {wrong or 'none'} had a find; for Presidio, "
        f"{int(result.number('presidio:look_alikes_with_a_find'))}.",
        f"Of the values of these kinds that are written as usual, Presidio finds {_usual(result, place_of.values())}.",
        _goals(result),
    ]
    return "\n".join([*lines, "", " ".join(words)])


def _usual(result: Result, rows: Iterable[str]) -> str:
    found, values = (sum(int(result.number(f"{row}:usual:{key}")) for row in rows) for key in ("found", "values"))
    return f"{found} of {values}"


def _goals(result: Result) -> str:
    """The goals of each group, and the rows that miss theirs."""
    targets, missed = [], list[str]()
    for group, words in _GROUPS_OF_KINDS.items():
        recall, precision = (result.number(f"targets:{group}:{number}") for number in (0, 1))
        targets.append(f"{recall} and {precision} for {words}")
        rows = result.at(f"groups:{group}:rows_that_miss")
        assert isinstance(rows, list), "the benchmark writes a list"
        missed += [f"`{row}`" for row in rows]
    told = f"These rows miss it: {', '.join(missed)}." if missed else "No row misses it."
    return f"The goal for recall and precision is {', '.join(targets)}. {told}"


_GROUPS_OF_KINDS = {
    "checked": "numbers with check digits",
    "shaped": "what is known by its form",
    "described": "postal codes, addresses and birth dates",
}


def _share(result: Result, row: str, key: str) -> str:
    share, least, most = (result.number(f"{row}:{path}") * 100 for path in (key, f"{key}_95:0", f"{key}_95:1"))
    return f"{share:.1f} % ({least:.1f} to {most:.1f})"


@dataclass(frozen=True)
class _Words:
    """A checklist in one language: the head, then for each row its question and its answer, with places for figures."""

    head: tuple[str, str]
    rows: tuple[tuple[str, str], ...]
    no_speakers: str


_ENGLISH = _Words(
    ("Question", "Starter corpus"),
    (
        ("Records and files", "{records} in {files}"),
        ("Source", "written for the project; no text is from elsewhere"),
        ("Licence", "CC0-1.0"),
        ("Records with fields about speakers", "{speakers}"),
        ("Smallest group of speakers who are alike", "{smallest}"),
        ("Records in which personal data was found", "{found}"),
        ("Finds in the names of fields", "{in_keys}"),
        ("Secret key of the placeholders", "none: nothing was replaced"),
    ),
    "no such fields",
)
_FRENCH = _Words(
    ("Question", "Corpus de départ"),
    (
        ("Enregistrements et fichiers", "{records} dans {files}"),
        ("Provenance", "écrit pour le projet; aucun texte ne vient d'ailleurs"),
        ("Licence", "CC0-1.0"),
        ("Enregistrements avec des champs sur les locuteurs", "{speakers}"),
        ("Plus petit groupe de locuteurs semblables", "{smallest}"),
        ("Enregistrements où des données personnelles ont été trouvées", "{found}"),
        ("Trouvailles dans les noms de champs", "{in_keys}"),
        ("Clé secrète des remplacements", "aucune: rien n'a été remplacé"),
    ),
    "aucun champ de ce genre",
)


def checklist(root: Path) -> str:
    """The answers of the starter corpus to the questions of the page about governance."""
    return _checklist(root, _ENGLISH)


def checklist_fr(root: Path) -> str:
    """The same in French."""
    return _checklist(root, _FRENCH)


def _checklist(root: Path, words: _Words) -> str:
    described, counts = describe.describe(_files(root)), _redacted(root)
    cell = described.smallest_cell()
    figures = {
        "records": described.records,
        "files": len(counts),
        "speakers": sum(described.cells.values()),
        "smallest": words.no_speakers if cell is None else cell,
        "found": sum(one.changed for one in counts),
        "in_keys": sum(one.in_keys for one in counts),
    }
    return _table(words.head, tuple((question, answer.format(**figures)) for question, answer in words.rows))


def _table(head: tuple[str, str], rows: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(f"| {one} | {other} |" for one, other in (head, ("---", "---"), *rows))


def _redacted(root: Path) -> list[redact.Count]:
    with tempfile.TemporaryDirectory(prefix="zoo-sync-") as folder:
        way = redact.Way(Placeholders(keys.fresh()), is_linkable=False)
        return redact.redact(_files(root), Path(folder) / "out", way)
