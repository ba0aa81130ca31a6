"""quantize: one file of the ladder. Finished tensors are shared with the other files, also of other recipes."""

from __future__ import annotations

import dataclasses

from zoo.gguf.facts import header_facts
from zoo.gguf.imatrix import Imatrix, read_imatrix
from zoo.llama.quantize import quantize
from zoo.machine.resources import free_cores
from zoo.stages import Context, Facts
from zoo.stages.artifact import IMATRIX_FILE, MODEL_FILE

CACHE = "tensors"
"""Folder of the work folder that holds quantized tensors; safe to delete."""


def run(context: Context) -> Facts:
    """Writes ``model.gguf``; the facts are its header and the resulting tensor types."""
    target = context.out / MODEL_FILE
    report = quantize.quantize(
        context.inputs["model"].path(MODEL_FILE),
        target,
        context.spec["type"],
        threads=free_cores(context.threads),
        report=context.report,
        allow_fallback=context.spec["allow_fallback"],
        imatrix=_imatrix(context),
        overrides=[quantize.Override(**override) for override in context.spec["overrides"]],
        cache_folder=context.work / CACHE,
    )
    context.report.say(f"{report.type_name}: {report.computed} tensors quantized, {report.reused} reused")
    facts = dataclasses.asdict(report)
    # How much was reused is not a fact of the file.
    del facts["computed"], facts["reused"]
    return {**header_facts(target), "quantize": facts}


def _imatrix(context: Context) -> Imatrix | None:
    found = context.inputs.get("imatrix")
    return read_imatrix(found.path(IMATRIX_FILE)) if found else None
