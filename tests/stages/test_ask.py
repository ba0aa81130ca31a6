"""Rows answered by a server over HTTP: files, journal, kills, what is recorded of the server."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from answerserver import MODEL, AnswerServer
from faultserver import Fault, FaultServer
from waiting import until

from catalog.recipe import Label, plain
from zoo.errors import RemoteError
from zoo.files.listing import records
from zoo.progress import Silent
from zoo.settings import Prices, Teacher
from zoo.stages import Context, ask
from zoo.stages.artifact import Artifact
from zoo.stages.asked import Answered

SCHEMA = {
    "type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False,
}  # fmt: skip
HELDOUT = [
    {"user": "held out"},
    {"user": "as JSON", "requires_json": True, "tool_name": "tell", "tool_schema": SCHEMA},
]


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    warn = say


def corpus(folder: Path, train: list[dict[str, Any]], heldout: list[dict[str, Any]]) -> Artifact:
    facts = {}
    for part, rows in (("train", train), ("heldout", heldout)):
        (folder / part).mkdir(parents=True)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / part / "00-p.jsonl").write_text(lines, encoding="utf-8")
        facts[part] = [{"name": f"{part}/00-p.jsonl", "path": f"{part}.jsonl", "sha256": "", "language": ""}]
    return Artifact("corpus", "k", folder, records(folder), facts)


def context(folder: Path, address: str, count: int = 10, **spec: Any) -> Context:
    if not (folder / "prompts").exists():
        corpus(folder / "prompts", [{"user": f"question {n}", "tags": ["t"]} for n in range(count)], HELDOUT)
    facts = {part: [{"name": f"{part}/00-p.jsonl", "path": f"{part}.jsonl", "sha256": "", "language": ""}]
             for part in ("train", "heldout")}  # fmt: skip
    prompts = Artifact("corpus", "k", folder / "prompts", records(folder / "prompts"), facts)
    label = dataclasses.replace(Label(16, 0.0, 1.0, 1, 4, 1, None, None, None), **spec)
    (folder / "out").mkdir(exist_ok=True)
    return Context(
        {**plain(label), "teacher": {"source": f"server:{MODEL}"}}, {"prompts": prompts}, folder / "out", folder,
        folder, folder / "work", 1, "cpu", Heard(), Teacher(address, named=True, prices=Prices(1e6, 2e6, "CAD")),
    )  # fmt: skip


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_rows_are_written_in_the_order_of_the_prompts_with_what_the_server_said(tmp_path: Path) -> None:
    with AnswerServer(seconds=0.002) as server:
        there = context(tmp_path, server.address)
        facts = ask.run(there)
        train, heldout = (lines(tmp_path / "out" / f"{part}.jsonl") for part in ("train", "heldout"))
        assert [one["messages"][-1]["content"] for one in train] == [f"You said: question {n}" for n in range(10)]
        assert [one["messages"][-1]["content"] for one in heldout] == ["You said: held out", '{"x": 1}']
        assert json.loads((tmp_path / "out" / "label-report.json").read_text()) == facts
        assert facts["usage"] == {"requests": 12, "prompt_tokens": 84, "answer_tokens": 36, "requests_without_usage": 0}
        assert facts["teacher"] == {
            "model": MODEL, "server": "llama-server", "parameters": 1_000_000, "size_bytes": 2_000_000,
            "context_tokens": 4096, "builds": ["b1-test"],
        }  # fmt: skip
        assert isinstance(there.report, Heard)
        assert there.report.lines[-1] == (
            "the server counted 84 tokens read and 36 tokens written, in 12 requests: 156.00 CAD"
        )
        assert ask.run(there) == facts and server.questions.total() == 12, "answered rows are not asked again"
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert server.address.encode() not in written, "the address is in no file"


def test_answers_of_two_models_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    with AnswerServer() as server:
        ask.run(context(tmp_path, server.address))
        before = server.questions.total()
        plainly = server.models()
        plainly["data"][0]["meta"]["size"] += 1
        server.models = lambda: plainly  # type: ignore[method-assign]  # another file under the same name
        ask.run(context(tmp_path, server.address))
        assert server.questions.total() == 2 * before


def test_one_edited_prompt_asks_one_question(tmp_path: Path) -> None:
    with AnswerServer() as server:
        ask.run(context(tmp_path, server.address))
        path = tmp_path / "prompts/train/00-p.jsonl"
        path.write_text(path.read_text().replace("question 3", "another one"), encoding="utf-8")
        server.questions.clear()
        ask.run(context(tmp_path, server.address))
        assert dict(server.questions) == {"another one": 1}


def test_a_journal_with_damaged_lines_loses_these_rows_alone(tmp_path: Path) -> None:
    with AnswerServer() as server:
        facts = ask.run(context(tmp_path, server.address))
        (journal,) = (tmp_path / "work/labels").glob("asked-*.jsonl")
        kept = journal.read_bytes().split(b"\n")
        strange = [b"null", b"{}", b"\xff", b"[" * 5000, kept[0].replace(b'"finish"', b'"Finish"'), kept[1][:-9] + b"}"]
        journal.write_bytes(b"\n".join([*strange, *kept[2:-1], kept[2][:20]]))
        server.questions.clear()
        assert ask.run(context(tmp_path, server.address)) == facts
        assert server.questions.total() == 2


def test_a_refused_row_is_in_the_report_and_asked_again_another_time(tmp_path: Path) -> None:
    with AnswerServer() as server, FaultServer(server.host) as faulty:
        faulty.break_(Fault("answer", status=400, body=b'{"error": "too long"}'), path="/chat/", number=2)
        there = context(tmp_path, f"{faulty.address}/v1", batch_rows=1)
        facts = ask.run(there)
        assert (facts["valid_rows"], facts["rows"]) == (11, 12)
        assert "HTTP 400: too long" in json.dumps(facts["failures"])
        assert ask.run(there)["valid_rows"] == 12 and server.questions.total() == 12


def test_what_was_answered_before_a_failure_is_kept(tmp_path: Path) -> None:
    with AnswerServer() as server, FaultServer(server.host) as faulty:
        faulty.break_(Fault("answer", status=401), path="/chat/", number=6, times=50)
        there = context(tmp_path, f"{faulty.address}/v1", batch_rows=1)
        with pytest.raises(RemoteError, match="does not let you in"):
            ask.run(there)
        faulty.heal()
        ask.run(there)
        assert server.questions.total() == 12 and set(server.questions.values()) == {1}


def test_a_server_that_was_not_started_is_reported_soon(tmp_path: Path) -> None:
    with AnswerServer() as server:
        there = context(tmp_path, server.address)
    with pytest.raises(RemoteError, match="does not answer") as caught:
        ask.run(there)
    assert caught.value.remedy == "Check that the server is running"


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {here!r}]
from test_ask import context
from zoo.stages import ask
ask.run(context(Path({folder!r}), {address!r}, batch_rows=4))
"""


