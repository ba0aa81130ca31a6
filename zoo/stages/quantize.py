"""quantize: one file of the ladder. Finished tensors are shared with the other files, also of other recipes."""

from __future__ import annotations

import dataclasses

from catalog.recipe import build
from zoo.gguf.facts import header_facts
from zoo.gguf.imatrix import Imatrix, read_imatrix
from zoo.llama.quantize import quantize
from zoo.machine.resources import free_cores
from zoo.stages import Context, Facts
from zoo.stages.artifact import IMATRIX_FILE, MODEL_FILE

CACHE = "tensors"
"""Folder of the work folder that holds quantized tensors; safe to delete."""


@dataclasses.dataclass(frozen=True)
class Spec:
    """The file type, as llama.cpp names it, and the recipe's exceptions."""

    type: str
    allow_fallback: bool
    overrides: tuple[quantize.Override, ...]


def run(context: Context) -> Facts:
    """Writes ``model.gguf``; the facts are its header and the resulting tensor types."""
    spec: Spec = build(Spec, context.spec)
    target = context.out / MODEL_FILE
    report = quantize.quantize(
        context.inputs["model"].path(MODEL_FILE),
        target,
        quantize.Wanted(spec.type, spec.allow_fallback, _imatrix(context), spec.overrides),
        threads=free_cores(context.threads),
        report=context.report,
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
