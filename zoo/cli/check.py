"""zoo check"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from catalog import reports, shell
from zoo.cli import findings
from zoo.cli.common import Call, options
from zoo.cli.findings import Findings
from zoo.errors import ZooError
from zoo.review import check as room
from zoo.settings import MARKER, Settings


@click.command()
@options("catalog")
@findings.FORMAT
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def command(call: Call, paths: tuple[Path, ...], format_: str) -> int:
    """Check PATHS: recipes (.yaml, or the name of one), prompt files (.jsonl), cards (.md), results for the Hub
    (.eval_results/*.yaml), shared measurements (reports/*.json), catalogs (.json), or folders of these.

    Without PATHS: every recipe of the zoo, their prompt files, cards of corpora, shared measurements and the catalog.
    Exit code 0 if all are valid, 2 if there are problems, 1 if there was nothing to check.
    """
    settings = call.settings
    files = list(_files(paths, settings)) if paths else room.own(settings)
    if not files:
        raise ZooError(
            "there is nothing to check here", remedy="Name a file, or make a recipe with: zoo new NAME"
        )
    with call.output.task("checking", len(files), "files") as advance:
        found = room.check(files, settings, advance)
    checked = [settings.shown(path) for path in files]
    again = " ".join(("zoo check", *(shell.argument(settings.shown(path)) for path in paths)))
    every = Findings({"checked": checked}, len(files), found.problems, found.hints)
    return findings.answer(call, every, format_, again)


def _files(paths: tuple[Path, ...], settings: Settings) -> Iterator[Path]:
    for path in paths:
        if (path / MARKER).is_file():
            yield from room.own(settings)
        elif path.is_dir():
            room.refuse_unreadable(path)
            if path.name == reports.FOLDER:
                yield from sorted(path.iterdir())
                continue
            for pattern in ("*.yaml", "*.yml", "*.jsonl", "*catalog*.json"):
                yield from (p for p in sorted(path.glob(pattern)) if not p.name.endswith(".lock.yaml"))
            yield from sorted((path / room.EVAL_RESULTS).glob("*.y*ml"))
            # A README next to a manifest is a card; elsewhere it can be any text.
            if (path / "MANIFEST.json").is_file() and (path / "README.md").is_file():
                yield path / "README.md"
        else:
            yield _by_name(path, settings) or path


def _by_name(path: Path, settings: Settings) -> Path | None:
    """The recipe of this name, as other commands take it, if there is no such file."""
    recipe = settings.root / "recipes" / f"{path}.yaml"
    return recipe if len(path.parts) == 1 and not os.path.lexists(path) and recipe.is_file() else None
