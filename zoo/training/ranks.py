"""Several processes that train one student: which rows are whose, and sums over all of them.

Every process has the same weights, or its share of them, and the same schedule. A step's rows are dealt to the
processes; each divides its losses by the assistant tokens of the whole step, and the gradients are added up (not
averaged), so the result is that of one process, apart from the order of the sums.
"""

# No annotations of the future: torch compares those of a hook with its own classes.
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from zoo.training.shares import shard


@dataclass(frozen=True)
class Ranks:
    """rank: the number of this process, from 0, of ``world`` processes. Without others there is no communication.

    sharded: each keeps its share of the weights (``zoo.training.shares``) instead of all of them.
    """

    rank: int = 0
    world: int = 1
    sharded: bool = False

    def total(self, value: float, device: str) -> float:
        """The sum of every process's ``value``."""
        if self.world == 1:
            return value
        sum_ = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(sum_)
        return float(sum_)

    def same(self, value: int, device: str) -> bool:
        """Whether every process has this ``value``; all get the same answer."""
        mean = self.total(value, device) / self.world
        return self.total(abs(value - mean), device) == 0

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            distributed.barrier()

    def joined(self, module: torch.nn.Module, layers: Iterable[torch.nn.Module], device: str) -> torch.nn.Module:
        """The module whose gradients are the sums over all processes. The parameters of one in shares are others."""
        if self.world == 1:
            return module
        if self.sharded:
            shard(module, layers, device)
            return module
        wrapped = DistributedDataParallel(module)
        wrapped.register_comm_hook(None, _summed)
        return wrapped


ALONE = Ranks()


def apart(module: torch.nn.Module, *, apart: bool) -> AbstractContextManager[None]:
    """Within it, gradients stay in this process: the next backward pass outside adds them up as well."""
    if apart and isinstance(module, DistributedDataParallel):
        return module.no_sync()
    return nullcontext()


def _summed(
    _: object,
    bucket: distributed.GradBucket,  # type: ignore[name-defined]  # of torch's compiled part
) -> torch.futures.Future[torch.Tensor]:
    """torch's own would divide by the number of processes, but the denominator is already that of the whole step."""
    done = distributed.all_reduce(bucket.buffer(), async_op=True).get_future()
    made: torch.futures.Future[torch.Tensor] = done.then(lambda found: found.value()[0])
    return made