def killed_run(folder: Path, server: AnswerServer, answers: int) -> int:
    """Kill a run when the server has given so many answers; the number that it gave in the end."""
    here = Path(__file__).parent
    code = KILLED.format(tests=str(here.parent), here=str(here), folder=str(folder), address=server.address)
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder)
    until(lambda: server.questions.total() >= answers or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return server.questions.total()


def test_a_kill_costs_the_requests_that_were_in_flight(tmp_path: Path) -> None:
    with AnswerServer(seconds=0.005) as server:
        there = context(tmp_path, server.address, 60, batch_rows=4)
        for answers in (5, 20):
            killed_run(tmp_path, server, answers)
        facts = ask.run(there)
        assert facts["valid_rows"] == 62 and len(lines(tmp_path / "out/train.jsonl")) == 60
        assert len(server.questions) == 62 and server.questions.total() <= 62 + 2 * 4


@pytest.mark.long
def test_fifty_kills_lose_no_row(tmp_path: Path) -> None:
    with AnswerServer(seconds=0.002) as server:
        server.is_kept = False
        there = context(tmp_path, server.address, 10_000, batch_rows=4)
        for number in range(50):
            killed_run(tmp_path, server, 150 * (number + 1))
        facts = ask.run(there)
        assert facts["valid_rows"] == 10_002 and len(server.questions) == 10_002
        assert server.questions.total() <= 10_002 + 50 * 4


def test_the_journal_finds_each_row_and_holds_none(tmp_path: Path) -> None:
    with AnswerServer() as server:
        ask.run(context(tmp_path, server.address))
    (path,) = (tmp_path / "work/labels").glob("asked-*.jsonl")
    with Answered(path) as answered:
        for line in lines(path):
            assert line["key"] in answered and vars(answered[line["key"]].answer)["text"] == line["text"]
        assert "0" * 64 not in answered


BROKEN = ("x is %d", '{"x": "%d"}', '{"x": %d, "y": 1}', 'Here you are: ```json\n{"x": %d}\n```')
"""Answers of servers that pass over the schema, over types, and over fields, and of one that adds words."""


@pytest.mark.parametrize("owner", ["llamacpp", "vllm", "sglang"])
def test_every_row_that_is_accepted_follows_its_schema(owner: str, tmp_path: Path) -> None:
    """Of a server that follows the schema in every third answer and breaks it in four ways in the others."""
    count, given = 24, list[str]()
    asked = [{"user": f"{n} as JSON", "requires_json": True, "tool_name": "tell", "tool_schema": SCHEMA}
             for n in range(count)]  # fmt: skip

    def answer(_: dict[str, Any]) -> str:
        number = len(given)
        given.append(json.dumps({"x": number}) if number % 3 == 0 else BROKEN[number % 4] % number)
        return given[-1]

    with AnswerServer(answer, owner=owner) as server:
        corpus(tmp_path / "prompts", asked, HELDOUT[1:])
        facts = ask.run(context(tmp_path, server.address, batch_rows=1))
    written = [row for part in ("train", "heldout") for row in lines(tmp_path / f"out/{part}.jsonl")]
    accepted = [row["messages"][-1]["content"] for row in written]
    assert all(set(json.loads(text)) == {"x"} and type(json.loads(text)["x"]) is int for text in accepted)
    # Each whole answer was accepted, and each broken one was asked again once or left out.
    assert sorted(accepted) == sorted(text for n, text in enumerate(given) if n % 3 == 0)
    assert 0 < facts["valid_rows"] == len(accepted) < count + 1
