"""evaluate: perplexity and KLD of every file against the exported one, and a smoke test of each."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.recipe import Evaluate, build
from zoo.errors import InputError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.judge import curve
from zoo.judge.evaluation import Evaluation
from zoo.judge.questions import Question, Rule
from zoo.llama.measure.evaluate import evaluate
from zoo.llama.measure.smoke import smoke
from zoo.llama.measure.windows import Early, Windows
from zoo.machine.resources import free_cores
from zoo.stages import Context, Facts
from zoo.stages.artifact import MODEL_FILE
from zoo.stages.texts import texts

SMOKE_PROMPTS = (
    "Say hello in one short sentence.",
    "What is two plus two? Answer with one word.",
    "Name a colour.",
)


def run(context: Context) -> Facts:
    """Writes ``evaluation.json``, ``kld-curve.svg`` and ``smoke.json``; the facts hold both."""
    spec: Evaluate = build(Evaluate, context.spec)
    corpus = context.inputs["texts"]
    files = {role: artifact.path(MODEL_FILE) for role, artifact in context.inputs.items() if role != "texts"}
    reference = next(iter(files))
    report = evaluate(
        files[reference],
        {name: path for name, path in files.items() if name != reference},
        texts(corpus, "evaluation"),
        Windows(spec.window_tokens, spec.windows, _early(spec, context)),
        threads=context.threads,
        report=context.report,
    )
    if report["rule"]["windows"] < 2:
        raise InputError(
            f"the evaluation texts fill {report['rule']['windows']} of 2 windows of {spec.window_tokens} "
            "tokens; a standard error requires two",
            remedy="Add text under corpus.evaluation, or make window_tokens smaller",
        )
    if "stop" in report:
        context.report.say(report["stop"]["words"])
    evaluation: Evaluation = {**report, "reference_type": reference}
    smokes = {}
    with context.report.task("smoke test", len(files), "files") as advance:
        for name, path in files.items():
            smokes[name] = smoke(
                path,
                threads=free_cores(context.threads),
                max_tokens=spec.smoke_max_tokens,
                prompts=SMOKE_PROMPTS,
            )
            advance(1)
    write_atomic(context.out / "evaluation.json", pretty_json(evaluation))
    write_atomic(context.out / "smoke.json", pretty_json(smokes))
    write_atomic(context.out / "kld-curve.svg", curve.svg(evaluation))
    return {"evaluation": evaluation, "smoke": smokes}


@dataclass(frozen=True)
class Asked:
    """What the plan adds to the spec of a recipe with ``until``: the questions that end an evaluation."""

    questions: tuple[Question, ...] | None


def _early(spec: Evaluate, context: Context) -> Early | None:
    """What may end the evaluation early; None for a recipe that wants all windows."""
    questions = build(Asked, context.spec).questions
    if questions is None and spec.relative_error is None:
        return None
    return Early(Rule(questions, spec.relative_error), context.scratch / "blocks")
