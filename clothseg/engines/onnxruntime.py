"""ONNX Runtime, for hosts that OpenVINO does not serve: runs ONNX files, and our networks, exported once."""

from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from clothseg.engines.cache import exported
from clothseg.engines.graph import read_weights

try:
    import onnxruntime
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"the onnxruntime engine needs the package {missing.name}; pip install 'clothseg[onnxruntime]'"
    ) from None

Array = NDArray[Any]

# CUDA where onnxruntime-gpu is installed.
_PROVIDERS: Final = ("CUDAExecutionProvider", "CPUExecutionProvider")


class OnnxruntimeRuntime:
    """Runs an ONNX file, or its content. One caller at a time."""

    name: Final = "onnxruntime"
    precision: Final = "fp32"

    def __init__(self, model: Path | bytes, threads: int, description: str) -> None:
        """Raises ValueError where the file cannot be read or takes more than one input."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads would take the cores from the other stages.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        here = onnxruntime.get_available_providers()
        providers = [provider for provider in _PROVIDERS if provider in here]
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers)
        except onnxruntime.capi.onnxruntime_pybind11_state.OnnxRuntimeException as error:
            raise ValueError(f"not an ONNX model that can be run ({error}); get or export it again") from None
        (entry, *others) = self._session.get_inputs()
        if others:
            raise ValueError(f"expected a model with one input, got {len(others) + 1}")
        self._entry = entry.name
        self.input_shape = tuple(side if isinstance(side, int) else None for side in entry.shape)
        self.takes_bytes = entry.type == "tensor(uint8)"
        self.description = f"{description} ({self._session.get_providers()[0]})"

    def __call__(self, batch: Array) -> Array:
        """Run the model: its input to its first output."""
        output: Array = self._session.run(None, {self._entry: batch})[0]
        return output

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        """Nothing: one session takes every size."""


def exported_model(weights: Path) -> Path | bytes:
    """Export one of our networks in float32, cached as a file where possible."""
    from clothseg.engines.export_onnx import model_of

    def write(path: Path) -> None:
        path.write_bytes(model_of(read_weights(weights)).SerializeToString())

    try:
        return exported(weights, "model.onnx", "", write)
    except OSError:
        content: bytes = model_of(read_weights(weights)).SerializeToString()
        return content
