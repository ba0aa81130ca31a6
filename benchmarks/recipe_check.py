"""``zoo check`` of a zoo with many recipes, compared with ``check-jsonschema`` of the same files.

The other command only asks whether each file follows the schema ``recipe-v1``. Ours also checks sources, licences,
prompt files, gates and names, and explains each problem. Processor time: other programs disturb it less than wall time.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import commands, pairs
from benchmarks.pairs import Comparison, Say, Side, Target, Work

PAIRS = 10
PAIRS_MINIMUM = 7
RECIPES = 1000
ROOT = Path(__file__).resolve().parent.parent
STARTERS = ("smollm2-135m-instruct", "smollm2-tutor-57m")


def generate(folder: Path, count: int) -> None:
    """A zoo with ``count`` valid recipes: the starters under other names, with their corpora."""
    shutil.copytree(ROOT / "recipes/corpora", folder / "recipes/corpora")
    (folder / "zoo.toml").write_text("", encoding="utf-8")
    texts = {name: (ROOT / f"recipes/{name}.yaml").read_text(encoding="utf-8") for name in STARTERS}
    for number in range(count):
        name = STARTERS[number % len(STARTERS)]
        new = f"{name}-{number}"
        text = texts[name].replace(f"name: {name}", f"name: {new}")
        text = text.replace(f"model: {name}", f"model: {new}").replace("-prompts", f"-prompts-{number}")
        (folder / f"recipes/{new}.yaml").write_text(text, encoding="utf-8")


def timed(command: Sequence[str], cwd: Path, recipes: int) -> Work:
    """Runs a command to its end; its processor time, also for each 100 recipes."""

    def run() -> dict[str, Any]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        commands.output(command, cwd)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"cpu_seconds": spent, "cpu_seconds_per_100_recipes": spent * 100 / recipes}

    return run


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both check the same files."""
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as scratch:
        folder = Path(scratch)
        say(f"generating {arguments.recipes} recipes")
        generate(folder, arguments.recipes)
        recipes = sorted(f"recipes/{path.name}" for path in (folder / "recipes").glob("*.yaml"))
        schema = str(ROOT / "catalog/schemas/recipe-v1.schema.json")
        theirs = [commands.find("check-jsonschema"), "--schemafile", schema, *recipes]
        yield Comparison(
            name="recipe_check",
            question="How much processor time does zoo check take, compared with a check of the schema alone?",
            a=Side("zoo check", timed([commands.find("zoo"), "check"], folder, arguments.recipes)),
            b=Side("check-jsonschema", timed(theirs, folder, arguments.recipes)),
            target=Target("ratio", at_most=0.5),
            figure="cpu_seconds",
            packages=("jsonschema-rs", "jsonschema", "check-jsonschema", "PyYAML"),
            settings={"recipes": arguments.recipes},
            pairs_minimum=PAIRS_MINIMUM,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("recipe_check", str(__doc__), PAIRS)
    parser.add_argument("--recipes", type=int, default=RECIPES, help="recipes of the zoo (default: %(default)s)")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
