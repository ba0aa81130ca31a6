"""Only the answer on stdout; messages on stderr; no control characters."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import waiting

from catalog.problems import Problem
from zoo import output as room
from zoo.errors import AGAIN, InputError, ZooError
from zoo.output import Output, visible

Captured = pytest.CaptureFixture[str]


class Said:
    """What was written to stderr so far, as one text."""

    def __init__(self, capsys: Captured) -> None:
        self._capsys, self._text = capsys, ""

    def __call__(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    def wait(self, *words: str, lines: int = 1) -> None:
        """Until a line has all of these words, and there are so many lines."""
        waiting.until(
            lambda: self().count("\n") >= lines and any(all(w in line for w in words) for line in self().splitlines())
        )


def test_the_answer_as_json_is_one_document_and_nothing_else(capsys: Captured) -> None:
    out = Output(json=True)
    out.say("talk")
    out.warn("careful")
    out.error("wrong")
    out.answer({"a": "é", "path": Path("x/y")}, "for people")
    said = capsys.readouterr()
    assert json.loads(said.out) == {"a": "é", "path": "x/y"}
    assert "é" in said.out
    assert said.err == "talk\nwarning: careful\nzoo: wrong\n"


def test_a_table_as_json_is_its_data(capsys: Captured) -> None:
    Output(json=True).table({"rows": [1]}, "title", ("a",), [("x",)], "note")
    assert json.loads(capsys.readouterr().out) == {"rows": [1]}


def test_json_holds_no_infinity() -> None:
    with pytest.raises(ValueError):
        Output(json=True).answer({"a": float("inf")}, "")


def test_a_file_name_that_is_not_utf_8(capsys: Captured) -> None:
    name = b"caf\xe9.yaml".decode("utf-8", "surrogateescape")
    Output(json=True).answer({"file": name}, "")
    assert json.loads(capsys.readouterr().out) == {"file": name}
    Output().answer({}, name)
    assert capsys.readouterr().out == "caf\\udce9.yaml\n"


def test_the_answer_for_people(capsys: Captured) -> None:
    Output().answer({"a": 1}, "one\ntwo\n")
    Output().answer({"a": 1}, "")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("one\ntwo\n", "")


def test_quiet_says_only_what_must_not_be_missed(capsys: Captured) -> None:
    out = Output(quiet=True)
    out.say("talk")
    out.warn("careful")
    with out.task("work", 1, "rows") as advance:
        advance(1)
    out.answer({}, "answer")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("answer\n", "warning: careful\n")


def test_table(capsys: Captured) -> None:
    rows = [("a.gguf", "1.0"), ("[bold]b[/bold]\x1b[31m", "1,000.0")]
    Output().table({}, "title [red]x", ("file", "#size"), rows, "note\nmore")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "title [red]x"
    assert any(line.split() == ["file", "size"] for line in lines)
    assert any(line.split() == ["[bold]b[/bold]\\u001b[31m", "1,000.0"] for line in lines)
    assert next(line for line in lines if "a.gguf" in line).rstrip().endswith("    1.0")
    assert lines[-2:] == ["note", "more"]


@pytest.mark.parametrize("text", ["recipes/a.yaml:100:1: wrong", "[red]x[/red]", ":smile: :x:", "a" * 300])
def test_talk_is_printed_as_it_is(text: str, capsys: Captured) -> None:
    out = Output()
    out.say(text)
    out.error(text)
    assert capsys.readouterr().err == f"{text}\nzoo: {text}\n"


def test_visible() -> None:
    assert visible("é ± \u4e2d\n\tx") == "é ± \u4e2d\n\tx"
    assert visible("\x1b[2J\x07\r\x00") == "\\u001b[2J\\u0007\\u000d\\u0000"
    assert visible("\u202e\u2066\u200f\ufeff\x85\u2028") == "\\u202e\\u2066\\u200f\\ufeff\\u0085\\u2028"
    assert visible("\udce9") == "\\udce9"


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_no_colour_where_none_is_wanted(
    variable: dict[str, str], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv("FORCE_COLOR", "1") if "NO_COLOR" in variable else None
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    Output().error("wrong")
    said = capsys.readouterr().err
    assert "zoo: wrong" in said and "\x1b[31m" not in said and ";31m" not in said


# --- Progress


def test_short_work_shows_no_progress_and_long_work_does(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Output()
    monkeypatch.setattr(room, "QUIET_SECONDS", 60.0)
    with out.task("short", 2, "rows") as advance:
        advance(2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(room, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(room, "PLAIN_SECONDS", 0.05)
    said = Said(capsys)
    with out.task("long", 2, "rows") as advance:
        advance(1)
        said.wait(lines=2)
    assert re.match("  long: (0|50) %", said()) and "\n  long: 50 %, 1 of 2 rows, " in f"\n{said()}"


def test_no_line_of_progress_is_printed_twice(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(room, "PLAIN_SECONDS", 0.05)
    monkeypatch.setattr("catalog.words.duration", lambda seconds: f"{seconds:.6f} s")
    said = Said(capsys)
    with Output().task("converting", 100, "%"):
        said.wait(lines=4)
    lines = said().splitlines()
    assert lines[0] == "  converting: 0 %" and len(lines) == len(set(lines))
    assert all(re.fullmatch(r"  converting: 0 %, \d+\.\d+ s so far", line) for line in lines[1:])


def test_progress_ends_with_the_work_also_when_it_fails(capsys: Captured) -> None:
    with pytest.raises(KeyError), Output().task("work", 2, "rows"):
        raise KeyError
    assert capsys.readouterr().err == ""


def test_the_talk_as_events(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EVENT_SECONDS", 0.02)
    out = Output(events=True)
    out.say("talk")
    out.warn("careful")
    out.error("wrong")
    said = Said(capsys)
    with out.task("fetching m.gguf", 4e6, "B") as advance:
        for number in range(1, 5):
            advance(0.25e6)
            said.wait(f'"done": {number * 0.25e6}')
        advance(3e6)
    events = [json.loads(line) for line in said().splitlines()]
    talk = [(e["event"], e["text"]) for e in events if "text" in e]
    assert talk == [("say", "talk"), ("warning", "careful"), ("error", "wrong")]
    first, *middle, last = [e for e in events if e["event"] == "progress"]
    assert (first["done"], first["total"], first["unit"], first["per_second"]) == (0, 4e6, "B", None)
    assert not first["over"]
    assert middle and middle[-1]["done"] == 1e6 and middle[-1]["per_second"] > 0
    # None if this machine was not steady; what is computed is the meter's own test.
    assert middle[-1]["seconds_left"] is None or middle[-1]["seconds_left"] > 0
    assert (last["done"], last["seconds_left"], last["over"]) == (4e6, 0, True)


def test_quiet_events_are_warnings_and_errors(capsys: Captured) -> None:
    out = Output(quiet=True, events=True)
    out.say("talk")
    out.warn("careful")
    with out.task("work", 1, "rows") as advance:
        advance(1)
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["warning"]


def test_a_password_in_a_long_address_stays_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    for length in (300, 1500, 5000):
        address = f"https://user:{'p4ss' * length}@hub.example/x"
        error = InputError(f"cannot reach {address}", where=address)
        assert len(str(error)) < 1500
        for output in (Output(), Output(json=True, events=True)):
            output.say(address)
            output.error(str(error))
            output.answer({"error": error.what}, error.what)
    said = capsys.readouterr()
    assert "p4ss" not in said.out + said.err and "***@hub.example" in said.out


def test_what_is_said_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    for output in (Output(), Output(events=True)):
        output.error("x" * 10_000 + "\n" + "line\n" * 10_000)
        output.warn("short\nlines\nstay")
    said = capsys.readouterr().err
    assert len(said) < 20_000 and "short\nlines\nstay" in said
    assert all(len(line) <= 2100 for line in said.splitlines() if not line.startswith("{"))


def test_a_sentence_has_one_full_stop_whoever_wrote_its_end() -> None:
    said = "Encountered unknown tag 'x'. The innermost block that needs to be closed is 'if'."
    found = Problem("a.yaml", 1, 1, "student", f"it cannot be rendered: {said}", "Fix the template.")
    assert found.text == f"student: it cannot be rendered: {said} Fix the template."
    error = ZooError(f"it cannot be rendered: {said}", remedy="Fix the template.", again=AGAIN)
    assert str(error) == f"it cannot be rendered: {said} Fix the template. Run the same command again."
    assert f"{error.what}. {error.remedy}." == f"it cannot be rendered: {said} Fix the template."
    assert ZooError("so far ...").what == "so far ..." and ZooError("two:\nlines.").what == "two:\nlines."
