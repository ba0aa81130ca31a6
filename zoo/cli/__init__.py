"""The command line: one file per verb or noun, imported only when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from zoo import __version__

COMMANDS = {
    "init": "Make a zoo of your own in a new folder.",
    "new": "Begin a recipe from a template.",
    "check": "Check recipes, cards and the catalog; name every problem with its line.",
    "plan": "Show what a recipe would run, fetch and cost.",
    "build": "Make the release of a recipe, without publishing it.",
    "release": "Build, judge by the gates, publish and record.",
    "sign": "Sign a built release before it is published.",
    "publish": "Publish a built release.",
    "yank": "Withdraw a published version, with the reason and what to use instead.",
    "unyank": "Take a withdrawn version back into use.",
    "watch": "Does the hub still serve what the catalog records?",
    "show": "A release at a glance.",
    "pick": "The one file to take for a board, and why.",
    "pull": "Fetch a released file, verified, and resume after a kill.",
    "verify": "Check that files on disk or on the hub are still what was released.",
    "reproduce": "Build a published version again and compare it byte for byte.",
    "catalog": "List what the catalog holds.",
    "hub": "Serve a folder hub over HTTP.",
    "site": "Build or serve the catalog's web site.",
    "lock": "Pin the sources of a recipe in NAME.lock.yaml.",
    "doctor": "What is installed, what is missing, and where settings come from.",
}
"""Name and short help of every command, in the order of use."""


class _Lazy(click.Group):
    """Imports ``zoo.cli.NAME`` (or ``NAME_`` for ``init``) when command NAME is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"zoo.cli.{cmd_name}").command
        command.short_help = COMMANDS[cmd_name]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from catalog.problems import did_you_mean

            near = did_you_mean(args[0], COMMANDS)
            hint = f"Did you mean {near}?" if near else f"There are: {', '.join(COMMANDS)}."
            raise click.UsageError(f"there is no command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table, so that --help imports no command.
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="zoo %(version)s")
def zoo() -> None:
    """Publish small language models with measured evidence.

    A recipe goes through label, distill, export, quantize, evaluate and benchmark; the release is published to a hub
    and recorded in the catalog. Begin with: zoo check, then zoo plan NAME, then zoo release NAME.
    """
