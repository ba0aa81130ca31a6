"""prune: some layers of an imported model, in order (depth pruning)."""

from __future__ import annotations

import dataclasses

from catalog.jsonvalues import listed, whole
from zoo.stages import Context, Facts
from zoo.training import require


def run(context: Context) -> Facts:
    """Writes the model folder into ``out``."""
    require()
    from zoo.training.importing import import_model

    layers = tuple(whole(number) for number in listed(context.spec["layers"]))
    source = context.inputs["model"].whole()
    return dataclasses.asdict(import_model(source, context.out, context.report, layers=layers))
