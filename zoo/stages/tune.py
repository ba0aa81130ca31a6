"""tune: the teacher is trained on conversations, its own labelled ones or those of the recipe, before it teaches."""

from __future__ import annotations

from catalog.recipe import Distill, Tune, build, plain
from zoo.errors import ZooError
from zoo.stages import Context, Facts
from zoo.stages.distill import Models, longest, train
from zoo.training import require


def run(context: Context) -> Facts:
    """Writes the model folder ``model/`` and ``tune-report.json``."""
    require()
    tune = build(Tune, dict(context.spec))
    # The text alone, so there is no temperature and there are no most probable tokens.
    spec = build(Distill, {**plain(tune), "method": "labels", "top_k": 1, "temperature": 1.0})
    try:
        models = Models(context.inputs["model"].whole(), None, "teacher", longest(context, "model"))
        return train(context, models, spec, "tune")
    except ZooError as error:
        # A training names the keys of the section that most recipes have.
        error.remedy = error.remedy.replace("distill.", "teacher.tune.")
        if context.inputs["labels"].kind == "conversations":
            error.remedy = error.remedy.replace("prompts under corpus.", "conversations under teacher.tune.corpus.")
        raise
