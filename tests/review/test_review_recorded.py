"""zoo review blocks a contribution that loses a report on redaction, or contradicts a recorded digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from offers import Captured, git, reviewed, zoo
from sitesamples import sample

from catalog import index
from catalog.release import EvidenceFile

__all__ = ["zoo"]

CARD = "recipes/corpora/tutor/README.md"
REPORT = "recipes/corpora/tutor/redaction.json"
MODEL = sample().models[0]
PLACE = f"{MODEL.name}/{MODEL.releases[0].version}"
EVIDENCE = f"site/evidence/{PLACE}"
DATASET = f"{EVIDENCE}/dataset-report.json"
SUMS, LISTED = "recipes/corpora/tutor/SHA256SUMS", "recipes/corpora/tutor/prompts.train.jsonl"
WEIGHTS, OWN = "models/tiny.gguf", "recipes/own.yaml"


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def write(zoo: Path, path: str, text: str) -> None:
    (zoo / path).parent.mkdir(parents=True, exist_ok=True)
    (zoo / path).write_text(text, encoding="utf-8")


@pytest.fixture
def recorded(zoo: Path) -> Path:
    """A zoo whose main branch has reports, lists of sums, evidence and a pinned source of its own."""
    write(zoo, CARD, "# Tutor\n\n## Redaction\n\nNames were removed.\n\n## Limits\n\nMany.\n")
    write(zoo, REPORT, '{"removed": 3}\n')
    write(zoo, DATASET, json.dumps({"redaction": {"removed": 3}}))
    write(zoo, f"{EVIDENCE}/measured.json", "{}\n")
    entry = EvidenceFile("measured.json", 3, sha256(b"{}\n"))
    release = dataclasses.replace(MODEL.releases[0], evidence=(entry,))
    models = (dataclasses.replace(MODEL, releases=(release, *MODEL.releases[1:])), *sample().models[1:])
    write(zoo, "model_catalog.json", index.to_text(dataclasses.replace(sample(), models=models)))
    lines = [f"{sha256((zoo / path).read_bytes())}  {Path(path).name}\n" for path in (LISTED, REPORT)]
    write(zoo, SUMS, "".join([*lines, f"{'0' * 64}  not-in-git.gguf\n", f"{'0' * 64}  ../../escape\n", "nonsense\n"]))
    write(zoo, WEIGHTS, "weights")
    text = (zoo / "recipes/smollm2-tutor-57m.yaml").read_text(encoding="utf-8")
    write(zoo, OWN, f"zoo: 1\nstudent:\n  source: file:{WEIGHTS}\n  sha256: {sha256(b'weights')}\n# {len(text)}\n")
    git(zoo, "add", "-A")
    git(zoo, "commit", "-q", "-m", "Recorded")
    git(zoo, "branch", "-f", "main")
    return zoo


def replaced(path: str, old: str, new: str) -> Callable[[Path], None]:
    def act(zoo: Path) -> None:
        text = (zoo / path).read_text(encoding="utf-8")
        assert old in text
        write(zoo, path, text.replace(old, new))

    return act


WORSE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a section": (replaced(CARD, "## Redaction", "## Notes"), f"{CARD}: the section on redaction is gone"),
    "a card": (lambda zoo: (zoo / CARD).unlink(), f"{CARD}: the section on redaction is gone"),
    "a report": (lambda zoo: (zoo / REPORT).unlink(), f"{REPORT}: the redaction report is gone"),
    "an empty report": (lambda zoo: write(zoo, REPORT, ""), f"{REPORT}: the redaction report is gone"),
    "a part of a report": (
        replaced(DATASET, '{"removed": 3}', "null"), f"{DATASET}: the redaction report is gone",
    ),
    "a listed file": (
        replaced(LISTED, '"user"', ' "user"'), f"{LISTED}: its content does not have the digest in {SUMS}",
    ),
    "a list of sums": (
        lambda zoo: write(zoo, SUMS, f"{'1' * 64}  prompts.train.jsonl\n"),
        f"{LISTED}: its content does not have the digest in {SUMS}",
    ),
    "evidence": (
        lambda zoo: write(zoo, f"{EVIDENCE}/measured.json", "{} \n"),
        f"{EVIDENCE}/measured.json: its content does not have the digest in model_catalog.json",
    ),
    "the catalog": (
        replaced("model_catalog.json", sha256(b"{}\n"), "2f" * 32),
        f"{EVIDENCE}/measured.json: its content does not have the digest in model_catalog.json",
    ),
    "a source": (
        lambda zoo: write(zoo, WEIGHTS, "other"),
        f"{WEIGHTS}: its content does not have the digest in {OWN} (student.sha256)",
    ),
    "a pin": (
        replaced(OWN, sha256(b"weights"), "3f" * 32),
        f"{WEIGHTS}: its content does not have the digest in {OWN} (student.sha256)",
    ),
}  # fmt: skip
HARMLESS: dict[str, Callable[[Path], None]] = {
    "another word in a card": replaced(CARD, "Names were", "Family names were"),
    "a deleted listed file": lambda zoo: (zoo / LISTED).with_name("other.md").write_text("x"),
    "a list that also changed": lambda zoo: (
        write(zoo, REPORT, '{"removed": 4}\n'),
        replaced(SUMS, sha256(b'{"removed": 3}\n'), sha256(b'{"removed": 4}\n'))(zoo),
    )[1],
    "a source and its pin": lambda zoo: (
        write(zoo, WEIGHTS, "better"),
        replaced(OWN, sha256(b"weights"), sha256(b"better"))(zoo),
    )[1],
    "an older difference": lambda zoo: write(zoo, "notes.md", "# Notes\n"),
}
LINES = ("does not have the digest", "redaction report is gone", "section on redaction is gone")


@pytest.mark.parametrize("what", WORSE)
def test_a_lost_report_or_a_broken_digest_is_blocked(what: str, recorded: Path, capsys: Captured) -> None:
    change, words = WORSE[what]
    change(recorded)
    code, text = reviewed(recorded, capsys)
    assert code == 3 and words in text, text


@pytest.mark.parametrize("what", HARMLESS)
def test_what_is_recorded_may_change_together_with_its_record(
    what: str, recorded: Path, capsys: Captured
) -> None:
    if what == "an older difference":
        # It was there before the contribution, so the contribution is not blamed.
        write(recorded, f"{EVIDENCE}/measured.json", "damaged\n")
        git(recorded, "commit", "-qam", "Damaged")
        git(recorded, "branch", "-f", "main")
    HARMLESS[what](recorded)
    _, text = reviewed(recorded, capsys)
    assert not any(line in text for line in LINES), text


def test_nothing_is_recorded_wrongly_here() -> None:
    """The records of this repository: each SHA256SUMS and the digests of the catalog."""
    from zoo.review.recorded import _broken

    root = Path(__file__).resolve().parents[2]
    listed = subprocess.run(
        ["git", "ls-files", "published", "site/evidence", "model_catalog.json"],
        cwd=root, capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    assert list(_broken(root, listed)) == []
