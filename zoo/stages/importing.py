"""import: a source becomes a plain model folder: safetensors in f16 or, of a teacher that asks for it, as stored."""

from __future__ import annotations

import dataclasses

from zoo.sources import resolve
from zoo.stages import Context, Facts
from zoo.stages.table import AS_STORED
from zoo.training import require


def run(context: Context) -> Facts:
    """Writes the model folder into ``out``, and ``source.json``: the source's own facts."""
    require()
    from zoo.training.importing import import_model

    source = resolve.resolve(context.spec, context.root, context.work, context.report)
    # Every imported model is exported later, so an unsupported tokenizer is reported before any weight is read.
    resolve.inspect_folder(source, context.root)
    as_stored = context.spec.get("dtype") == AS_STORED
    done = import_model(source, context.out, context.report, root=context.root, as_stored=as_stored)
    return dataclasses.asdict(done)
