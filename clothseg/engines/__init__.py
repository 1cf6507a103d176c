"""One network, several runtimes: OpenVINO, ONNX Runtime and torch behind one call.

All take pictures as they are (uint8 BGR at the network's size) and give probabilities as they travel (uint8).
"""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clothseg.engines.choice import Choice, EngineName, Precision, choose, this_host
from clothseg.engines.graph import Weights, read_weights

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

    def __call__(self, batch: NDArray[np.uint8], /) -> NDArray[np.uint8]:
        """Pictures (B, h, w, 3) uint8 BGR to class probabilities (B, K, h, w) uint8, 0..255.

        h and w are multiples of the network's stem.
        """

    def prepare(self, shape: tuple[int, int, int, int], /) -> None:
        """Make ready for batches of this shape, where that takes time; any thread may, while another calls it."""


def open_engine(weights: Path, name: EngineName, precision: Precision, threads: int) -> Engine:
    """Open weights on the engine asked for; `auto` is CUDA where there is, else OpenVINO at the CPU's best.

    `threads` bounds the cores it uses, 0: all it may. Raises FileNotFoundError without weights, ValueError
    where they are not a U2Net of ours or the host cannot do what was asked, ModuleNotFoundError without the
    engine's package.
    """
    if threads < 0:
        raise ValueError(f"expected threads of at least 0 (all cores), got {threads}")
    content = read_weights(weights)
    choice = choose(name, precision, this_host())
    threads = threads or _cores()
    if choice.engine == "openvino":
        return _open_openvino(content, choice, precision, threads)
    if choice.engine == "onnxruntime":
        from clothseg.engines.onnxruntime import OnnxruntimeEngine, model_of

        return OnnxruntimeEngine(model_of(content), threads, _describe(choice, threads))
    from clothseg.engines.torch import TorchEngine

    return TorchEngine(weights, choice.precision, threads, _describe(choice, threads))


def _open_openvino(content: Weights, choice: Choice, asked: Precision, threads: int) -> Engine:
    from clothseg.engines.openvino import OpenvinoEngine, cache_folder, model_of, read_int8

    model = None
    if choice.precision == "int8":
        try:
            model = read_int8(content.path)
        except (FileNotFoundError, ValueError) as refusal:
            if asked == "int8":
                raise
            choice = Choice("openvino", "fp32", f"{choice.reason}, but {refusal}")
    description, cache = _describe(choice, threads), None
    try:
        cache = cache_folder()
    except OSError as refusal:
        description += f"; every start compiles anew, for the cache failed: {refusal}"
    model = model_of(content) if model is None else model
    return OpenvinoEngine(model, choice.precision, threads, description, cache)


def _describe(choice: Choice, threads: int) -> str:
    count = f"{threads} thread{'s' if threads > 1 else ''}"
    return f"{choice.engine} {choice.precision}, {count}: {choice.reason}"


def _cores() -> int:
    """Cores this process may use: fewer than the machine has in a container or under taskset."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
