"""Several processes, on one host or more, that train one network: what `torchrun` starts."""

import os
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn


class ProcessGroup(NamedTuple):
    """This process's place among all that train together."""

    rank: int
    size: int


def join_process_group() -> ProcessGroup:
    """Join the processes `torchrun` started; alone, a team of one."""
    if "WORLD_SIZE" not in os.environ:
        return ProcessGroup(0, 1)
    dist.init_process_group("gloo")
    return ProcessGroup(dist.get_rank(), dist.get_world_size())


def all_reduce_gradients(network: nn.Module, group: ProcessGroup) -> None:
    """Replace each gradient by its mean over the team, so that all take the same step."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    if group.size == 1 or not gradients:
        return
    together = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(together)
    together /= group.size
    start = 0
    for gradient in gradients:
        gradient.copy_(together[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


def all_reduce_mean(value: float, group: ProcessGroup) -> float:
    """The mean of a number over the team; not a number where it is not one anywhere."""
    if group.size == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(shared)
    return float(shared) / group.size
