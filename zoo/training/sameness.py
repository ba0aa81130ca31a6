"""Matrices that hold one number only: what a save before the weights were filled, or a broken download, leaves.

Vectors do not count: norms are 1 and biases 0 in many good models. A single matrix of zeros may be meant, such as one
that was merged or padded; a model of nothing else never is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zoo.errors import ModelFileError
from zoo.modelfolder.weights import named

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def is_matrix(tensor: torch.Tensor) -> bool:
    """Whether a weight can have different numbers in every healthy model."""
    return tensor.is_floating_point() and tensor.dim() > 1 and tensor.numel() > 1


def judge(model: PreTrainedModel, same: Mapping[str, float], where: str) -> list[str]:
    """Sentences on the matrices of ``same``, which hold only the number that it has for each.

    Raises ModelFileError if no matrix of the model holds more than one number. where: the source, for messages.
    """
    # Tied weights are one.
    every = {tensor.data_ptr(): (name, tensor) for name, tensor in reversed(model.state_dict().items())}
    matrices = {name: tensor.numel() for name, tensor in every.values() if is_matrix(tensor)}
    zeros = [name for name in same if name in matrices and not same[name]]
    others = [name for name in same if name in matrices and same[name]]
    if matrices and len(zeros) + len(others) == len(matrices):
        what = "only zeros" if not others else "one number only"
        raise ModelFileError(
            f"All {len(matrices)} matrices of the weights hold {what}: {named([*zeros, *others])}", where=where,
            remedy="Fetch the weights again and compare their SHA-256 with the published one. If you saved them, save "
            "them again after they are filled",
        )  # fmt: skip
    total = sum(tensor.numel() for _, tensor in every.values())
    sentences = []
    for names, what in ((zeros, "zeros"), (others, "one number")):
        if names:
            share = sum(matrices[name] for name in names) / total
            verb = "matrix holds" if len(names) == 1 else "matrices hold"
            sentences.append(
                f"{len(names)} of {len(matrices)} {verb} only {what} ({100 * share:.2g} % of the weights): "
                f"{named(names)}. If that is not meant, fetch the weights again"
            )
    return sentences
