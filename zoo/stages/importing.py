"""import: a source becomes a plain model folder (safetensors in f16), with the layers that the recipe keeps."""

from __future__ import annotations

import dataclasses

from zoo import sources
from zoo.stages import Context, Facts
from zoo.training import require


def run(context: Context) -> Facts:
    """Writes the model folder into ``out``."""
    require()
    from zoo.training.importing import import_model

    source = sources.resolve(context.spec, context.root, context.work, context.report)
    layers = context.spec.get("layers")
    report = import_model(source, context.out, context.report, layers=tuple(layers) if layers else None)
    return dataclasses.asdict(report)
