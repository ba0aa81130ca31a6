"""The starter corpus: valid, varied, without repeats or personal data, and as its card describes it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog import jsontext, schema
from zoo.corpora import check, compare
from zoo.corpora.privacy import keys, redact
from zoo.corpora.privacy.placeholders import Placeholders
from zoo.corpora.records import tags_of

REPOSITORY = Path(__file__).parents[2]
CORPORA = REPOSITORY / "recipes/corpora"
STARTER = CORPORA / "starter"
FILES = sorted(STARTER.glob("*.jsonl"))
INVISIBLE_IN_SPELLING = "Affrication_Coronal"


def named(paths: list[Path]) -> list[check.File]:
    return [check.File(path, path.name) for path in paths]


def records(pattern: str = "*.jsonl") -> list[dict[str, Any]]:
    lines = [line for path in sorted(STARTER.glob(pattern)) for line in path.read_bytes().splitlines()]
    return [record for line in lines if isinstance(record := jsontext.parse(line), dict)]


def asked(record: dict[str, Any]) -> str:
    messages = record.get("messages", [{"role": "user", "content": record.get("user")}])
    return next(str(message["content"]) for message in messages if message["role"] == "user")


def texts(record: dict[str, Any]) -> str:
    """What people and the assistant write in a record."""
    return " ".join([record.get("user", ""), *(str(one.get("content") or "") for one in record.get("messages", []))])


def test_every_record_is_valid_and_none_is_like_another() -> None:
    found = check.check(named(FILES))
    assert not found.problems and found.records == {"prompt": 400, "conversation": 48}
    assert not compare.compare(named(FILES), [], 0.5, 60).problems
    others = named(sorted((CORPORA / "tutor").glob("*.jsonl")))
    assert not compare.compare(named(FILES), others, 0.5, 60).problems


def test_held_out_prompts_share_nothing_with_the_training_files() -> None:
    held = [path for path in FILES if "heldout" in path.name]
    assert held
    assert not compare.compare(named([path for path in FILES if path not in held]), named(held), 0.5, 60).problems


def test_languages_topics_and_forms_have_their_shares() -> None:
    found = records()
    count = Counter(tag for record in found for tag in tags_of(record))
    assert min(count["lang:en"], count["lang:fr-CA"]) >= 0.45 * len(found)
    topics = {tag: n for tag, n in count.items() if tag.startswith("topic:")}
    assert len(topics) == 8 and min(topics.values()) >= 0.05 * len(found)
    assert count["form:json"] + count["form:tools"] >= 0.25 * len(found) and count["form:tools"] >= 40
    schemas = {record["tool_name"] for record in found if record.get("requires_json")}
    assert len(schemas) == 32


def test_every_dialect_tag_that_spelling_shows_has_eight_records_with_both_apostrophes() -> None:
    tags = schema.load("dialect-record-v1")["properties"]["dialect_tag_list"]["items"]["enum"]
    for tag in set(tags) - {INVISIBLE_IN_SPELLING}:
        mine = [record for record in records() if f"dialect:{tag}" in tags_of(record)]
        assert len(mine) >= 8, tag
        assert any("\u2019" in texts(one) for one in mine) and any("'" in texts(one) for one in mine), tag
        assert all({"lang:fr-CA", "dialect:quebec"} <= set(tags_of(one)) for one in mine), tag


def test_questions_begin_in_many_ways() -> None:
    found = records()
    first = Counter(" ".join(re.findall(r"\w+", asked(record).casefold())[:3]) for record in found)
    assert first.most_common(1)[0][1] <= 0.04 * len(found)


def test_the_conversations_show_what_tools_do() -> None:
    found = records("conversations*")
    calls = [[len(one.get("tool_calls", [])) for one in record["messages"]] for record in found]
    assert sum(not any(counts) for counts in calls) >= 4, "without a call"
    assert sum(max(counts) > 1 for counts in calls) >= 4, "several calls at the same time"
    assert sum(sum(counts) > 1 for counts in calls) >= 20, "several calls"
    answers = [one["content"] for record in found for one in record["messages"] if one["role"] == "tool"]
    assert sum('"error"' in answer for answer in answers) >= 3
    assert sum(answer == "[]" for answer in answers) >= 5


def test_no_personal_data_is_found(tmp_path: Path) -> None:
    way = redact.Way(Placeholders(keys.fresh()), False, None)
    counts = redact.redact(named(FILES), tmp_path / "redacted", way)
    assert not any(one.found.total() or one.changed or one.left_out or one.in_keys for one in counts)


def test_the_card_names_every_file_with_its_records() -> None:
    card = (STARTER / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---")[1])
    named_files = [file["path"] for config in header["configs"] for file in config["data_files"]]
    assert sorted(named_files) == [path.name for path in FILES]
    assert header["license"] == "cc0-1.0" and header["size_categories"] == ["n<1K"]
    for path in FILES:
        count = Counter(tag for record in records(path.name) for tag in tags_of(record))
        english, french = count["lang:en"], count["lang:fr-CA"]
        assert f"| `{path.name}` | {english + french} | {english} | {french} |" in card
        assert english + french == len(records(path.name))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_end_with_a_line_and_have_no_windows_ends(path: Path) -> None:
    raw = path.read_bytes()
    assert raw.endswith(b"}\n") and b"\r" not in raw


SAID_OF_NO_DATA = ("anonymized", "anonymised", "anonymisé", "anonyme", "compliant", "conforme", "guarantee", "garanti")
"""Words that promise of data what a redaction does not do."""


def promises(text: str) -> list[str]:
    """The sentences that say such a word of data. A title of a regulation, and a sentence that denies it, may."""
    found = []
    for sentence in re.split(r"(?<=[.:!?])\s|\n[-|#]", text):
        small = sentence.casefold()
        denies = re.search(r"\b(not|no|never|ne|pas|n'|jamais)\b", small)
        if any(word in small for word in SAID_OF_NO_DATA) and not denies:
            found.append(sentence)
    return found


def test_no_page_about_corpora_promises_what_redaction_does_not_do() -> None:
    docs = REPOSITORY / "site/docs"
    pages = [*docs.glob("how-to/*corpus*.md"), *docs.glob("reference/*corpus*.md"), *STARTER.glob("*.md")]
    pages += [STARTER / "croissant.json", REPOSITORY / "site/templates/dataset.html"]
    pages += (REPOSITORY / "zoo/corpora").rglob("*.py")
    assert {path.name for path in pages} >= {"govern-a-corpus.md", "gouverner-un-corpus.md", "redact-a-corpus.md"}
    assert {path.name: said for path in pages if (said := promises(path.read_text(encoding="utf-8")))} == {}
    for said in ("The corpus is anonymized.", "Le corpus est anonymisé.", "We guarantee it."):
        assert promises(said) == [said]


def test_both_pages_about_governance_have_the_same_parts() -> None:
    one, other = (
        (REPOSITORY / f"site/docs/how-to/{name}.md").read_text(encoding="utf-8")
        for name in ("govern-a-corpus", "gouverner-un-corpus")
    )
    for pattern in (r"^## ", r"^- ", r"^\d\. ", r"^\| ", r"^```", r"legisquebec\.gouv\.qc\.ca", r"\]\([a-z./-]+\.md"):
        assert len(re.findall(pattern, one, re.M)) == len(re.findall(pattern, other, re.M)) > 0, pattern
