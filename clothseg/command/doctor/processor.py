"""What a network is computed with: cores, instruction sets, memory, and the engine that `auto` takes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from clothseg.command.doctor.finding import Finding

_SETS: Final = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "AMX": ("amx_tile",),
}
"""What engines choose by, and the flags of Linux that tell it."""
_LEAST_MB: Final = 1500  # a 720p stream takes 1.1 GB (docs/performance.md)
_PICTURE: Final = (480, 640, 3)
_COUNTED: Final = 5  # pictures that are timed


def processor() -> Iterator[Finding]:
    """Cores, instruction sets, memory, engine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", "ok", f"{cores} of {os.cpu_count()} may be used: {_model()}")
    yield instruction_sets(_cpuinfo("flags").split())
    yield memory(_available_mb())
    yield cuda()
    yield engine()


def instruction_sets(flags: list[str]) -> Finding:
    """Which of the sets that make networks quick there are."""
    there = [name for name, signs in _SETS.items() if set(signs) & set(flags)]
    lacking = [name for name in _SETS if name not in there]
    found = f"{', '.join(there) or 'none that is known'}{'; not ' + ', '.join(lacking) if lacking else ''}"
    if flags and "VNNI" not in there and "AMX" not in there:
        advice = "where the network is too slow, live frames go ahead of their masks; fewer and smaller cameras help"
        return Finding("instruction sets", "ok", found, advice)
    return Finding("instruction sets", "ok", found)


def memory(available_mb: int | None) -> Finding:
    """Whether there is enough for one stream."""
    if available_mb is None:
        return Finding("memory", "ok", "this system does not tell")
    if available_mb >= _LEAST_MB:
        return Finding("memory", "ok", f"{available_mb} MB free")
    advice = "a 720p stream takes 1100 MB: end something, or ask for smaller pictures (size_px)"
    return Finding("memory", "missing", f"{available_mb} MB free", advice)


def cuda() -> Finding:
    """Whether there is a GPU that can be used, and what that takes."""
    from clothseg.engines.choice import has_cuda_device, this_host

    if not has_cuda_device():
        return Finding("GPU", "ok", "no CUDA device: the CPU is used")
    if this_host().cuda:
        return Finding("GPU", "ok", "a CUDA device that PyTorch can use")
    advice = "pip install 'clothseg[gpu]'; where that is done, the driver is missing or too old: nvidia-smi says"
    return Finding("GPU", "missing", "a CUDA device that PyTorch cannot use: the CPU is used", advice)


def engine() -> Finding:
    """Load the network that ships on the engine that `auto` takes, and time it."""
    try:
        import numpy as np

        from clothseg.segmenter import Segmenter

        segmenter = Segmenter.load()
        picture = np.zeros(_PICTURE, np.uint8)
        first_s = _seconds(lambda: segmenter.probabilities(picture))
        each_s = min(_seconds(lambda: segmenter.probabilities(picture)) for _ in range(_COUNTED))
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        return Finding(
            "engine", "fatal", f"the network cannot be run: {error}", "pip install --force-reinstall clothseg"
        )
    return Finding(
        "engine",
        "ok",
        f"{segmenter.engine.description}; ready in {first_s:.1f} s, then {1000 * each_s:.0f} ms a picture",
    )


def _seconds(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def _model() -> str:
    import platform

    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(key: str) -> str:
    """The first value of `key` that Linux tells of the processor; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _available_mb() -> int | None:
    """Memory that may be taken: of the machine, or of the container where that is less. None: not told."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    machine_mb = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable"))
    try:
        most = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):  # no such bound, or `max`
        return machine_mb
    return min(machine_mb, (most - used) // 2**20)
