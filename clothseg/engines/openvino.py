"""OpenVINO, the default on CPUs: runs IR and ONNX files, and our networks, exported once without torch."""

import functools
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from clothseg.engines.cache import exported, fingerprint
from clothseg.engines.graph import read_weights

Array = NDArray[Any]

# Compiled sizes kept: a camera has one for each view (`clothseg.network.roi`), and each costs some 30 MB.
_LARGEST_SIZES: Final = 8
# Key under which an int8 model stores which weights it was made from.
FINGERPRINT: Final = ["clothseg", "weights_sha256"]

_HINTS: Final = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


class OpenvinoRuntime:
    """Runs a model at whatever size comes, compiled at the first of each size. One caller at a time."""

    name: Final = "openvino"

    def __init__(
        self, model: ov.Model, precision: str, threads: int, description: str, cache: Path | None = None
    ) -> None:
        """`cache`: a folder where compiled models outlive the process; OpenVINO checks what it finds there."""
        self.precision, self.description = precision, description
        self._model = model
        (entry, *others), shape = model.inputs, model.inputs[0].partial_shape
        if others:
            raise ValueError(f"expected a model with one input, got {len(others) + 1}")
        self.input_shape = tuple(side.get_length() if side.is_static else None for side in shape)
        self.takes_bytes = entry.element_type == ov.Type.u8
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

    def __call__(self, batch: Array) -> Array:
        """Run the model: its input to its first output."""
        request = self._request(batch.shape)
        output: Array = request.infer(np.ascontiguousarray(batch), share_inputs=True)[0]
        return output

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        """Compile for batches of this shape."""
        self._request(shape)

    @property
    def compiled_sizes(self) -> int:
        """Number of input shapes compiled at present."""
        return self._request.cache_info().currsize

    def _compile(self, shape: tuple[int, ...]) -> Any:
        model = self._model.clone()
        if None in self.input_shape:
            model.reshape(list(shape))
        return ov.Core().compile_model(model, "CPU", self._options).create_infer_request()


def read_model(path: Path) -> ov.Model:
    """The model in an OpenVINO IR or ONNX file. Raises ValueError where it cannot be read."""
    try:
        return ov.Core().read_model(path)
    except RuntimeError:
        raise ValueError(f"{path.name} is not a readable OpenVINO model; get or export it again") from None


def exported_model(weights: Path) -> tuple[ov.Model, str]:
    """Return one of our networks in float32, from the cache of exports, and why it could not be cached, if so."""
    from clothseg.engines.export_openvino import model_of

    def write(path: Path) -> None:
        ov.save_model(model_of(read_weights(weights)), path, compress_to_fp16=False)

    try:
        return read_model(exported(weights, "model.xml", ov.__version__, write)), ""
    except OSError as refusal:
        return model_of(read_weights(weights)), str(refusal)


def int8_path(weights: Path) -> Path:
    """Return the path of these weights' int8 model: beside them."""
    return weights.with_suffix(".int8.xml")


def read_int8(weights: Path) -> ov.Model:
    """The int8 model that lies beside the weights.

    Raises FileNotFoundError where none does, ValueError where it is damaged or was made from other weights.
    """
    path = int8_path(weights)
    remedy = f"make it with clothseg export int8 {weights.name}"
    if not path.is_file() or not path.with_suffix(".bin").is_file():
        raise FileNotFoundError(f"{path.name} or its .bin is not beside the weights; {remedy}")
    try:
        model = read_model(path)
    except ValueError:
        raise ValueError(f"{path.name} is not a readable OpenVINO model; {remedy}") from None
    made_from = model.get_rt_info(FINGERPRINT).astype(str) if model.has_rt_info(FINGERPRINT) else ""
    if made_from != fingerprint(weights):
        raise ValueError(f"{path.name} was made from other weights; {remedy}")
    return model
