"""U2Net on OpenVINO: the default on CPUs, built from the weights without torch, or read where it is int8."""

import functools
import hashlib
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino as ov
import platformdirs
from numpy.typing import NDArray
from openvino import opset13 as op

from clothseg.engines.graph import Array, Convolution, Weights, build

# Compiled sizes kept: a camera has one for each view (`clothseg.network.roi`), and each costs some 30 MB.
_LARGEST_SIZES: Final = 8
# Compiled models kept on disk, 3 to 10 MB each.
_LARGEST_CACHE: Final = 16
# Where an int8 model says which weights it was made from.
FINGERPRINT: Final = ["clothseg", "weights_sha256"]

_HINTS: Final = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


class OpenvinoEngine:
    """Runs a model at whatever size comes, compiled at the first of each size. One caller at a time."""

    name: Final = "openvino"

    def __init__(
        self, model: ov.Model, precision: str, threads: int, description: str, cache: Path | None = None
    ) -> None:
        """`cache`: a folder where compiled models outlive the process; OpenVINO checks what it finds there."""
        self.precision, self.description = precision, description
        self._model = model
        self._options = {
            **({} if cache is None else {"CACHE_DIR": str(cache)}),
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            # Several stages share the cores: the system, not each worker for itself, places the threads.
            "ENABLE_CPU_PINNING": False,
        }
        self._request = functools.lru_cache(maxsize=_LARGEST_SIZES)(self._compile)

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pictures (B, h, w, 3) uint8 BGR to class probabilities (B, K, h, w) uint8, 0..255."""
        request = self._request(batch.shape)
        probabilities: NDArray[np.uint8] = request.infer(np.ascontiguousarray(batch), share_inputs=True)[0]
        return probabilities

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        """Compile for batches of this shape."""
        self._request(shape)

    @property
    def sizes_held(self) -> int:
        """How many input shapes are compiled at present."""
        return self._request.cache_info().currsize

    def _compile(self, shape: tuple[int, ...]) -> Any:
        model = self._model.clone()
        model.reshape(list(shape))
        return ov.Core().compile_model(model, "CPU", self._options).create_infer_request()


def cache_folder() -> Path:
    """The user's own folder of compiled models, the oldest beyond a bound removed. Raises OSError if unwritable."""
    folder = platformdirs.user_cache_path("clothseg") / "openvino"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} is not writable")
    blobs = sorted(folder.glob("*.blob"), key=lambda blob: blob.stat().st_mtime)
    for blob in blobs[:-_LARGEST_CACHE]:
        blob.unlink(missing_ok=True)
    return folder


def model_of(weights: Weights) -> ov.Model:
    """The network in float32, from (B, h, w, 3) uint8 BGR to (B, K, h, w) uint8, B, h and w open."""
    operators = _Openvino()
    output = build(operators, weights)
    output.node.set_friendly_name("probabilities")
    return ov.Model([output], [operators.pictures], weights.metadata.architecture)


class _Openvino:
    """The operators in OpenVINO's opset."""

    def __init__(self) -> None:
        self.pictures = op.parameter([-1, -1, -1, 3], np.uint8, "pictures")

    def enter(self, mean: Array, stem: int) -> Any:
        planes = op.transpose(self.pictures, np.array([0, 3, 1, 2]))
        if stem > 1:
            planes = op.space_to_depth(planes, "depth_first", stem)
        means = np.repeat(mean, stem**2).reshape(1, -1, 1, 1)
        return op.subtract(op.convert(planes, "f32"), means).output(0)

    def convolve(self, x: Any, layer: Convolution) -> Any:
        pad = [layer.dilation * (layer.weight.shape[-1] // 2)] * 2
        strides, dilations = [layer.stride] * 2, [layer.dilation] * 2
        # As constants: the operators would take an array apart into Python numbers.
        if layer.depthwise:
            sums = op.group_convolution(x, ov.op.Constant(layer.weight[:, None]), strides, pad, pad, dilations)
        else:
            sums = op.convolution(x, ov.op.Constant(layer.weight), strides, pad, pad, dilations)
        sums.set_friendly_name(layer.name)
        if layer.bias.any():
            sums = op.add(sums, layer.bias.reshape(1, -1, 1, 1))
        if layer.activation == "relu6":
            return op.clamp(sums, 0.0, 6.0).output(0)
        return (op.relu(sums) if layer.activation == "relu" else sums).output(0)

    def pool(self, x: Any) -> Any:
        # One row and column of padding, rounded down, is "ceil" that also takes a side of one pixel.
        return op.max_pool(x, [2, 2], [1, 1], [0, 0], [1, 1], [2, 2], "floor").output(0)

    def resize(self, x: Any, like: Any) -> Any:
        size = op.gather(op.shape_of(like), np.array([2, 3]), np.array(0))
        return op.interpolate(x, size, "linear_onnx", "sizes", axes=np.array([2, 3])).output(0)

    def join(self, x: Any, y: Any) -> Any:
        return op.concat([x, y], 1).output(0)

    def add(self, x: Any, y: Any) -> Any:
        return op.add(x, y).output(0)

    def leave(self, logits: Any, stem: int) -> Any:
        if stem > 1:
            logits = op.depth_to_space(logits, "depth_first", stem)
        scaled = op.multiply(op.softmax(logits, 1), np.float32(255))
        return op.convert(op.floor(op.add(scaled, np.float32(0.5))), "u8").output(0)


def int8_path(weights: Path) -> Path:
    """Where the int8 model of these weights lies: beside them."""
    return weights.with_suffix(".int8.xml")


def fingerprint(weights: Path) -> str:
    """What ties an int8 model to the weights it was made from: their SHA-256."""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_int8(weights: Path) -> ov.Model:
    """The int8 model that lies beside the weights.

    Raises FileNotFoundError where none does, ValueError where it is damaged or was made from other weights.
    """
    path = int8_path(weights)
    remedy = f"make it with tools/export.py int8 {weights.name}"
    if not path.is_file() or not path.with_suffix(".bin").is_file():
        raise FileNotFoundError(f"{path.name} or its .bin is not beside the weights; {remedy}")
    try:
        model = ov.Core().read_model(path)
    except RuntimeError:
        raise ValueError(f"{path.name} is not a readable OpenVINO model; {remedy}") from None
    made_from = model.get_rt_info(FINGERPRINT).astype(str) if model.has_rt_info(FINGERPRINT) else ""
    if made_from != fingerprint(weights):
        raise ValueError(f"{path.name} was made from other weights; {remedy}")
    return model
