"""Command lines in messages: they are of commands and flags that exist, and repeat what the user gave."""

from __future__ import annotations

import functools
from pathlib import Path

import click
import pytest

from zoo import cli, commandline
from zoo import settings as settings_room
from zoo.publish.asked import Asked
from zoo.publish.places import Way
from zoo.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "zoo.toml").write_text('namespace = "of-the-file"\n')
    given = {"hub": "my hub", "catalog": "c.json", "threads": "2"}
    return settings_room.load(tmp_path, given, {"ZOO_WORK": "elsewhere"})


def options_of(command: str) -> set[str]:
    found = cli.zoo.get_command(click.Context(cli.zoo), command)
    assert found
    return {option for one in found.params for option in one.opts}


@pytest.mark.parametrize("command", commandline.TAKES)
def test_a_command_takes_every_flag_that_a_line_of_it_has(command: str) -> None:
    assert {f"--{name}" for name in commandline.TAKES[command]} <= options_of(command)


def test_a_line_has_the_flags_of_the_user_that_the_command_takes(settings: Settings) -> None:
    flags = "--hub 'my hub' --catalog c.json"
    assert commandline.line(settings, "publish", "m", "--repair") == f"zoo publish m --repair {flags} --threads 2"
    assert commandline.line(settings, "card", "m", "--publish") == f"zoo card m --publish {flags}"
    there = commandline.line(settings, "yank", "m@1.0.0", hub="http://h")
    assert there == "zoo yank m@1.0.0 --hub http://h --catalog c.json"
    again = commandline.of(settings, "build", "m")
    assert again("--catalog", "other") == "zoo build m --catalog other --hub 'my hub' --threads 2"


def test_every_option_of_a_publication_is_one_of_the_command() -> None:
    ways = [Asked(stage=True), Asked(stage=True, readable=True), Asked(promote=True), Asked(way=Way.MOVE),
            Asked(way=Way.MIRROR)]  # fmt: skip
    told = {option for one in ways for option in one.ways}
    assert told == {"--stage", "--stage-readable", "--promote", "--move", "--mirror"}
    kept = Asked("full", Way.MOVE, delete_others=True, as_built=True).kept
    assert kept == ("--as-built", "--delete-others", "--verify", "full")
    assert {*told, *kept} - {"full"} <= options_of("publish")


def test_a_remedy_gets_the_name_and_the_flags_that_its_room_does_not_know(settings: Settings) -> None:
    flags = "--hub 'my hub' --catalog c.json"
    command = functools.partial(commandline.line, settings)
    told = commandline.named("Repair it first: zoo publish NAME --repair. Then: zoo card NAME", "my m", command)
    assert told == f"Repair it first: zoo publish 'my m' --repair {flags} --threads 2. Then: zoo card 'my m' {flags}"
    told = commandline.flagged("Use: zoo pull m@1.0.0:Q8_0. See: zoo show m", commandline.given(settings))
    assert told == f"Use: zoo pull m@1.0.0:Q8_0 {flags}. See: zoo show m --catalog c.json"
