"""The log of reviews: every way to change it is found, and a signature is one for these files alone."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
from pathlib import Path

import pytest

from catalog import schema
from zoo.corpora.privacy import audit
from zoo.corpora.privacy.audit import Broken, Entry
from zoo.errors import GateRefused, InputError, ZooError
from zoo.files.listing import records
from zoo.release import reviewed
from zoo.review import check
from zoo.settings import Settings
from zoo.stages.artifact import Artifact

FILES = {"train.jsonl": "a" * 64, "heldout.jsonl": "b" * 64}


def log(count: int) -> list[bytes]:
    lines: list[bytes] = []
    for number in range(1, count + 1):
        before = audit.digest(lines[-1]) if lines else audit.FIRST
        files = {**FILES, "train.jsonl": f"{number:064x}"}
        lines.append(audit.line_of(Entry(number, "2026-11-29T10:00:00Z", "Ann", "tutored", files, before)))
    return lines


def test_a_log_reads_back_and_the_last_signature_of_the_files_counts() -> None:
    lines = log(4)
    found = audit.entries(lines)
    assert [entry.number for entry, _ in found] == [1, 2, 3, 4]
    signed = audit.signed(found, {**FILES, "train.jsonl": f"{2:064x}"})
    assert signed and signed[1] == hashlib.sha256(lines[1]).hexdigest()
    assert audit.signed(found, FILES) is None and audit.signed([], FILES) is None


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_edited_swapped_deleted_or_added_line_is_found(at: int) -> None:
    lines = log(4)
    edited = [*lines[:at], lines[at].replace(b"Ann", b"Bob"), *lines[at + 1 :]]
    swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
    deleted = [*lines[:at], *lines[at + 1 :]]
    twice = [*lines[: at + 1], lines[at], *lines[at + 1 :]]
    spaced = [*lines[:at], lines[at].replace(b":", b": ", 1), *lines[at + 1 :]]
    for changed in (edited, swapped, deleted, twice, spaced, [*lines[:at], b"{}", *lines[at + 1 :]]):
        with pytest.raises(Broken, match=r"line \d"):
            audit.entries(changed)


def test_lines_that_were_cut_are_found_by_what_a_release_names() -> None:
    lines = log(4)
    found = audit.entries(lines)
    assert audit.cut(found, 4, audit.digest(lines[3])) == ""
    assert "its last lines were cut" in audit.cut(audit.entries(lines[:3]), 4, audit.digest(lines[3]))
    assert "is not the one that a release names" in audit.cut(found, 4, audit.digest(lines[2]))


@pytest.fixture
def redacted(tmp_path: Path) -> Artifact:
    folder = tmp_path / "step"
    folder.mkdir()
    for name in ("train.jsonl", "heldout.jsonl", "redaction-report.json", "label-report.json"):
        (folder / name).write_text(f"{name}\n", encoding="utf-8")
    return Artifact("redact", "k", folder, records(folder), {})


def test_a_signature_is_for_the_files_as_they_are(redacted: Artifact, settings: Settings) -> None:
    with pytest.raises(GateRefused, match="nobody has signed for the redacted rows of tutored"):
        reviewed.refuse_unsigned("tutored", redacted, settings)
    entry = reviewed.sign("tutored", redacted, "Ann Tremblay", settings)
    assert set(entry.files) == {"train.jsonl", "heldout.jsonl", "redaction-report.json"}
    told = reviewed.refuse_unsigned("tutored", redacted, settings)
    assert (told["by"], told["files"]) == ("Ann Tremblay", dict(entry.files))
    assert not schema.violations(told, "redaction-review-v1")
    assert schema.violations(told | {"by": ""}, "redaction-review-v1")
    for name in entry.files:
        before = (redacted.folder / name).read_bytes()
        (redacted.folder / name).write_bytes(before + b" ")
        changed = dataclasses.replace(redacted, files=records(redacted.folder))
        with pytest.raises(GateRefused):
            reviewed.refuse_unsigned("tutored", changed, settings)
        (redacted.folder / name).write_bytes(before)


def test_a_release_anchors_the_log(redacted: Artifact, settings: Settings) -> None:
    reviewed.sign("tutored", redacted, "Ann", settings)
    reviewed.sign("tutored", redacted, "Bea", settings)
    told = reviewed.refuse_unsigned("tutored", redacted, settings)
    place = settings.evidence / "tutored/1.0.0" / reviewed.EVIDENCE
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(told), encoding="utf-8")
    assert len(reviewed.read("tutored", settings)) == 2
    path = reviewed.log_of("tutored", settings)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0])
    with pytest.raises(ZooError, match="its last lines were cut"):
        reviewed.read("tutored", settings)
    # The released report names the line too, so it is enough.
    (redacted.folder / "redaction-report.json").write_text('{"records": 3}', encoding="utf-8")
    whole = dataclasses.replace(redacted, files=records(redacted.folder))
    place.with_name("redaction-report.json").write_text(reviewed.report(whole, told), encoding="utf-8")
    place.unlink()
    with pytest.raises(ZooError, match=r"its last lines were cut.*redaction-report\.json"):
        reviewed.read("tutored", settings)
    path.unlink()
    with pytest.raises(ZooError, match="its last lines were cut"):
        reviewed.sign("tutored", redacted, "Cut", settings)


def test_a_line_that_was_cut_by_a_kill_does_not_count(redacted: Artifact, settings: Settings) -> None:
    reviewed.sign("tutored", redacted, "Ann", settings)
    path = reviewed.log_of("tutored", settings)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    assert len(reviewed.read("tutored", settings)) == 1
    assert reviewed.sign("tutored", redacted, "Bea", settings).number == 2
    assert len(reviewed.read("tutored", settings)) == 2


@pytest.mark.parametrize("by", ["", "  ", "a" * 101, "Ann\nBea", "\x1b[31m"])
def test_a_name_that_is_none_signs_nothing(by: str, redacted: Artifact, settings: Settings) -> None:
    with pytest.raises(InputError, match="the name of who reviewed"):
        reviewed.sign("tutored", redacted, by, settings)
    assert not reviewed.log_of("tutored", settings).exists()


def test_zoo_check_reads_a_log_as_one_and_names_its_line(redacted: Artifact, settings: Settings) -> None:
    reviewed.sign("tutored", redacted, "Ann", settings)
    reviewed.sign("tutored", redacted, "Bea", settings)
    path = reviewed.log_of("tutored", settings)
    assert path in check.own(settings) and check.check([path], settings).problems == []
    path.write_bytes(path.read_bytes().replace(b"Bea", b"Eve").replace(b"Ann", b"Eva"))
    (problem,) = check.check([path], settings).problems
    assert (problem.file, problem.line) == ("recipes/tutored.reviews.jsonl", 2)


def _sign(redacted: Artifact, settings: Settings, by: str) -> None:
    for _ in range(5):
        reviewed.sign("tutored", redacted, by, settings)


def test_two_people_may_sign_at_the_same_time(redacted: Artifact, settings: Settings) -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.starmap(_sign, [(redacted, settings, "Ann"), (redacted, settings, "Bea")])
    assert [entry.number for entry, _ in reviewed.read("tutored", settings)] == list(range(1, 11))
