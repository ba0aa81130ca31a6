"""Does a teacher that is trained first teach better? A recipe with ``teacher.tune.corpus``, in three ways.

    python -m benchmarks.teacher_corpus NAME --zoo FOLDER --out FILE

``untrained``: without the block ``tune``. ``own``: trained on its own answers, with the same steps and rates.
``corpus``: as the recipe says. Every way is built up to its student, in the work folder of the zoo, so what is finished
is not made again. Teachers and students are then measured on the held-out conversations of the corpus, which nobody
learnt: on what a person would want them to say. The difference is taken conversation by conversation.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from catalog import plainfiles
from catalog.checks import check_recipe
from catalog.recipe import Tune
from zoo import settings as settings_room
from zoo.errors import InputError, ZooError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.plan import engine, prepare
from zoo.plan.plan import Plan
from zoo.progress import Silent
from zoo.settings import Settings
from zoo.stages.artifact import Artifact
from zoo.stages.distill import read_conversations
from zoo.training import require

WAYS = ("untrained", "own", "corpus")


def variant(recipe: Mapping[str, Any], way: str) -> dict[str, Any]:
    """The recipe in one of the ways."""
    teacher = dict(recipe["teacher"])
    if way == "untrained":
        del teacher["tune"]
    elif way == "own":
        teacher["tune"] = {key: value for key, value in teacher["tune"].items() if key != "corpus"}
    return {**recipe, "teacher": teacher}


def needed(plan: Plan, *ids: str) -> Plan:
    """The steps of a plan that these need, and no others."""
    wanted = set(ids)
    for step in reversed(plan.steps):
        if step.id in wanted:
            wanted |= set(step.inputs.values())
    return dataclasses.replace(plan, steps=tuple(step for step in plan.steps if step.id in wanted))


def built(recipe: Mapping[str, Any], way: str, settings: Settings) -> Mapping[str, Artifact]:
    """The artifacts of one way, up to its student."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{recipe['name']}.yaml"
        write_atomic(path, yaml.safe_dump(variant(recipe, way), sort_keys=False))
        plan = prepare.make_plan(str(path), settings).plan
    ids = {step.id for step in plan.steps}
    return engine.run(needed(plan, "distill", *({"conversations"} & ids)), settings, Silent()).artifacts


def measured(way: Mapping[str, Artifact], tune: Tune, heldout: Path) -> dict[str, Any]:
    """Sums over the held-out conversations, by who is measured."""
    import torch

    from zoo.training.conversations import encode
    from zoo.training.heldout import row_sums
    from zoo.training.models import load_model, load_tokenizer

    found = {}
    for who, maker in (("teacher", "tune" if "tune" in way else "import/teacher"), ("student", "distill")):
        folder = way[maker].model()
        rows = encode(load_tokenizer(folder), read_conversations(heldout), tune.row_tokens, who).rows
        found[who] = row_sums(load_model(folder, torch.float32, "cpu"), None, rows, Silent(), who)
    return found


def report(ways: Mapping[str, Mapping[str, Artifact]], tune: Tune) -> dict[str, Any]:
    """Every way with its figures, and its differences to the first in nats per token: below 0 is better."""
    from zoo.training.heldout import difference, figures

    heldout = ways["corpus"]["conversations"].path("heldout.jsonl")
    sums = {name: measured(way, tune, heldout) for name, way in ways.items()}
    found: dict[str, Any] = {}
    for name, way in ways.items():
        facts = way["label"].facts
        rows, valid = int(str(facts["rows"])), int(str(facts["valid_rows"]))
        share = valid / rows
        found[name] = {"valid_share": share, "valid_share_se": math.sqrt(share * (1 - share) / rows), "rows": rows}
        for who in ("teacher", "student"):
            of = figures(sums[name][who])
            less = difference(sums["untrained"][who], sums[name][who])
            found[name][who] = {
                "conversations": of.rows, "perplexity": of.perplexity, "perplexity_se": of.perplexity_se,
                "difference_nats": less.mean, "difference_se_nats": less.se,
            }  # fmt: skip
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Build, measure, print a table and write the report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.teacher_corpus", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("recipe", metavar="NAME", help="a recipe whose teacher is trained on a corpus")
    parser.add_argument("--zoo", type=Path, default=Path(), metavar="FOLDER", help="folder of the zoo")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of a training")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the report as JSON")
    arguments = parser.parse_args(argv)
    try:
        require()
        settings = settings_room.load(arguments.zoo.resolve(), {}, {}).with_threads(arguments.threads)
        path = prepare.find_recipe(arguments.recipe, settings)
        recipe = check_recipe(path, settings.root).recipe
        if recipe is None or recipe.tune is None or recipe.tune.corpus is None or recipe.distill is None:
            what = "the recipe is not valid, or has no student or no teacher.tune.corpus"
            raise InputError(what, where=str(path), remedy=f"See: zoo check {path}")
        written = yaml.safe_load(plainfiles.read_text(path))
        ways = {}
        for way in WAYS:
            print(f"building: {way}", file=sys.stderr)
            ways[way] = built(written, way, settings)
        found = report(ways, recipe.tune)
    except ZooError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for name, row in found.items():
        print(f"{name:10} {row['valid_share']:6.1%} ± {row['valid_share_se']:.1%} of {row['rows']} answers valid")
        for who in ("teacher", "student"):
            one = row[who]
            print(
                f"  {who:8} perplexity {one['perplexity']:8.4g} ± {one['perplexity_se'] or 0:.2g}, "
                f"{one['difference_nats']:+.4f} ± {one['difference_se_nats'] or 0:.4f} nats per token from untrained"
            )
    if arguments.out:
        write_atomic(arguments.out, pretty_json({"schema": "teacher-corpus/1", "recipe": recipe.name, "ways": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
