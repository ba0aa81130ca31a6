"""The label journal: answered rows are found again, an incomplete line is dropped, keys are stable."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llama_cpp")

from tinygguf import make_tiny_gguf

from catalog.release import Cache
from zoo.corpora.rows import Answer, Row, invalid, labelled, messages_of, summary
from zoo.errors import ModelFileError, ZooError
from zoo.files import journal as journals
from zoo.files.digests import canonical_json, digest
from zoo.files.listing import FileRecord, records
from zoo.llama import library
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.progress import Silent
from zoo.stages import Context, answering, distill, label
from zoo.stages.artifact import Artifact
from zoo.stages.label import read_journal
from zoo.stages.questions import questions
from zoo.stages.table import LABEL_CACHE_BYTES

SCHEMA = {
    "type": "object",
    "properties": {"x": {"type": "integer"}},
    "required": ["x"],
    "additionalProperties": False,
}


def answer(key: str, text: str = "fine", **more: Any) -> Answer:
    return dataclasses.replace(Answer(key, text, "stop", 3, 1, ""), **more)


def row(key: str, part: str = "train", number: int = 0, schema: Any = None) -> Row:
    return Row(key, part, number, (("user", f"question {key}"),), schema, ("lang:en",))


def write(path: Path, *answers: Answer) -> None:
    with journals.open_to_append(path, "label journal") as stream:
        for one in answers:
            journals.append(stream, vars(one), "label journal")


def test_answers_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "labels" / "j.jsonl"
    assert read_journal(path) == {}
    write(path, answer("a"), answer("b", "é\u2028\n"))
    write(path, answer("c"))
    assert read_journal(path) == {"a": answer("a"), "b": answer("b", "é\u2028\n"), "c": answer("c")}
    assert path.read_bytes().count(b"\n") == 3


def test_a_journal_cut_at_any_byte_loses_one_row_at_most(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    write(path, answer("a"), answer("b", "zwei é"))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        write(path, answer("c"))
        expected = (["a"] if cut >= first else []) + ["c"]
        assert list(read_journal(path)) == expected, cut
        assert path.read_bytes().startswith(whole[: first if cut >= first else 0])


def test_lines_of_another_format_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    lines = [
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"key": "x"}',
        canonical_json({**vars(answer("y")), "more": 1}).encode(),
        canonical_json({**vars(answer("y")), "key": {}}).encode(),
        canonical_json({**vars(answer("y")), "tokens": "3"}).encode(),
        canonical_json({**vars(answer("y")), "tokens": True}).encode(),
        canonical_json({**vars(answer("y")), "invalid": None}).encode(),
        canonical_json({**vars(answer("y")), "finish": "eaten"}).encode(),
        b"[" * 100_000,
        b'{"key": ' + b"9" * 5000 + b"}",
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    write(path, answer("a"))
    assert list(read_journal(path)) == ["a"]


def test_the_last_answer_of_a_key_counts(tmp_path: Path) -> None:
    write(tmp_path / "j", answer("a", "old"), answer("a", "new"))
    assert read_journal(tmp_path / "j")["a"].text == "new"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported() -> None:
    with (
        contextlib.suppress(OSError),  # closing the file tries once more
        Path("/dev/full").open("wb") as full,
        pytest.raises(ZooError, match=r"the label journal cannot be written \(No space left on device\)"),
    ):
        journals.append(full, vars(answer("a")), "label journal")


# --- Keys and messages


def test_messages() -> None:
    assert messages_of({"user": "hi"}, None) == (("user", "hi"),)
    assert messages_of({"user": "hi"}, "Be brief.") == (("system", "Be brief."), ("user", "hi"))
    assert messages_of({"user": "hi", "system_hint": "Be kind."}, "Be brief.")[0] == ("system", "Be kind.")
    asked = messages_of(
        {"user": "hi", "requires_json": True, "tool_schema": SCHEMA, "tool_name": "add"}, None
    )
    assert asked[0][1].startswith(
        "Answer with the arguments of the tool add as JSON of this schema and nothing else: {"
    )


def prompts(folder: Path, *rows: dict[str, Any]) -> Artifact:
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "00-p.jsonl").write_text(
        "".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8"
    )
    facts = {"train": [{"name": "train/00-p.jsonl", "path": "p.jsonl"}], "heldout": []}
    return Artifact("corpus", "k", folder, records(folder), facts)


def context(folder: Path, *rows: dict[str, Any], **spec: Any) -> Context:
    full = {"system": None, "max_tokens": 8, "batch_rows": 2, "retries": 1, **spec}
    made = prompts(folder / "prompts", *rows)
    return Context(
        full, {"prompts": made}, folder / "out", folder, folder, folder / "work", 1, "cpu", Silent()
    )


def test_row_keys_follow_messages_schema_and_sampling(tmp_path: Path) -> None:
    def keys(name: str, *rows: dict[str, Any], **identity: Any) -> list[str]:
        return [row.key for row in questions(context(tmp_path / name, *rows), {"seed": 1, **identity})]

    base = keys("base", {"user": "a", "tags": ["x"]}, {"user": "b"})
    assert keys("tags and order", {"user": "b", "tags": ["y"]}, {"user": "a"}) == base[::-1]
    assert keys("one edited", {"user": "a"}, {"user": "B"})[0] == base[0]
    assert keys("one edited again", {"user": "a"}, {"user": "B"})[1] != base[1]
    assert not set(keys("seed", {"user": "a"}, {"user": "b"}, seed=2)) & set(base)
    assert not set(keys("model", {"user": "a"}, {"user": "b"}, model="other")) & set(base)
    json_ = {"user": "a", "requires_json": True, "tool_schema": SCHEMA}
    assert keys("json", json_) != base[:1]


def test_rows_that_were_answered_ask_no_teacher(tmp_path: Path) -> None:
    there = context(tmp_path, {"user": "a"}, {"user": "b"})
    rows = list(questions(there, {"seed": 1}))
    journal = tmp_path / "j.jsonl"
    write(journal, *(answer(row.key) for row in rows), answer("of another recipe"))
    found = label.answer_all(rows, journal, tmp_path / "no-such-teacher.gguf", there)
    assert found == {row.key: answer(row.key) for row in rows}


SAMPLING = {"temperature": 0.0, "top_p": 1.0, "seed": 1}


def test_the_teacher_answers_on_the_device_of_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []

    class Heard(Silent):
        def warn(self, text: str) -> None:
            warnings.append(text)

    plain, wanted = (
        dataclasses.replace(context(tmp_path / name, {"user": "a"}, **SAMPLING, **spec), report=Heard())
        for name, spec in (("plain", {}), ("wanted", {"device": "cuda:1"}))
    )
    monkeypatch.setattr(library, "has_gpu", lambda: True)
    assert (label._device(plain), label._device(wanted), warnings) == ("cpu", "cuda:1", [])
    monkeypatch.setattr(library, "has_gpu", lambda: False)
    assert (label._device(plain), label._device(wanted)) == ("cpu", "cpu")
    assert len(warnings) == 1 and warnings[0].startswith("device is cuda:1, but llama.cpp was not compiled for a GPU")
    with pytest.raises(ModelFileError):
        label.answer_all([row("a")], tmp_path / "j.jsonl", tmp_path / "no-such-teacher.gguf", wanted)
    assert len(warnings) == 2, "it opens the teacher on that device"


@pytest.mark.parametrize(
    ("bytes_per_token", "expected"), [(23_040, 4), (57_344, 3), (160_000, 1), (250_000, 0), (0, 4)]
)
def test_as_many_contexts_as_their_caches_have_room(bytes_per_token: int, expected: int) -> None:
    cache = Cache(bytes_per_token, 0, 0, 0, known=True)
    assert answering.contexts(cache, 8, 1000) == expected
    assert expected * 9 * 1024 * bytes_per_token <= LABEL_CACHE_BYTES


def test_fast_kernels_answer_and_the_journal_is_as_it_was(tmp_path: Path) -> None:
    """With any number of threads: the same answers; and a second attempt writes over what a killed one left."""
    tiny = make_tiny_gguf(tmp_path / "tiny.gguf", layers=1)
    quantize(tiny, tmp_path / "teacher.gguf", Wanted("Q4_1"), threads=1)
    answers = []
    for threads in (1, 2):
        spec = {**SAMPLING, "batch_rows": 4, "repack": True}
        there = context(tmp_path / str(threads), *({"user": f"{number} the of"} for number in range(9)), **spec)
        there = dataclasses.replace(there, threads=threads)
        rows = list(questions(there, {"seed": 1}))
        answers.append(label.answer_all(rows, tmp_path / f"{threads}.jsonl", tmp_path / "teacher.gguf", there))
        assert (there.scratch / "teacher.gguf.adapter").exists()
        assert read_journal(tmp_path / f"{threads}.jsonl") == answers[-1]
    assert answers[0] == answers[1] and len(answers[0]) == 9


# --- Judging answers


@pytest.mark.parametrize(
    ("text", "finish", "schema", "fault"),
    [
        ("fine", "stop", None, ""),
        ("", "stop", None, "the answer is empty"),
        ("a\ufffd", "stop", None, "the answer is not UTF-8"),
        ("a\ufffd", "length", None, ""),
        ('{"x": 1}', "stop", SCHEMA, ""),
        ('{"x": 1', "length", SCHEMA, "the answer is not JSON: Expecting ',' delimiter (cut at max_tokens)"),
        ("no", "stop", SCHEMA, "the answer is not JSON: Expecting value"),
        ('{"x": "1"}', "stop", SCHEMA, "the answer does not fit the schema: '1' is not of type 'integer'"),
        ("{}", "stop", SCHEMA, "the answer does not fit the schema: 'x' is a required property"),
    ],
)
def test_invalid(text: str, finish: str, schema: Any, fault: str) -> None:
    assert invalid(text, finish, schema) == fault


def test_summary_counts_everything() -> None:
    rows = [row("a" * 64), row("b" * 64, number=1, schema=SCHEMA), row("c" * 64, "heldout")]
    answers = {
        "a" * 64: answer("a" * 64),
        "b" * 64: answer("b" * 64, "no", finish="length", attempts=3, invalid="the answer is not JSON"),
        "c" * 64: answer("c" * 64),
    }
    facts = summary(rows, answers)
    assert (facts["rows"], facts["valid_rows"], facts["json_rows"], facts["valid_json_rows"]) == (3, 2, 1, 0)
    assert facts["finish"] == {"length": 1, "stop": 2} and facts["attempts"] == {"1": 2, "3": 1}
    assert facts["parts"] == {"train": 1, "heldout": 1} and facts["answer_tokens"] == 9
    assert facts["failures"] == [
        {"part": "train", "record": 1, "key": "b" * 16, "reason": "the answer is not JSON"}
    ]


def test_a_labelled_line_is_read_back_completely(tmp_path: Path) -> None:
    """Also when the answer holds characters that some take for the end of a line."""
    text = "one\u2028two\u0085three\x0bfour\nfive"
    lines = [labelled(row("a" * 64), answer("a" * 64, text)), labelled(row("b" * 64), answer("b" * 64))]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(canonical_json(one) + "\n" for one in lines), encoding="utf-8")
    found = distill.read_conversations(path)
    assert [one.messages[-1] for one in found] == [("assistant", text), ("assistant", "fine")]
    assert found[0].key == "a" * 16 and found[0].tags == ("lang:en",)


def test_digest_of_records_is_what_files_say(tmp_path: Path) -> None:
    made = prompts(tmp_path / "p", {"user": "a"})
    assert digest([vars(file) for file in made.files]) == digest(
        [vars(FileRecord(**vars(f))) for f in made.files]
    )
