"""The command line: one file per command, imported only when it is called."""

from __future__ import annotations

import click

from zoo import __version__, extras

COMMANDS = {
    "init": "Make a new zoo in a new folder.",
    "new": "Start a recipe from a template.",
    "check": "Check recipes, cards and the catalog; list every problem.",
    "corpus": "Check, compare and redact files of records.",
    "review": "Show what a pull request changes, for its reviewer.",
    "plan": "Show what a recipe would run, fetch and cost.",
    "build": "Build the release of a recipe, without publishing it.",
    "join": "Train together with another machine.",
    "release": "Build, check the gates, publish and record.",
    "sign": "Sign a built release before it is published.",
    "publish": "Publish a built release.",
    "card": "Correct the card of a published version.",
    "collection": "Keep the zoo's collection on the hub up to date.",
    "yank": "Withdraw a published version, and say why.",
    "unyank": "Make a withdrawn version available again.",
    "watch": "Compare what the hub serves with what the catalog records.",
    "show": "Show a summary of a release.",
    "pick": "Recommend one file for a board, with the reason.",
    "pull": "Download and verify a released file; resume if interrupted.",
    "verify": "Check that files are identical to the release.",
    "reproduce": "Rebuild a published version and compare it byte for byte.",
    "catalog": "List the models in the catalog.",
    "bench": "Measure a model on boards; show how fast it was over time.",
    "hub": "Serve a folder hub over HTTP; approve a hub.",
    "site": "Build or serve the catalog's web site.",
    "notes": "Write the notes of a quarter, from the catalog and git.",
    "sync": "Update workflows and other files that are made from others.",
    "runs": "List what runs now, what is over, and what died.",
    "ui": "Look at runs, gates, speed and the catalog in the terminal.",
    "clean": "Show or delete the caches of the work folder.",
    "lock": "Pin the sources of a recipe in NAME.lock.yaml.",
    "doctor": "Show what is installed and missing, and the settings.",
    "converter": "Install the converter that matches the installed llama.cpp.",
}
"""Name and short help of every command, in the order of use. A help that fits on one line of a terminal."""

EXAMPLES = {
    "init": ("zoo init my-zoo", "zoo init my-zoo --title 'Small models of the north'"),
    "new": ("zoo new my-model", "zoo new my-model --source hf:HuggingFaceTB/SmolLM2-135M-Instruct"),
    "check": ("zoo check", "zoo check recipes/my-model.yaml"),
    "corpus": (
        "zoo corpus check prompts.jsonl", "zoo corpus check data --kind conversation --format github",
        "zoo corpus import calls.jsonl --from openai --out conversations.jsonl",
        "zoo corpus overlap train.jsonl --against heldout.jsonl", "zoo corpus redact prompts.jsonl --out clean",
    ),
    "review": ("zoo review main..HEAD", "zoo review v1..v2 --out report.md"),
    "plan": ("zoo plan my-model", "zoo plan --all", "zoo plan --all --as-jobs slurm"),
    "build": ("zoo build my-model",),
    "join": ("zoo join node1:29400",),
    "release": (
        "zoo release my-model", "zoo release my-model other-model --hub build/hub", "zoo release --all --jobs 4",
    ),
    "sign": ("zoo sign my-model --key key.pem",),
    "publish": ("zoo publish my-model --dry-run", "zoo publish my-model"),
    "card": ("zoo card my-model", "zoo card my-model --publish --reason 'The summary named the wrong language.'"),
    "collection": ("zoo collection --dry-run", "zoo collection --collection 'Small models of the north'"),
    "yank": ("zoo yank my-model@1.0.0 --reason 'It never stops.' --replacement my-model@1.0.1",),
    "unyank": ("zoo unyank my-model@1.0.0 --reason 'It was the prompt.'",),
    "watch": ("zoo watch", "zoo watch --no-upstream --json"),
    "show": ("zoo show my-model", "zoo show my-model@1.0.0"),
    "pick": ("zoo pick my-model --device pi-5-4gb", "zoo pick my-model --memory-gb 16 --bandwidth-gbs 50"),
    "pull": ("zoo pull my-model --device pi-5-4gb", "zoo pull my-model@1.0.0:Q4_K_M --to models"),
    "verify": ("zoo verify my-model-1.0.0", "zoo verify my-model --on-hub"),
    "reproduce": ("zoo reproduce my-model", "zoo reproduce my-model@1.0.0 --quants-only"),
    "catalog": ("zoo catalog", "zoo catalog --json"),
    "bench": (
        "zoo bench run my-model --on ssh://pi@board.local --by Ada", "zoo bench history my-model",
        "zoo bench import reports/*.json",
        "zoo bench ack my-model --by Ada --reason 'The new kernel is safer.'",
    ),
    "hub": ("zoo hub serve build/hub --port 8000", "zoo hub trust https://hub.example"),
    "site": ("zoo site build", "zoo site serve"),
    "notes": ("zoo notes 2026-Q4", "zoo notes 2026-Q4 --out notes.md"),
    "sync": ("zoo sync", "zoo sync --check"),
    "runs": ("zoo runs", "zoo runs show last", "zoo runs follow last"),
    "ui": ("zoo ui", "zoo ui --plain catalog", "zoo ui --plain history my-model"),
    "clean": ("zoo clean", "zoo clean --dry-run tensors", "zoo clean tensors interrupted"),
    "lock": ("zoo lock my-model",),
    "doctor": ("zoo doctor", "zoo doctor my-model"),
    "converter": ("zoo converter", "zoo converter --sdist llama_cpp_python-0.3.36.tar.gz"),
}
"""Example lines for the help of each command."""


class _Lazy(click.Group):
    """Imports ``zoo.cli.NAME`` when command NAME is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = extras.load(f"zoo.cli.{cmd_name}").command
        command.short_help = COMMANDS[cmd_name]
        # \b keeps the lines of the paragraph as they are.
        command.epilog = "\n".join(("\b", "Examples:", *(f"  {line}" for line in EXAMPLES[cmd_name])))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from catalog.problems import did_you_mean

            near = did_you_mean(args[0], COMMANDS)
            hint = f"Did you mean {near}?" if near else f"Available: {', '.join(COMMANDS)}."
            raise click.UsageError(f"command {args[0]!r} was not found. {hint}", ctx)
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
    and recorded in the catalog. Start with: zoo init FOLDER. In that folder, run zoo check, zoo plan NAME and zoo
    release NAME. To use a model that others released, run zoo pick NAME and zoo pull NAME.
    """
