"""Anything that runs a model file: OpenVINO, ONNX Runtime and torch behind one call.

All take pictures as they are (uint8 BGR at the network's size) and give probabilities as they travel (uint8).
"""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clothseg.engines.adapter import Adapter, Runtime
from clothseg.engines.choice import EngineChoice, EngineName, Precision, choose_engine, this_host
from clothseg.engines.graph import read_weights
from clothseg.model_file import read_metadata

__all__ = ["Engine", "EngineName", "Precision", "open_engine"]


class Engine(Protocol):
    """A network that is ready to run. One caller at a time."""

    @property
    def name(self) -> str:
        """`openvino`, `onnxruntime` or `torch`."""

    @property
    def precision(self) -> str:
        """`fp32`, `bf16`, `fp16` or `int8`."""

    @property
    def description(self) -> str:
        """One line for people: what runs, with how many threads, and why."""

    @property
    def size(self) -> tuple[int, int] | None:
        """The only (h, w) it takes; None: any multiple of the metadata's `multiple_px`."""

    def __call__(self, batch: NDArray[np.uint8], /) -> NDArray[np.uint8]:
        """Pictures (B, h, w, 3) uint8 BGR to probabilities (B, K, h, w) uint8, 0..255, of the file's `class_map`."""

    def prepare(self, shape: tuple[int, int, int, int], /) -> None:
        """Make ready for batches of this shape, where that takes time; any thread may, while another calls it."""


def open_engine(model: Path, name: EngineName, precision: Precision, threads: int) -> Engine:
    """Open a model file on the engine asked for; `auto` is CUDA where there is, else OpenVINO at the CPU's best.

    `threads` bounds the cores it uses, 0: all it may. Raises FileNotFoundError without a file, ValueError where it
    is unknown how to run it or the host cannot do what was asked, ModuleNotFoundError without the engine's package.
    """
    if threads < 0:
        raise ValueError(f"expected threads of at least 0 (all cores), got {threads}")
    metadata = read_metadata(model)
    choice = choose_engine(name, precision, this_host(), model.suffix)
    threads = threads or _cores()
    return Adapter(_open(model, choice, precision, threads), metadata)


def _open(model: Path, choice: EngineChoice, requested: Precision, threads: int) -> Runtime:
    if choice.engine == "openvino":
        return _open_openvino(model, choice, requested, threads)
    if choice.engine == "onnxruntime":
        from clothseg.engines import onnxruntime

        content = onnxruntime.exported_model(model) if model.suffix == ".safetensors" else model
        return onnxruntime.OnnxruntimeRuntime(content, threads, _describe(choice, threads))
    from clothseg.engines.torch import TorchRuntime

    read_weights(model)  # rejects what torch would accept
    return TorchRuntime(model, choice.precision, threads, _describe(choice, threads))


def _open_openvino(model: Path, choice: EngineChoice, requested: Precision, threads: int) -> Runtime:
    from clothseg.engines.cache import compiled_folder
    from clothseg.engines.openvino import OpenvinoRuntime, exported_model, read_int8, read_model

    read, cache_error = None, ""
    if choice.precision == "int8":
        try:
            read = read_int8(model)
        except (FileNotFoundError, ValueError) as error:
            if requested == "int8":
                raise
            choice = EngineChoice("openvino", "fp32", f"{choice.reason}, but {error}")
    if read is None:
        read, cache_error = exported_model(model) if model.suffix == ".safetensors" else (read_model(model), "")
    cache = None
    try:
        cache = compiled_folder()
    except OSError as error:
        cache_error = str(error)
    description = _describe(choice, threads)
    if cache_error:
        description += f"; compiled models are not cached: {cache_error}"
    return OpenvinoRuntime(read, choice.precision, threads, description, cache)


def _describe(choice: EngineChoice, threads: int) -> str:
    count = f"{threads} thread{'s' if threads > 1 else ''}"
    return f"{choice.engine} {choice.precision}, {count}: {choice.reason}"


def _cores() -> int:
    """Cores this process may use: fewer than the machine has in a container or under taskset."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
