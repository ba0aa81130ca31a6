"""probe: small tasks with a right answer for one file."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.recipe import ProbeChoice, build, plain
from zoo.errors import InputError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.judge import probes
from zoo.judge.probes import report
from zoo.llama.measure import probing
from zoo.machine.resources import free_cores
from zoo.stages import Context, Facts
from zoo.stages.artifact import MODEL_FILE


@dataclass(frozen=True)
class Spec:
    """The tasks that the recipe chose."""

    probes: tuple[ProbeChoice, ...]


def run(context: Context) -> Facts:
    """Writes ``probes.json``, every item with its answer; the facts hold the scores."""
    chosen: Spec = build(Spec, context.spec)
    try:
        made = [probes.make(one.probe, one.items, one.seed) for one in chosen.probes]
    except ValueError as error:
        raise InputError(str(error), remedy="Ask for fewer items under probes") from error
    with context.report.task("probing", sum(one.items for one in chosen.probes), "items") as advance:
        path = context.inputs["model"].path(MODEL_FILE)
        # With one row at a time, threads wait for each other: on a busy machine, two took a hundred times as long.
        answers = probing.ask(path, made, threads=free_cores(context.threads), advance=advance)
    records = [report.record(probe, its) for probe, its in zip(made, answers, strict=True)]
    write_atomic(context.out / "probes.json", pretty_json(records))
    return {"scores": [plain(record["score"]) for record in records]}
