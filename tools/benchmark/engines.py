"""The network alone on every engine and precision this host offers, in turns within one run."""

import time
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.engines import Engine, EngineName, Precision, open_engine
from clothseg.network.checkpoint import DEFAULT_WEIGHTS, read_metadata
from clothseg.network.transforms import network_size, to_network
from tools.benchmark.end_to_end import Percentiles

KINDS: tuple[tuple[EngineName, Precision], ...] = (
    ("openvino", "bf16"),
    ("openvino", "int8"),
    ("openvino", "fp32"),
    ("onnxruntime", "fp32"),
    ("torch", "fp32"),
)


class EngineTime(msgspec.Struct, frozen=True, kw_only=True):
    """A network's time a frame; why it could not run, where it could not."""

    engine: str
    precision: str
    threads: int
    ms: Percentiles | None = None
    cpu_ms: float | None = None
    refusal: str | None = None


def measure(picture: NDArray[np.uint8], rounds: int, threads: int) -> list[EngineTime]:
    """Each engine with so many threads, on one picture (H, W, 3) uint8 BGR, `rounds` times in turns."""
    metadata = read_metadata(DEFAULT_WEIGHTS)
    height, width = picture.shape[:2]
    size = network_size(height, width, metadata.area_px, metadata.multiple_px)
    batch = to_network(picture, size)[None]
    opened: dict[tuple[str, str], Engine] = {}
    measured: list[EngineTime] = []
    for name, precision in KINDS:
        try:
            opened[name, precision] = engine = open_engine(DEFAULT_WEIGHTS, name, precision, threads)
        except (ValueError, ModuleNotFoundError) as error:
            measured.append(EngineTime(engine=name, precision=precision, threads=threads, refusal=str(error)))
            continue
        for _ in range(3):
            engine(batch)
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in opened}
    for _ in range(rounds):
        for key, engine in opened.items():
            taken[key].append(_timed(engine, batch))
    return measured + [
        EngineTime(
            engine=key[0],
            precision=key[1],
            threads=threads,
            ms=Percentiles.of([wall for wall, _ in times]),
            cpu_ms=round(float(np.mean([cpu for _, cpu in times])), 2),
        )
        for key, times in taken.items()
    ]


def _timed(engine: Engine, batch: NDArray[Any]) -> tuple[float, float]:
    cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
    engine(batch)
    return (time.perf_counter_ns() - wall_ns) / 1e6, (time.process_time_ns() - cpu_ns) / 1e6
