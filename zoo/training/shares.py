"""Weights, gradients and moments in shares: every process keeps its own (fully sharded data parallel, FSDP2).

A layer is gathered for its forward pass, given up, gathered again for its gradient, and the gradient is then summed
straight into the shares. What lies outside the layers, the embedding and the output head, stays gathered from the
begin of a forward pass to the end of its gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch


def shard(module: torch.nn.Module, layers: Iterable[torch.nn.Module], device: str) -> None:
    """Leave this process its share of every weight of ``module``, whose ``layers`` are gathered one by one. Collective.

    The module may be on the CPU: each layer is moved to ``device`` when it is divided, so one GPU never has all
    weights. Gradients are then sums over all processes, not means: the denominator is that of the whole step.
    """
    # Half a second that a training without shares does not need; so below.
    from torch import distributed
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    mesh = init_device_mesh(torch.device(device).type, (distributed.get_world_size(),))
    for part in (*layers, module):
        fully_shard(part, mesh=mesh)
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            # gloo has no sum that multiplies first, which this factor would otherwise be.
            part.set_force_sum_reduction_for_comms(True)


def gathered(tensors: Mapping[str, torch.Tensor], *, keep: bool = True) -> dict[str, torch.Tensor]:
    """The complete tensors on the CPU, or none of them if this process has no use for them.

    Collective for tensors in shares, one after the other, so that only one is complete on a GPU.
    """
    found = {}
    for name, tensor in tensors.items():
        complete = entire(tensor.detach())
        if keep:
            found[name] = complete.cpu().contiguous()
    return found


def entire(tensor: torch.Tensor) -> torch.Tensor:
    """The complete tensor; collective for one in shares."""
    if not _in_shares(tensor):
        return tensor
    from torch.distributed.tensor import DTensor

    assert isinstance(tensor, DTensor)
    return tensor.full_tensor()


def divided_as(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """``value``, which every process has completely, as ``parameter`` is kept: on its device, and in such shares."""
    if not _in_shares(parameter):
        return value.to(parameter.device)
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(parameter, DTensor)
    shares = distribute_tensor(
        value.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )
    # Otherwise a share is a view that keeps the complete tensor in memory.
    return shares.clone()


def _in_shares(tensor: torch.Tensor) -> bool:
    return hasattr(tensor, "device_mesh")
