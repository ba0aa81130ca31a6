"""``teacher: tune: corpus:`` of a recipe: what is refused, with its place, and what may not be in two parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tinyzoo
import tunesamples
from tunesamples import CHATS, HELDOUT_FILE, TRAIN_FILE, chat

from catalog.checks import check_recipe
from catalog.recipe import plain


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    zoo = tinyzoo.make_tiny_zoo(tmp_path_factory.mktemp("tune") / "zoo")
    tunesamples.write(zoo)
    return zoo


@pytest.fixture
def zoo(shared: Path) -> Path:
    tunesamples.write(shared)
    return shared


def problems(zoo: Path, block: dict[str, Any] | None = None, **changes: Any) -> list[tuple[str, str]]:
    found = check_recipe(tunesamples.recipe(zoo, block, **changes), zoo)
    return [(one.path, one.what) for one in found.problems]


def test_the_files_are_data_of_the_recipe_and_other_recipes_have_no_such_parts(zoo: Path) -> None:
    checked = check_recipe(tunesamples.recipe(zoo), zoo)
    assert checked.problems == () and checked.recipe and checked.recipe.tune
    assert list(checked.recipe.data) == ["train", "heldout", "evaluation", "calibration", "tune.train", "tune.heldout"]
    assert [checked.files[path].prompts for path in (TRAIN_FILE, HELDOUT_FILE)] == [9, 3]
    older = check_recipe(zoo / "recipes/plain.yaml", zoo).recipe
    assert older and "tune.train" not in older.data
    without = check_recipe(
        tinyzoo.write_recipe(
            zoo, tinyzoo.tutored_recipe(zoo, "own", teacher={**tinyzoo.source(zoo), "tune": tunesamples.TUNE})
        ),
        zoo,
    ).recipe
    assert without and without.tune and "corpus" not in plain(without.tune)


FILE = "teacher.tune.corpus.train[0]"


@pytest.mark.parametrize(
    ("block", "path", "what"),
    [
        ({"train": []}, "teacher.tune.corpus.train", "the list has 0 entries"),
        ({"train": [tinyzoo.text_file("texts/none.jsonl")]}, f"{FILE}.path", '"texts/none.jsonl" does not exist'),
        ({"train": [tinyzoo.text_file("texts/words.md")]}, f"{FILE}.path", '"texts/words.md" does not exist'),
        ({"train": [tinyzoo.text_file("zoo.toml")]}, f"{FILE}.path", "a conversation file ends in .jsonl"),
        ({"train": [tinyzoo.text_file("../a.jsonl")]}, f"{FILE}.path", "the path"),
        ({"train": [tinyzoo.text_file("texts/train.jsonl")]}, f"{FILE}.path", "is already used under corpus.train"),
        ({"train": [{"path": TRAIN_FILE, "source": "me"}]}, FILE, 'key "licence" is missing'),
        ({"train": [{**tinyzoo.text_file(TRAIN_FILE), "licence": "free"}]}, f"{FILE}.licence", "not an SPDX"),
        ({"heldout": [tinyzoo.text_file(TRAIN_FILE)]}, "teacher.tune.corpus.heldout[0].path",
         "is already used under teacher.tune.corpus.train"),
        ({"valid": []}, "teacher.tune.corpus.valid", 'unknown key "valid"'),
    ],
)
def test_a_wrong_block_has_its_place(zoo: Path, block: dict[str, Any], path: str, what: str) -> None:
    found = problems(zoo, tunesamples.corpus(**block))
    assert any(place == path and what in words for place, words in found), found


def test_both_parts_are_needed(zoo: Path) -> None:
    found = problems(zoo, {"train": [tinyzoo.text_file(TRAIN_FILE)]})
    assert found == [("teacher.tune.corpus", 'key "heldout" is missing')]


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "no line of the file is a conversation"),
        (b'{"user": "what is held out", "tags": []}\n', "no line of the file is a conversation"),
        (b'{"messages": []}\n', "no line of the file is a conversation"),
        (b'{"messages": [{"role": "user", "content": "caf\xe9"}]}\n', "line 1 is not UTF-8 text"),
    ],
)
def test_a_file_without_conversations_is_refused(zoo: Path, raw: bytes, what: str) -> None:
    (zoo / TRAIN_FILE).write_bytes(raw)
    ((path, words),) = problems(zoo)
    assert path == f"{FILE}.path" and what in words


def test_one_held_out_conversation_is_too_few(zoo: Path) -> None:
    tunesamples.write(zoo, heldout=CHATS[9:10])
    ((path, words),) = problems(zoo)
    assert path == "teacher.tune.corpus.heldout" and "1 conversation is too few" in words


@pytest.mark.parametrize(
    ("train", "heldout", "path", "what"),
    [
        ([*CHATS[:2], chat("what is held  out", "nothing")], CHATS[9:], "corpus.heldout[0].path",
         f"line 1 of the file is the same prompt as line 3 of {TRAIN_FILE}"),
        ([chat("hello", "yes", "never learnt", "no", system="Be brief.")], CHATS[9:], "corpus.heldout[0].path",
         f"line 2 of the file is the same prompt as line 1 of {TRAIN_FILE}"),
        (CHATS[:9], [*CHATS[9:], chat(CHATS[4]["messages"][0]["content"], "other words")],
         "teacher.tune.corpus.heldout[0].path", f"line 4 of the file is the same question as line 5 of {TRAIN_FILE}"),
        ([*CHATS[:2], chat(" ".join([tinyzoo.TEXT.strip()] * 8), "yes")], CHATS[9:], f"{FILE}.path",
         "line 3 of the file is the same as line 1 of texts/words.txt, which is used for measurement"),
    ],
)  # fmt: skip
def test_what_is_measured_on_is_not_learnt(
    zoo: Path, train: list[dict[str, Any]], heldout: list[dict[str, Any]], path: str, what: str
) -> None:
    tunesamples.write(zoo, train, heldout)
    found = problems(zoo)
    assert [place for place, _ in found] == [path] and what in found[0][1], found


def test_the_training_prompts_may_be_asked_there_too(zoo: Path) -> None:
    tunesamples.write(zoo, [chat("question 1", "one"), *CHATS[:3]])
    assert problems(zoo) == []


@pytest.mark.parametrize(
    "changes", [{"distill": None}, {"distill": {"steps": 4, "method": "labels"}}, {"engine": "llama.cpp"}]
)
def test_a_teacher_that_answers_after_its_training_teaches_by_its_text(zoo: Path, changes: dict[str, Any]) -> None:
    recipe = tinyzoo.tutored_recipe(zoo)
    recipe["teacher"] |= {"tune": {**tunesamples.TUNE, "corpus": tunesamples.corpus()}}
    if "engine" in changes:
        recipe["teacher"]["engine"] = changes["engine"]
    elif changes["distill"] is None:
        del recipe["distill"]
    else:
        recipe["distill"] |= changes["distill"]
    assert check_recipe(tinyzoo.write_recipe(zoo, recipe), zoo).problems == ()


def test_redaction_of_answers_does_not_look_at_these_files(zoo: Path) -> None:
    recipe = tinyzoo.tutored_recipe(zoo)
    recipe["teacher"] |= {"tune": {**tunesamples.TUNE, "corpus": tunesamples.corpus()}}
    recipe["label"] |= {"redact": "automatic"}
    hints = [one for one in check_recipe(tinyzoo.write_recipe(zoo, recipe), zoo).hints if "redact" in one.what]
    assert [one.path for one in hints] == ["teacher.tune.corpus.train[0].path", "teacher.tune.corpus.heldout[0].path"]
    assert f"zoo corpus redact {TRAIN_FILE} --out FOLDER" in hints[0].instead
