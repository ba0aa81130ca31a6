"""``zoo runs``: the commands on journals that commands wrote, and what commands write."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
import waiting
from recipesamples import PLAIN

from zoo import cli
from zoo.__main__ import main
from zoo.runs import reader, writer

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo whose commands all count as long ones."""
    (tmp_path / "zoo.toml").write_text("", encoding="utf-8")
    (tmp_path / "build/work").mkdir(parents=True)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/plain.yaml").write_text(PLAIN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(writer, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(writer, "BEAT_SECONDS", 0.001)
    return tmp_path


def is_kept() -> bool:
    """Whether a run of this zoo is written down by now."""
    return any(one.state == "running" for one in reader.look(Path("build/work")))


def waited(monkeypatch: pytest.MonkeyPatch, then: BaseException | None = None) -> None:
    """``zoo catalog`` takes a while, and ends with an error if there is one."""
    command = cli.zoo.get_command(click.Context(cli.zoo), "catalog")
    assert command and command.callback
    before = command.callback

    def slow(*words: object, **named: object) -> object:
        from zoo.cli import catalog

        def read(*_: object) -> object:
            waiting.until(is_kept, "no journal was begun")
            if then:
                raise then
            return real(*_)

        real = catalog.catalogfile.read_catalog
        monkeypatch.setattr(catalog.catalogfile, "read_catalog", read)
        return before(*words, **named)

    monkeypatch.setattr(command, "callback", slow)


def test_a_run_is_listed_shown_and_replayed(zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    waited(monkeypatch)
    assert main(["catalog"]) == 0
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert (run["state"], run["command"]) == ("finished", "zoo catalog")
    assert main(["runs"]) == 0 and "finished" in capsys.readouterr().out
    for words in (["show", "last"], ["log", "last"], ["follow", run["id"]], ["replay", run["id"]]):
        assert main(["runs", *words]) == 0
        assert "exit code 0" in capsys.readouterr().out
    assert main(["runs", "replay", "last", "--json", "--speed", "1000"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events == list(reader.events(zoo / "build/work/runs" / f"{run['id']}.jsonl"))
    # Reading journals writes none.
    assert len(reader.look(zoo / "build/work")) == 1


def test_an_error_is_in_the_journal_with_its_code(zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    waited(monkeypatch, KeyboardInterrupt())
    assert main(["catalog"]) == 130
    (one,) = reader.look(zoo / "build/work")
    assert one.state == "stopped"
    assert main(["runs", "show", one.id]) == 0
    assert "Run the same command again to continue" in capsys.readouterr().out


def test_the_exit_code_of_a_command_is_that_of_its_run(zoo: Path, capsys: Captured) -> None:
    (zoo / "recipes/bad.yaml").write_text("zoo: 1\n" * 2, encoding="utf-8")
    code = main(["check"])
    capsys.readouterr()
    assert code != 0
    for one in reader.look(zoo / "build/work"):
        assert one.last["code"] == code


@pytest.mark.usefixtures("zoo")
def test_nothing_has_run_yet(capsys: Captured) -> None:
    assert main(["runs"]) == 0 and "No command has taken more than a second yet" in capsys.readouterr().out
    assert main(["runs", "show", "last"]) == 2 and "zoo runs" in capsys.readouterr().err


def test_journals_that_are_over_are_cleaned_and_a_running_one_stays(zoo: Path) -> None:
    folder = zoo / "build/work/runs"
    folder.mkdir()
    (folder / "old.jsonl").write_text('{"event":"begin"}\n', encoding="utf-8")
    recorder = writer.Recorder("zoo release", ())
    recorder.place(zoo / "build/work")
    with recorder.kept():
        while recorder._stream is None:
            pass
        assert main(["clean", "runs", "--json"]) == 0
        assert not (folder / "old.jsonl").exists() and (folder / f"{recorder.id}.jsonl").exists()
    recorder.end(0)


def test_hostile_journals_show_no_control_characters(zoo: Path, capsys: Captured) -> None:
    folder = zoo / "build/work/runs"
    folder.mkdir()
    bad = "\x1b]52;c;x\x07\u202e[bold]\x00"
    events = [
        {"event": "begin", "arguments": [bad], "at": bad},
        {"event": "plan", "name": bad, "version": bad, "steps": [1, {"why": 2}]},
        {"event": "step_begin", "step": bad, "reason": bad, "key": bad}, {"event": "warning", "text": bad},
        {"event": "progress", "what": bad, "done": [], "total": bad, "seconds_left": {}},
        {"event": "end", "code": bad, "error": bad, "seconds": "1"},
    ]  # fmt: skip
    (folder / "odd.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    for words in ([], ["show", "odd"], ["log", "odd"], ["follow", "odd"], ["replay", "odd", "--speed", "5"]):
        assert main(["runs", *words]) == 0
        said = capsys.readouterr()
        assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(said.out + said.err) and "bug in zoo" not in said.err
