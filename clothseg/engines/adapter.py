"""Any segmentation model behind the one call of an engine: colours, layout, activation and classes become ours."""

from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.network.checkpoint import Metadata

Array = NDArray[Any]


class Runtime(Protocol):
    """A model file that is ready to run, with inputs as its maker defined them. One caller at a time."""

    @property
    def name(self) -> str: ...

    @property
    def precision(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the input; None for a side that is dynamic."""

    @property
    def takes_bytes(self) -> bool:
        """uint8 in and out: pictures as they are, and probabilities as they travel."""

    def __call__(self, batch: Array, /) -> Array:
        """Run the model: its input to its first output."""

    def prepare(self, shape: tuple[int, int, int, int], /) -> None:
        """Make ready for batches of this shape."""


class Adapter:
    """An `Engine` over a runtime, by the file's metadata."""

    def __init__(self, runtime: Runtime, metadata: Metadata) -> None:
        """Raises ValueError where the file takes no pictures of three colours."""
        self._run, self._metadata = runtime, metadata
        self.name, self.precision, self.description = runtime.name, runtime.precision, runtime.description
        shape = runtime.input_shape
        if len(shape) != 4 or 3 not in (shape[1], shape[3]):
            raise ValueError(f"expected a model of pictures (B, 3, h, w) or (B, h, w, 3), got one of {shape}")
        self._planes_first = shape[1] == 3 and not runtime.takes_bytes
        sides = shape[2:] if self._planes_first else shape[1:3]
        self.size = None if None in sides else (int(sides[0] or 0), int(sides[1] or 0))
        self._in_order = metadata.planes == tuple((k,) for k in range(len(metadata.planes)))
        self._order = [planes[0] for planes in metadata.planes]
        # One multiplication and one sum for each pixel: (x / 255 − mean) / std.
        self._scale = np.array([1 / (255 * s) for s in metadata.std], np.float32)
        self._shift = np.array([m / s for m, s in zip(metadata.mean, metadata.std, strict=True)], np.float32)

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pictures (B, h, w, 3) uint8 BGR to class probabilities (B, K, h, w) uint8, 0..255."""
        if self._run.takes_bytes:
            planes: NDArray[np.uint8] = self._run(batch)
            return planes if self._in_order else planes[:, self._order]
        shares = self._shares(self._run(self._entering(batch)))
        return np.stack([_at_size(one, batch.shape[1:3]) for one in shares])

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        """Make ready for batches of pictures of this shape."""
        b, h, w, c = shape
        self._run.prepare((b, c, h, w) if self._planes_first else shape)

    def _entering(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        colours = batch[..., ::-1] if self._metadata.channels == "rgb" else batch
        entering = colours * self._scale - self._shift
        return np.ascontiguousarray(entering.transpose(0, 3, 1, 2) if self._planes_first else entering)

    def _shares(self, output: Array) -> NDArray[np.float32]:
        """The probabilities (B, K, h', w'), 0..1, in an output of as many planes as the file has labels."""
        count = sum(len(planes) for planes in self._metadata.planes)
        planes = _planes_first(output, count, one_map=count == 2 and self._metadata.activation != "softmax")
        match self._metadata.activation:
            case "softmax":
                planes = np.exp(planes - planes.max(1, keepdims=True))
                planes /= planes.sum(1, keepdims=True)
            case "sigmoid":
                planes = np.reciprocal(1 + np.exp(-np.maximum(planes, -80)))
        if planes.shape[1] < count:  # one map alone: what is not the person is the background
            planes = np.concatenate([1 - planes, planes], 1)
        return np.stack([planes[:, list(of)].sum(1) for of in self._metadata.planes], 1)


def _planes_first(output: Array, count: int, one_map: bool) -> NDArray[np.float32]:
    """An output as (B, planes, h, w) float32; ValueError where it holds neither `count` planes nor `one_map`."""
    for planes in (count, 1) if one_map else (count,):
        for at in (1, -1):
            if output.ndim == 4 and output.shape[at] == planes:
                return np.asarray(np.moveaxis(output, at, 1), np.float32)
    raise ValueError(
        f"expected an output of {count} planes, as the model's labels say, got {output.shape}; "
        "name each plane once, in order (docs/models.md)"
    )


def _at_size(shares: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Probabilities (K, h', w') at `size` (h, w) as uint8."""
    planes = [cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) for plane in shares]
    return np.asarray(np.clip(np.stack(planes) * 255 + _ROUND, 0, 255), np.uint8)


_ROUND: Final = np.float32(0.5)
