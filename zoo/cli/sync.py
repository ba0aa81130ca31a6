"""zoo sync"""

from __future__ import annotations

from pathlib import Path

import click

from catalog.words import counted
from zoo.cli.common import Call, options
from zoo.errors import InputError
from zoo.sync import derived, parts, people, stray, table

DIFFERS = 3


@click.command()
@options()
@click.option("--check", "instead", flag_value="check", help="Write nothing; exit with 3 if a file differs.")
@click.option(
    "--list", "instead", flag_value="list", help="Write nothing; list the files and what they are made from."
)
@click.option("--restore", is_flag=True, help="Write PATHS again, even if you edited or deleted them.")
@click.option(
    "--maintainers", multiple=True, metavar="NAME",
    help="In a clone of this program: first write into pyproject.toml who is asked to review, as @ACCOUNT or "
    "@ORGANISATION/TEAM.",
)  # fmt: skip
@click.argument("paths", nargs=-1)
def command(
    call: Call, paths: tuple[str, ...], instead: str | None, restore: bool, maintainers: tuple[str, ...]
) -> int:
    """Update the files that are made from others; PATHS limits it to some.

    In a zoo, these are the workflows in .github that zoo init made. Those that you edited or deleted stay as they are.
    In a clone of this program, they are the tables and figures in documents, pins and lists. With --check, each
    difference is shown with the command that removes it.
    """
    root = call.settings.root
    if restore and not paths:
        raise InputError("no path was named", remedy="Write: zoo sync --restore PATH")
    if table.is_program(root):
        _name(root, maintainers, instead)
        return _program(call, root, paths, instead)
    if maintainers:
        raise InputError("a zoo has no such setting", remedy="Write them into .github/CODEOWNERS, which is yours")
    return _zoo(call, root, paths, instead, restore)


def _zoo(call: Call, root: Path, paths: tuple[str, ...], instead: str | None, restore: bool) -> int:
    found = parts.parts(root)
    if instead == "list":
        rows = [(part.path, part.state) for part in found]
        call.output.table(
            {"files": [{"path": p, "state": s} for p, s in rows]},
            "workflows of this zoo",
            ("path", "state"),
            rows,
        )
        return 0
    if instead == "check":
        return _differ(call, [one for one in parts.drifts(root) if not paths or one.path in paths], [])
    for part in found:
        if part.state in (parts.EDITED, parts.DELETED) and part.path not in paths:
            call.output.say(f"{part.path} was {part.state} by you, so it stays. To get the program's version: "
                            f"zoo sync --restore {part.path}")  # fmt: skip
    return _written(call, parts.update(root, paths if restore else ()))


def _name(root: Path, maintainers: tuple[str, ...], instead: str | None) -> None:
    """Raises InputError together with an option that writes nothing."""
    if maintainers and instead:
        raise InputError(f"--maintainers writes a file, and --{instead} writes none", remedy="Leave out one of them")
    if maintainers:
        people.name(root, maintainers)


def _program(call: Call, root: Path, paths: tuple[str, ...], instead: str | None) -> int:
    rows = derived.chosen(table.ROWS, paths)
    if instead == "list":
        lines = [(row.path, row.source, row.remedy, row.tested or "zoo sync --check") for row in rows]
        data = [dict(zip(("path", "source", "command", "checked_by"), line, strict=True)) for line in lines]
        call.output.table(
            {"files": data}, "derived files", ("path", "made from", "made by", "checked by"), lines
        )
        return 0
    if instead == "check":
        if people.is_unset(root):
            name = people.account(root) or "@ACCOUNT"
            call.output.warn(
                f"nobody is asked to review yet: {people.FILE} has a placeholder. Name an account or a team: "
                f"zoo sync --maintainers {name}"
            )
        stray_files = [] if paths else stray.strays(root, table.ROWS, table.GENERATED_FOLDERS)
        return _differ(call, derived.drifts(root, rows), stray_files)
    written = derived.regenerate(root, rows)
    for drift in derived.drifts(root, rows):
        call.output.warn(f"{drift.path} is out of date. It takes longer to make: {drift.command}")
    return _written(call, written)


def _written(call: Call, written: list[str]) -> int:
    call.output.answer(
        {"written": written}, "\n".join(f"wrote {path}" for path in written) or "Everything is up to date."
    )
    return 0


def _differ(call: Call, drifts: list[derived.Drift], strays: list[str]) -> int:
    words = [*map(str, drifts), *(f"{one}. Add a row to zoo/sync/table.py" for one in strays)]
    data = {"differences": [vars(drift) for drift in drifts], "unregistered": strays}
    call.output.answer(data, "\n\n".join(words) or "Everything is up to date.")
    if words:
        call.output.say(f"{counted(len(words), 'difference')}.")
    return DIFFERS if words else 0
