"""quantize: one file of the ladder through llama.cpp's own quantizer."""

from __future__ import annotations

import dataclasses

from zoo.llama import quantize
from zoo.stages import Context, Facts
from zoo.stages.export import NAME, header_facts


def run(context: Context) -> Facts:
    """Writes ``model.gguf``; the facts are its header and what became of the tensors."""
    target = context.out / NAME
    report = quantize.quantize(
        context.inputs["model"].path(NAME),
        target,
        context.spec["type"],
        threads=context.threads,
        report=context.report,
        allow_fallback=context.spec["allow_fallback"],
    )
    return {**header_facts(target), "quantize": dataclasses.asdict(report)}
