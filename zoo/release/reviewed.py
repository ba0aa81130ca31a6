"""Reviews of redacted rows: who signed for which files, in a log of the zoo, and what a release records of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from catalog import jsontext, shell
from catalog.jsonvalues import table, text, whole
from zoo.corpora.privacy import audit
from zoo.corpora.privacy.audit import Entry
from zoo.corpora.privacy.redact import REPORT
from zoo.errors import AGAIN, GateRefused, InputError, ZooError
from zoo.files import journal
from zoo.files.digests import pretty_json
from zoo.files.locks import locked
from zoo.settings import Settings
from zoo.stages.artifact import Artifact

EVIDENCE = "redaction-review.json"
SCHEMA = "redaction-review/1"
_SIGNED = ("train.jsonl", "heldout.jsonl", REPORT)
_MOST_BYTES = 16 << 20
_LONGEST_NAME = 100


def log_of(name: str, settings: Settings) -> Path:
    """The log of a recipe's reviews, which belongs into version control next to the recipe."""
    return settings.root / "recipes" / f"{name}{audit.SUFFIX}"


def files_of(redacted: Artifact) -> dict[str, str]:
    """What is signed: sha256 of each file of the step."""
    return {file.path: file.sha256 for file in redacted.files if file.path in _SIGNED}


def read(name: str, settings: Settings) -> list[tuple[Entry, str]]:
    """The entries of the log; none without one. Raises ZooError for a log that was changed."""
    path = log_of(name, settings)
    try:
        found = audit.entries(journal.lines(path)) if path.exists() else []
        for place, number, head in _anchors(name, settings):
            if why := audit.cut(found, number, head):
                raise audit.Broken(f"{why} ({settings.shown(place)})")
    except audit.Broken as error:
        raise ZooError(
            f"the log of reviews is not the one that was written: {error}", where=settings.shown(path),
            safe="Nothing was released because of it.", remedy="Restore it from version control",
        ) from error  # fmt: skip
    return found


def sign(name: str, redacted: Artifact, by: str, settings: Settings) -> Entry:
    """Add a review of these files to the log. Raises InputError for an invalid name, ZooError."""
    if not by.strip() or len(by) > _LONGEST_NAME or not by.isprintable():
        raise InputError("the name of who reviewed is empty, too long or not printable", remedy="Write it with --by")
    path = log_of(name, settings)
    with locked(path):
        found = read(name, settings)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        before = found[-1][1] if found else audit.FIRST
        entry = Entry(len(found) + 1, now, by.strip(), name, files_of(redacted), before)
        with journal.open_to_append(path, "log of reviews") as stream:
            journal.append(stream, vars(entry), "log of reviews", _MOST_BYTES)
    return entry


def refuse_unsigned(name: str, redacted: Artifact, settings: Settings) -> dict[str, object]:
    """What a release records of the review of these files. Raises GateRefused if nobody signed for them, ZooError for a
    log that was changed."""
    found = audit.signed(read(name, settings), files_of(redacted))
    if found is None:
        raise GateRefused(
            f"nobody has signed for the redacted rows of {name} as they are now",
            where=settings.shown(redacted.folder),
            safe="Nothing was published. The rows are kept there.",
            remedy=f"Read them, then run: zoo corpus sign-off {shell.argument(name)} --by YOUR-NAME",
            again=AGAIN,
        )
    entry, head = found
    return {
        "schema": SCHEMA, "by": entry.by, "at_utc": entry.at_utc, "files": entry.files,
        "log": {"line": entry.number, "sha256": head},
    }  # fmt: skip


def report(redacted: Artifact, review: Mapping[str, object]) -> str:
    """The redaction report as it is released: the signed one, with the line of the log that signed for it."""
    return pretty_json(table(redacted.json(REPORT)) | {"log": review["log"]})


def _anchors(name: str, settings: Settings) -> Iterator[tuple[Path, int, str]]:
    """(evidence file, line, its digest) of every release of the recipe whose evidence is in the zoo: its review and its
    report both name the line, so that one of them is enough."""
    folder = settings.evidence / name
    for path in sorted(path for file in (EVIDENCE, REPORT) for path in folder.glob(f"*/{file}")):
        try:
            log = table(table(jsontext.read(path))["log"])
            yield path, whole(log["line"]), text(log["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            # A report that nobody had to sign names no line. Damaged evidence is found by what compares it with the
            # catalog.
            continue
