"""Gates that finished steps already miss: what cannot be published any more stops before the next expensive step."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping

from catalog.metrics import MADE, METRICS
from catalog.recipe import Recipe, build
from catalog.release import ModelFile
from zoo.commandline import Command
from zoo.errors import GateRefused
from zoo.gguf import wording
from zoo.gguf.facts import FileFacts
from zoo.judge import gates
from zoo.judge.gates import Verdict
from zoo.plan.plan import Plan, Step, file_makers, file_name
from zoo.release import record
from zoo.release.facts import Measured, smoke_faults
from zoo.release.record import Made
from zoo.release.words import header_words
from zoo.stages.artifact import MODEL_FILE

SHOWN_STEPS = 6
"""How many of the steps that do not run are named; the others are counted."""


def refuse(recipe: Recipe, plan: Plan, made: Made, to_run: Collection[str], command: Command) -> None:
    """Raises GateRefused if the newest step in ``made`` misses a gate, and steps of ``to_run`` would still follow.
    command: gives a command line with the user's flags.

    Without such steps the release is complete, and every gate is judged by it.
    """
    left = [id_ for id_ in to_run if id_ not in made]
    if not made or not left:
        return
    step = plan.step(list(made)[-1])
    broken = [failure(one, _smoke_faults(one, made)) for one in missed(recipe, made, step)]
    if not broken:
        return
    others = f" and {len(left) - SHOWN_STEPS} more" if len(left) > SHOWN_STEPS else ""
    raise GateRefused(
        "\n".join([
            f"{plan.name} {plan.version} misses its gates, so it stops after {step.id}",
            *(f"  {line}" for line in broken),
        ]),
        safe=f"Nothing was published. Finished steps are kept. Not run: {', '.join(left[:SHOWN_STEPS])}{others}.",
        remedy=f"Change the recipe; {command('release', plan.name)} then makes only what depends on the change. To "
        f"measure the rest of this version anyway, run: {command('build', plan.name)}",
    )


def missed(recipe: Recipe, made: Made, step: Step) -> list[Verdict]:
    """Verdicts of the gates that are missed by figures of ``step``, the newest one in ``made``."""
    makers = file_makers(recipe)
    is_maker = step.id in makers.values()
    # Answers of a server are labels, too.
    stage = MADE if is_maker else {"ask": "label"}.get(step.stage, step.stage)
    known = tuple(gate for gate in recipe.gates if METRICS[gate.metric].stage == stage)
    if not known:
        return []
    wanted = {step.id} if is_maker else set(step.inputs.values())
    files = tuple(_files(recipe, made, {type_: maker for type_, maker in makers.items() if maker in wanted}))
    asked = dataclasses.replace(recipe, gates=known)
    found = gates.judge(asked, files, record.training(recipe, made), record.valid_share(made))
    return [one for one in found if not one.kept]


def failure(verdict: Verdict, smoke: str) -> str:
    """A missed gate in a sentence. smoke: what a smoke test found wrong, because a figure of 0 tells nothing."""
    return f"{verdict.file} failed the smoke test. {smoke}" if smoke else verdict.sentence


def _files(recipe: Recipe, made: Made, makers: Mapping[str, str]) -> Iterator[ModelFile]:
    for type_, maker in makers.items():
        artifact = made[maker]
        facts: FileFacts = build(FileFacts, artifact.facts)
        size_bytes = wording.placed_bytes(artifact.path(MODEL_FILE), header_words(recipe, facts))
        yield record.file(record.Placed(file_name(recipe.name, type_), type_, size_bytes, ""), maker, made)


def _smoke_faults(verdict: Verdict, made: Made) -> str:
    if verdict.metric != "smoke_passed" or not verdict.file:
        return ""
    measured: Measured = build(Measured, made["evaluate"].facts)
    return smoke_faults(measured.smoke[verdict.file])
