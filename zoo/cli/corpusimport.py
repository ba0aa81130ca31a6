"""zoo corpus import"""

from __future__ import annotations

from pathlib import Path

import click

from catalog import shell
from catalog.words import counted
from zoo.cli import findings, recordfiles
from zoo.cli.common import Call, options
from zoo.cli.findings import Findings
from zoo.corpora.imports.forms import FORMS


@click.command("import", short_help="Turn conversations in the forms of others into records.")
@options()
@findings.FORMAT
@click.option("--from", "form", type=click.Choice(tuple(FORMS)), required=True, help="Form of the files.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New file for the records (.jsonl).")
@click.option(
    "--max-errors", type=click.IntRange(1, 1_000_000), default=60, show_default=True,
    help="Lines that are listed because they are left out, and things that are listed because a record lost them.",
)  # fmt: skip
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def import_(call: Call, paths: tuple[Path, ...], format_: str, form: str, out: Path, max_errors: int) -> int:
    """Turn PATHS into records: messages of OpenAI's API (openai), turns with tags (hermes), questions of the
    Berkeley Function-Calling Leaderboard (bfcl), or questions with their answers (pairs).

    Every record follows the rules of its kind. A line that cannot is left out, and the answer says why. What a record
    loses is listed too. Exit code 2 if a line is left out; the others are written.
    """
    from zoo.corpora.imports import files as room

    files, problems = recordfiles.named(paths)
    if problems:
        return findings.answer(call, Findings({}, len(files), problems), format_, "")
    with call.output.task("importing", sum(file.path.stat().st_size for file in files), "B") as advance:
        found = room.import_(files, FORMS[form], out, max_errors, advance)
    note = f" {counted(found.records, 'record')} written to {out}, {counted(found.left_out, 'line')} left out."
    if more := found.dropped - len(found.notes):
        note += f" {counted(more, 'other thing')} that records lost; --max-errors lists more."
    data = {
        "out": str(out), "kind": FORMS[form].kind.name, "records": found.records, "left_out": found.left_out,
        "dropped": found.dropped,
    }  # fmt: skip
    again = " ".join((f"zoo corpus import --from {form} --out FILE", *(shell.argument(str(path)) for path in paths)))
    return findings.answer(call, Findings(data, len(files), found.problems, found.notes, note), format_, again)
