"""The command line as data, for the reference page of the site. As a program, it prints the data as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import click

from zoo import cli
from zoo.site.pages.reference import CommandDoc, OptionDoc


def describe() -> list[CommandDoc]:
    """Every command in the order of ``zoo --help``, groups by their subcommands."""
    context = click.Context(cli.zoo, info_name="zoo")
    return [
        doc for name in cli.COMMANDS for doc in _command(cli.zoo.get_command(context, name), name, context)
    ]


def _command(command: click.Command | None, name: str, parent: click.Context) -> Iterator[CommandDoc]:
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            yield from _command(command.get_command(context, sub), sub, context)
        return
    options = tuple(_option(option, context) for option in command.params if isinstance(option, click.Option))
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    paragraphs = tuple(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    yield CommandDoc(context.command_path, usage, paragraphs, options)


def _option(option: click.Option, context: click.Context) -> OptionDoc:
    names, words = option.get_help_record(context) or (", ".join(option.opts), "")
    return OptionDoc(names, words)


if __name__ == "__main__":
    print(json.dumps([dataclasses.asdict(one) for one in describe()]))
