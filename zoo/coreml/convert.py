"""From torch's program to an ML program, and what can be said about it on this machine.

coremltools converts on Linux, but only macOS has the framework that runs the result. So here the structure is checked:
input, output, operations, and whether each weight of the model is in the program. On a Mac it is also run.
"""

from __future__ import annotations

import contextlib
import io
import platform
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import coremltools
import numpy
import torch
from coremltools.models import MLModel
from coremltools.optimize.coreml import get_weights_metadata
from torch.export import ExportedProgram
from transformers import PreTrainedModel

from zoo.coreml import torchprogram
from zoo.errors import InputError, ZooError

SAMPLES = 3
"""Random texts on which the programs are compared."""

SMALLEST_WEIGHT = 256
"""Weights with fewer numbers are not looked for: coremltools writes them into the program's text."""


@dataclass(frozen=True)
class Findings:
    """What is known about a converted program.

    torch_difference: of torch's program from transformers, as a share of the largest logit. predicted_difference: of
    Core ML's answers from transformers, likewise; None where Core ML is missing, which ``not_run`` then says.
    """

    tokens: int
    vocabulary: int
    operations: dict[str, int]
    weights: int
    torch_difference: float
    predicted_difference: float | None
    not_run: str


def convert(folder: Path, out: Path, tokens: int) -> Findings:
    """Write the model of ``folder`` as ``out`` (``NAME.mlpackage``) and check it. Raises ZooError."""
    if out.suffix != ".mlpackage":
        raise InputError(f"{out.name} must end with .mlpackage", remedy="Name the program, such as model.mlpackage")
    if out.exists():
        raise InputError(f"{out} exists", remedy="Remove it, or choose another name")
    if tokens < 1:
        raise InputError("the length must be at least 1 token")
    model = torchprogram.load(folder)
    program = torchprogram.exported(model, tokens)
    apart = torchprogram.difference(program, model, tokens, SAMPLES)
    made = converted(program)
    found = checked(made, model, tokens)
    try:
        made.save(str(out))
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
    predicted = _predicted(made, model, tokens)
    why = "" if predicted is not None else f"not run: Core ML exists on macOS only, and this is {platform.system()}"
    return Findings(tokens, found.vocabulary, found.operations, found.weights, apart, predicted, why)


def converted(program: ExportedProgram) -> MLModel:
    """float16, as Core ML's fast units compute; for macOS 14 and iOS 17."""
    with contextlib.redirect_stderr(io.StringIO()):
        return coremltools.convert(
            program,
            convert_to="mlprogram",
            outputs=[coremltools.TensorType("logits")],
            minimum_deployment_target=coremltools.target.iOS17,
            compute_precision=coremltools.precision.FLOAT16,
        )


@dataclass(frozen=True)
class Structure:
    vocabulary: int
    operations: dict[str, int]
    weights: int


def checked(made: MLModel, model: PreTrainedModel, tokens: int) -> Structure:
    """The structure of the program. Raises ZooError if it is not that of the model."""
    spec = made.get_spec()
    (given,), (answer,) = spec.description.input, spec.description.output
    vocabulary = int(model.config.get_text_config().vocab_size)
    shapes = [list(one.type.multiArrayType.shape) for one in (given, answer)]
    if shapes != [[1, tokens], [1, tokens, vocabulary]]:
        raise ZooError(f"the converted program has the shapes {shapes}, not [1, {tokens}] and its logits")
    function = spec.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    operations = Counter(one.type for one in block.operations)
    del operations["const"]
    return Structure(vocabulary, dict(operations.most_common()), _weights(made, model))


def _weights(made: MLModel, model: PreTrainedModel) -> int:
    """How many weights of the model are in the program, bit for bit in float16. Raises ZooError if one is missing."""
    with contextlib.redirect_stderr(io.StringIO()):
        metadata = get_weights_metadata(made, SMALLEST_WEIGHT)
    held = {one.val.astype(numpy.float16).tobytes() for one in metadata.values()}
    wanted = {name: one for name, one in model.named_parameters() if one.numel() >= SMALLEST_WEIGHT}
    for name, one in wanted.items():
        half = one.detach().to(torch.float16).numpy()
        if half.tobytes() not in held:
            raise ZooError(f"the weight {name} is not in the converted program")
    return len(wanted)


def _predicted(made: MLModel, model: PreTrainedModel, tokens: int) -> float | None:
    """Largest difference of Core ML's logits from transformers', as a share of the largest logit; None on Linux."""
    if platform.system() != "Darwin":
        return None
    worst = 0.0
    for ids in torchprogram.samples(model, tokens, SAMPLES):
        wanted = torchprogram.reference(model, ids).numpy()
        answered = made.predict({made.get_spec().description.input[0].name: ids.numpy()})["logits"]
        worst = max(worst, float(numpy.abs(answered - wanted).max() / numpy.abs(wanted).max()))
    return worst
