"""The conversations that a teacher is trained on, line by line, and compared with what a model is measured on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
import tunesamples
from tunesamples import CHATS, HELDOUT_FILE, TRAIN_FILE, chat

from catalog.checks import check_recipe
from zoo import settings as settings_room
from zoo.errors import InputError
from zoo.judge import probes
from zoo.plan import systemprompts, tunecorpus
from zoo.review import check as review
from zoo.sources import facts as sourcefacts


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinyzoo.make_tiny_zoo(tmp_path_factory.mktemp("tune") / "zoo")


@pytest.fixture
def zoo(shared: Path) -> Path:
    tunesamples.write(shared)
    return shared


def found(zoo: Path, block: dict[str, Any] | None = None) -> list[str]:
    checked = check_recipe(tunesamples.recipe(zoo, block), zoo)
    assert not checked.problems, checked.problems
    return [str(one) for one in tunecorpus.problems(checked, zoo)]


def test_sound_conversations_have_no_problem(zoo: Path) -> None:
    assert found(zoo) == []
    (zoo / TRAIN_FILE).write_bytes("\ufeff".encode() + (zoo / TRAIN_FILE).read_bytes().replace(b"\n", b"\r\n"))
    assert found(zoo) == []


def test_rows_of_a_labelled_corpus_are_conversations_too(zoo: Path) -> None:
    more = {"key": "0" * 16, "tags": [], "requires_json": False, "finish": "stop", "attempts": 1}
    tunesamples.write(zoo, [{**more, **one} for one in CHATS[:4]])
    assert found(zoo) == []


def test_a_conversation_in_two_files_is_refused(zoo: Path) -> None:
    other = zoo / "texts/more.jsonl"
    other.write_text((zoo / TRAIN_FILE).read_text(encoding="utf-8").splitlines(keepends=True)[0], encoding="utf-8")
    try:
        train = [tinyzoo.text_file(TRAIN_FILE), tinyzoo.text_file("texts/more.jsonl")]
        (problem,) = found(zoo, {"train": train, "heldout": [tinyzoo.text_file(HELDOUT_FILE)]})
        assert problem.startswith("texts/more.jsonl:1:") and f"as line 1 of {TRAIN_FILE}" in problem
    finally:
        other.unlink()


def test_a_folder_is_a_problem_of_its_line(zoo: Path) -> None:
    folder = zoo / "texts/folder.jsonl"
    folder.mkdir()
    try:
        train = [tinyzoo.text_file("texts/folder.jsonl")]
        recipe = tunesamples.recipe(zoo, {"train": train, "heldout": [tinyzoo.text_file(HELDOUT_FILE)]})
        (problem,) = check_recipe(recipe, zoo).problems
        assert problem.path == "teacher.tune.corpus.train[0].path" and problem.what == "texts/folder.jsonl is a folder"
        assert problem.instead == "Name a file"
    finally:
        folder.rmdir()


CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "tell", "arguments": {}}}]}
TOOLS = {"tools": [{"type": "function", "function": {"name": "tell"}}]}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "not a JSON object in UTF-8"),
        ('{"messages": "hello"}', '"hello" is not a list'),
        (json.dumps(chat("a question")), "the conversation ends without an answer of the assistant"),
        (json.dumps(chat("a question", " ")), "the answer is empty"),
        (json.dumps({"messages": [*chat("a", "b")["messages"], {"role": "user", "content": "more"}]}),
         "the conversation ends without an answer"),
        (json.dumps({"messages": [{"role": "bot", "content": "hi"}]}), '"bot" is not one of'),
        (json.dumps({"messages": [*chat("a")["messages"], CALL, {"role": "tool", "content": "1"},
                                  {"role": "assistant", "content": "one"}], **TOOLS}), "a teacher is not trained on"),
        (json.dumps(CHATS[0]), "the same conversation as line 1"),
    ],
)  # fmt: skip
def test_every_bad_line_has_its_place(zoo: Path, line: str, what: str) -> None:
    path = zoo / TRAIN_FILE
    path.write_text(f"{json.dumps(CHATS[0])}\n\n{line}\n{json.dumps(CHATS[1])}\n", encoding="utf-8")
    problems = found(zoo)
    assert problems and all(one.startswith(f"{TRAIN_FILE}:3:1: ") for one in problems), problems
    assert what in problems[0]


def test_a_prompt_among_conversations_has_no_answer(zoo: Path) -> None:
    (zoo / TRAIN_FILE).write_text('{"user": "what"}\n' + json.dumps(CHATS[0]) + "\n", encoding="utf-8")
    (problem,) = found(zoo)
    assert problem.startswith(f"{TRAIN_FILE}:1:1: ") and "the kind prompt, which has no answer" in problem


def test_a_release_stops_before_its_first_step(zoo: Path) -> None:
    (zoo / HELDOUT_FILE).write_text(json.dumps(CHATS[9]) + "\n" + json.dumps(chat("why")) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"{HELDOUT_FILE}:2:1: "):
        tunecorpus.refuse(check_recipe(tunesamples.recipe(zoo), zoo), zoo)


def test_a_file_that_is_checked_itself_and_for_its_recipes_has_each_problem_once(zoo: Path) -> None:
    (zoo / HELDOUT_FILE).write_text(json.dumps(CHATS[9]) + "\n" + json.dumps(chat("why")) + "\n", encoding="utf-8")
    recipe = tunesamples.recipe(zoo)
    found = review.check([recipe, zoo / HELDOUT_FILE, recipe], settings_room.load(zoo, {}, {})).problems
    assert [(one.file, one.line) for one in found] == [(HELDOUT_FILE, 2)]


QUESTION = "how far is it from the old harbour to the last house on the hill"


@pytest.mark.parametrize("where", ["heldout prompt", "held-out conversation", "text in an answer", "probe", "turn"])
def test_what_is_nearly_the_same_as_what_is_measured_on_is_named(zoo: Path, where: str) -> None:
    train, heldout, prompts = CHATS[:9], CHATS[9:], tinyzoo.HELDOUT
    if where == "heldout prompt":
        prompts, train = [*prompts, {"user": QUESTION}], [*train, chat(f"{QUESTION}?!", "a mile")]
    elif where == "held-out conversation":
        heldout, train = [*heldout, chat(QUESTION, "a mile")], [*train, chat(f"{QUESTION}s", "two miles")]
    elif where == "turn":
        again = chat("tell me something new, please", "of what", "How far is the moon?!", "a mile")
        prompts, train = [*prompts, {"user": "how far is the moon"}], [*train, again]
    elif where == "probe":
        train = [*train, chat(probes.make("arithmetic", 3, 0).questions[0].prompt, "seven")]
    else:
        train = [*train, chat("say it", f"as I said, {tinyzoo.TEXT}")]
    tunesamples.write(zoo, train, heldout)
    tinyzoo.write_jsonl(zoo / "texts/heldout.jsonl", prompts)
    try:
        (problem,) = found(zoo)
        assert problem.startswith(f"{TRAIN_FILE}:10:1: ") and "teacher.tune.corpus.overlap_accepted" in problem
        assert found(zoo, tunesamples.corpus(overlap_accepted="Everybody knows this sentence.")) == []
    finally:
        tinyzoo.write_jsonl(zoo / "texts/heldout.jsonl", tinyzoo.HELDOUT)


def test_equal_answers_are_no_overlap(zoo: Path) -> None:
    tunesamples.write(zoo, [chat("is it blue", "yes, that is what it is to all of us here today"), *CHATS[:3]],
                      [chat("was that red", "yes, that is what it is to all of us here today"), *CHATS[9:]])
    assert found(zoo) == []


def test_a_teacher_that_refuses_system_messages_is_refused_with_the_line(zoo: Path) -> None:
    tinyzoo.write_jsonl(zoo / "texts/train.jsonl", [{"user": f"question {number}"} for number in range(6)])
    tinyzoo.write_jsonl(zoo / "texts/heldout.jsonl", [{"user": "what is held out"}, {"user": "never learnt"}])
    tunesamples.write(zoo, [CHATS[0], chat("a", "b", system="Be kind.")])
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('none') }}{% endif %}{{ messages[0].content }}"
    try:
        checked = check_recipe(tunesamples.recipe(zoo), zoo)
        known = dataclasses.replace(sourcefacts.read(zoo / "models/teacher", zoo), template=template)
        (refused,) = systemprompts.refused(checked, {"student": known, "teacher": known})
        assert refused.where == f"{TRAIN_FILE}:2" and refused.place == ("teacher", "tune", "corpus", "train", 0, "path")
    finally:
        tinyzoo.write_jsonl(zoo / "texts/train.jsonl", tinyzoo.TRAIN)
        tinyzoo.write_jsonl(zoo / "texts/heldout.jsonl", tinyzoo.HELDOUT)
