"""zoo review"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path

import click

from catalog import shell
from zoo.cli.common import Call, options
from zoo.errors import ZooError
from zoo.files.whole import write_atomic
from zoo.output import visible
from zoo.review import brought, compare, corpora, recorded, trees
from zoo.review.report import Contribution, report

BLOCKED = 3


@click.command()
@options()
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the report there, too.")
@click.option(
    "--cards", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Make the dataset card of every corpus, with counts, Croissant and picture, in this folder.",
)  # fmt: skip
@click.argument("revisions", metavar="BASE..HEAD")
def command(call: Call, revisions: str, out: Path | None, cards: Path | None) -> int:
    """Show what a contribution changes, as a reviewer needs it: the keys of a recipe, plan and cost, licences, corpora.

    BASE..HEAD are two commits of the zoo's git repository. The checkout is not touched, and nothing is built. Exit
    code 3 if a problem is found, or if a corpus got worse. --cards needs the extra corpora.
    """
    root = call.settings.root
    base, head = trees.resolve(root, revisions)
    words = ["zoo review", shell.argument(revisions), *(("--cards", shell.argument(str(cards))) if cards else ())]
    with tempfile.TemporaryDirectory(prefix="zoo.review-") as folder:
        found = _look(root, base, head, Path(folder), " ".join(words))
        if cards:
            # It draws pictures and looks for personal data, which a review without cards does not need.
            from zoo.review import cards as room

            found = dataclasses.replace(found, cards=tuple(room.cards(Path(folder) / "head")))
            room.write(found.cards or (), cards)
    text = report(found)
    if out:
        write_atomic(out, text)
    _summarize(text, os.environ.get("GITHUB_STEP_SUMMARY"))
    data = {"base": base, "head": head, "passes": found.passes, "problems": found.problems,
            "regressions": found.regressions}  # fmt: skip
    call.output.answer(data, visible(text))
    return 0 if found.passes else BLOCKED


def _look(root: Path, base: str, head: str, folder: Path, command: str) -> Contribution:
    changes = trees.changes(root, base, head)
    old, new = folder / "base", folder / "head"
    trees.extract(root, base, old)
    links = trees.extract(root, head, new)
    there = [one.path for one in changes if one.how != "deleted" and one.path not in links]
    found = brought.found(old, new, there)
    broken = {one.file for one in found.problems}
    mine = [one for one in changes if one.path.startswith("recipes/") and one.path not in links]
    recipes = [
        one for one in mine if one.path.endswith((".yaml", ".yml")) and not one.path.endswith(".lock.yaml")
    ]
    records = [one for one in mine if one.path.endswith(".jsonl")]
    return Contribution(
        base,
        head,
        tuple(changes),
        tuple(path for path in links if path in {one.path for one in changes}),
        tuple(compare.recipe_change(one, old, new, one.path not in broken) for one in recipes),
        tuple(corpora.corpus_change(one, old, new) for one in records),
        tuple(found.problems),
        (
            *corpora.leaks(old, new, records),
            *compare.licences(old, new, [one.path for one in recipes]),
            *recorded.lost_reports(old, new, changes),
            *recorded.broken_digests(old, new, changes),
        ),
        command,
        hints=tuple(found.hints),
    )


def _summarize(text: str, path: str | None) -> None:
    if path:
        try:
            with Path(path).open("a", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            raise ZooError(f"the job summary cannot be written ({error.strerror})", where=path) from error
