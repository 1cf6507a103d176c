"""U2Net on torch: CUDA at fp16, and the reference on CPUs to which the other engines are held."""

from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray

from clothseg.network.checkpoint import load
from clothseg.network.u2net import ARCHITECTURES, PictureToProbabilities, U2Net, load_original

_DTYPES: Final = {"fp32": torch.float32, "fp16": torch.float16}


class TorchRuntime:
    """Runs the network that was trained, as it was trained. One caller at a time."""

    name: Final = "torch"
    input_shape: Final = (None, None, None, 3)
    takes_bytes: Final = True

    def __init__(self, weights: Path, precision: str, threads: int, description: str) -> None:
        self.precision, self.description = precision, description
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_num_threads(threads)
        metadata, state = load(weights)
        network = U2Net(ARCHITECTURES[metadata.architecture], len(metadata.planes))
        load_original(network, state)
        inference = PictureToProbabilities(network, metadata.mean, metadata.std).eval()
        self._run = inference.to(self._device, _DTYPES[precision])
        torch.nn.utils.convert_conv2d_weight_memory_format(self._run, torch.channels_last)

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pictures (B, h, w, 3) uint8 BGR to class probabilities (B, K, h, w) uint8, 0..255."""
        with torch.inference_mode():
            pictures = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
            probabilities = cast(torch.Tensor, self._run(pictures)).contiguous().cpu().numpy()
        return cast(NDArray[np.uint8], probabilities)

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        """Nothing: torch takes every size."""
