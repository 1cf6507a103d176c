"""What the processes of a run hold: memory, descriptors and threads, as the system counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import psutil


class Held(NamedTuple):
    """Sums over some processes; `memory_mb` is resident memory that no other process shares."""

    memory_mb: float
    descriptors: int
    threads: int


def held(processes: Iterable[psutil.Process]) -> Held:
    """What they hold now; those that have ended hold nothing."""
    memory, descriptors, threads = 0.0, 0, 0
    for process in processes:
        try:
            full = process.memory_full_info()
            memory += getattr(full, "uss", full.rss) / 1e6
            descriptors += process.num_fds()
            threads += process.num_threads()
        except psutil.Error:
            continue
    return Held(memory, descriptors, threads)


def by_name(processes: Iterable[psutil.Process]) -> dict[str, float]:
    """Megabytes that each holds alone, by its title."""
    sizes = {}
    for process in processes:
        try:
            sizes[" ".join(process.cmdline()).strip()] = held([process]).memory_mb
        except psutil.Error:
            continue
    return sizes


def compared(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    """How far each has grown, in words."""
    return ", ".join(f"{name} {after[name] - before.get(name, 0.0):+.0f} MB" for name in after)


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that still run."""
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
