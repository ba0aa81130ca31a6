"""Every command with its context, in the order of ``zoo --help``; those of a group below it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from zoo import cli


def below(command: str, *, groups: bool = False) -> Iterator[click.Context]:
    """The command, or those of its group. groups: also a group that does something without one of its commands."""
    context = click.Context(cli.zoo, info_name="zoo")
    found = cli.zoo.get_command(context, command)
    assert found is not None
    yield from _leaves(click.Context(found, info_name=command, parent=context), groups=groups)


def _leaves(context: click.Context, *, groups: bool) -> Iterator[click.Context]:
    command = context.command
    if not isinstance(command, click.Group):
        yield context
        return
    if groups and command.invoke_without_command:
        yield context
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from _leaves(click.Context(found, info_name=name, parent=context), groups=groups)
