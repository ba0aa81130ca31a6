"""How long ``zoo release`` takes if everything is already released.

Uses the zoo around the current folder and the environment's ZOO_* settings. Fails if a recipe is not released yet: this
benchmark never builds or publishes anything.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import commands, pairs
from benchmarks.pairs import Comparison, Say, Side, Target, Work
from zoo import flow, settings
from zoo.errors import ZooError
from zoo.plan import prepare as preparing

PAIRS = 15
RECIPES = ("smollm2-135m-instruct", "smollm2-tutor-57m")
# B is a reference for the machine's noise and ten times shorter than A, so its own jitter widens the ratio.
SPREAD_MAXIMUM = 0.25


def refuse_unreleased(recipes: Sequence[str]) -> None:
    """Raises ZooError for the first recipe that a ``zoo release`` would still have to work on."""
    mine = settings.load(Path.cwd(), {}, os.environ)
    for name in recipes:
        planned = preparing.make_plan(name, mine)
        _, targets = flow.targets(planned, flow.existing_release(planned, mine), mine)
        if not all(target.plan.is_published for target in targets):
            raise ZooError(
                f"{name} is built but not released", remedy=f"Release it first with: zoo release {name}"
            )


def released_again(recipes: Sequence[str]) -> Work:
    """``zoo release`` of all recipes in one command; it must report that nothing was left to do."""
    command = [commands.find("zoo"), "release", "--json", *recipes]

    def run() -> dict[str, Any]:
        answer = json.loads(commands.output(command))
        if not all(release["already_released"] for release in answer["releases"]):
            raise ZooError("zoo release had work to do, so this run was not a repetition")
        return {"releases": len(answer["releases"])}

    return run


def helped() -> dict[str, Any]:
    """``zoo --help``."""
    commands.output([commands.find("zoo"), "--help"])
    return {}


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """The second release and its noise reference."""
    recipes = tuple(arguments.recipes or RECIPES)
    say("checking that everything is released")
    refuse_unreleased(recipes)
    yield Comparison(
        name="noop_release",
        question="How long does a release take when nothing is left to do?",
        a=Side("zoo release, everything released", released_again(recipes)),
        b=Side("zoo --help", helped),
        target=Target("a", at_most=2.0),
        packages=("click", "jsonschema", "pyyaml"),
        settings={"recipes": list(recipes)},
        spread_maximum=SPREAD_MAXIMUM,
        warmups=2,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("noop_release", str(__doc__), PAIRS)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"unless given: {' '.join(RECIPES)}")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
