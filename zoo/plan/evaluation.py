"""What an evaluation is asked, when its recipe lets it stop as soon as that is decided. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from catalog.metrics import METRICS, SIGMAS
from catalog.recipe import Gate, Recipe, plain
from zoo.choose.candidates import LOSS_LIMIT
from zoo.choose.pick import TOLERANCE
from zoo.judge.questions import KLD, Bound, Question


def evaluation(recipe: Recipe, files: Sequence[str]) -> dict[str, object]:
    """The spec of the step. files: the types of all files, the exported one first. The questions are part of it, so
    that another gate measures again, but only in a recipe that asks for them, as is that a file that is settled is not
    read further."""
    spec = plain(recipe.evaluate)
    if recipe.evaluate.until != "decided":
        return spec
    questions = [*_gates(recipe, files[1:]), *_choices(files[0], files[1:])]
    return {**spec, "settled_files": "leave", "shares": "by tokens", "questions": plain(questions)}


def _gates(recipe: Recipe, files: Sequence[str]) -> Iterator[Question]:
    """Gates on figures that windows of text give."""
    for gate in recipe.gates:
        if METRICS[gate.metric].against_export:
            yield from (_gate(gate, file) for file in files if gate.file in (None, file))


def _gate(gate: Gate, file: str) -> Question:
    at_most = gate.at_most is not None
    bound = gate.at_most if gate.at_most is not None else gate.at_least
    assert bound is not None
    words = f"{gate.metric} of {file} keeps its gate of {bound:g}"
    return Question(words, (Bound(file, gate.metric, bound, at_most, SIGMAS),))


def _choices(exported: str, files: Sequence[str]) -> Iterator[Question]:
    """What recommendations ask of every file alone; pairs of files are compared in any case."""
    for file in files:
        close = Bound(file, KLD, TOLERANCE.kld_mean_nats, True, 0.0)
        same = Bound(file, "same_top_share", TOLERANCE.same_top_share, False, 0.0)
        yield Question(f"{file} is within the tolerance of a recommendation", (close, same))
        yield Question(f"{file} stays close to its source", (Bound(file, KLD, LOSS_LIMIT, True, 0.0),))
        yield Question(f"{file} differs from {exported} in its loss", (Bound(file, KLD, 0.0, True, -1.0),))
