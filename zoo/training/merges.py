"""Where a trained adapter is merged, and the finished folder.

An adapter on a 4-bit base was trained on rounded weights. Merged into the float weights it gives a model without that
rounding, but it has also learnt to correct the rounding, which is then not there. Neither way is always the better one
(peft #2105, #2501), so both are made, and the better one on the held-out conversations is kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zoo.modelfolder.files import TOKENIZER
from zoo.training import precision
from zoo.training.adapters import dequantized, merge, preset_named
from zoo.training.heldout import Heldout, RowSums, difference, figures
from zoo.training.models import load_model, save_model
from zoo.training.objective import Job

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FLOAT, FOUR_BIT = "float", "four_bit"


@dataclass(frozen=True)
class Merges:
    """Both merges of one adapter. kept: ``float`` or ``four_bit``.

    difference_nats: per token, of the one into the 4-bit weights minus the one into the float weights, conversation by
    conversation; with its standard error. compared: the divergence from the teacher or, without one, the loss.
    """

    kept: str
    compared: str
    difference_nats: float
    difference_se_nats: float | None
    into_float: Heldout
    into_four_bit: Heldout


def finish(model: PreTrainedModel, student: Path, out: Path, job: Job, other: Path | None) -> None:
    """Write the finished folder, the tokenizer byte for byte the student's. other: of qlora, the folder of the merge
    into the weights that it was trained on; None to make none."""
    spec, preset = job.spec, preset_named(job.spec.preset)
    base = None if spec.adapter == "none" else load_model(student, torch.float32, "cpu")
    _write(merge(model, base, spec.adapter, preset), student, out)
    if spec.adapter == "qlora" and other:
        base = dequantized(load_model(student, torch.float32, "cpu"), student, preset, job.dtype, job.device)
        _write(merge(model, base, spec.adapter, preset), student, other)


def _write(merged: PreTrainedModel, student: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    save_model(merged, out, precision.kept(student))
    for name in (*TOKENIZER, "generation_config.json"):
        if (student / name).is_file():
            shutil.copyfile(student / name, out / name)


def keep_better(out: Path, other: Path, sums: Callable[[Path, str], RowSums]) -> tuple[Heldout, Merges]:
    """Measure both folders with ``sums``, and leave the better one in ``out``; the one in ``out`` if they are equal."""
    floating, rounded = sums(out, "held-out after"), sums(other, "held-out after, merged into 4 bits")
    found = difference(floating, rounded)
    kept = FOUR_BIT if found.mean < 0 else FLOAT
    if kept == FOUR_BIT:
        for path in other.iterdir():
            shutil.move(path, out / path.name)
    shutil.rmtree(other)
    compared = "kld" if floating.has_teacher else "loss"
    both = figures(floating), figures(rounded)
    merges = Merges(kept, compared, found.mean, found.se, *both)
    return both[kept == FOUR_BIT], merges


def worse(before: Heldout | None, after: Heldout | None, trained: str) -> str:
    """A sentence if a model is worse than the untrained one; "" if it is not, or if nothing was measured. trained: what
    was trained, as in ``trained student``."""
    if before is None or after is None:
        return ""
    what, first, last = "divergence from the teacher", before.kld_mean_nats, after.kld_mean_nats
    if first is None or last is None:
        what, first, last = "perplexity", before.perplexity, after.perplexity
    if first is None or last is None or last <= first:
        return ""
    return (
        f"the {trained} is worse than the untrained one on the held-out conversations: its {what} is {last:.4g}, "
        f"and was {first:.4g}. Try fewer steps, a lower learning rate, or another preset"
    )
