"""The command line as data, for the reference page of the site. As a program, it prints the data as JSON."""

from __future__ import annotations

import dataclasses
import json

import click

from zoo import cli
from zoo.cli import walk
from zoo.site.pages.reference import CommandDoc, OptionDoc


def describe() -> list[CommandDoc]:
    """Every command in the order of ``zoo --help``, groups by their subcommands."""
    return [_command(context) for name in cli.COMMANDS for context in walk.below(name)]


def _command(context: click.Context) -> CommandDoc:
    command = context.command
    shown = (one for one in command.params if isinstance(one, click.Option) and not one.hidden)
    options = tuple(_option(option, context) for option in shown)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    paragraphs = tuple(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    return CommandDoc(context.command_path, usage, paragraphs, options)


def _option(option: click.Option, context: click.Context) -> OptionDoc:
    names, words = option.get_help_record(context) or (", ".join(option.opts), "")
    return OptionDoc(names, words)


if __name__ == "__main__":
    print(json.dumps([dataclasses.asdict(one) for one in describe()]))
