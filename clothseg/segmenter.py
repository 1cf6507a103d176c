"""Picture to garments in one call: weights, transforms, engine and matting together.

segmenter = Segmenter.load()
alpha, parts, probabilities = segmenter(cv2.imread("me.jpg"))
"""

from pathlib import Path
from typing import NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.checkpoint import DEFAULT_WEIGHTS, Metadata, read_metadata
from clothseg.engines import Engine, EngineName, Precision, open_engine
from clothseg.matting import Matting, matte
from clothseg.transforms import network_size, to_network


class Segmentation(NamedTuple):
    """What is where in one picture.

    alpha: (H, W) uint8, the person's share of each pixel, 0 to 255.
    parts: (H, W) uint8, index in `Segmenter.classes`.
    probabilities: (K, h, w) float32 at the network's size, 0 to 1, they sum to 1 but for rounding to 1/255.
    """

    alpha: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


class Segmenter:
    """A loaded network. Keeps nothing of the pictures it saw. One caller at a time."""

    def __init__(self, metadata: Metadata, engine: Engine) -> None:
        self._metadata = metadata
        self.engine = engine

    @classmethod
    def load(
        cls,
        checkpoint: Path | str | None = None,
        engine: EngineName = "auto",
        precision: Precision = "auto",
        threads: int = 0,
    ) -> Self:
        """Load weights (.safetensors; none: those that ship) on an engine; `threads` 0 means all cores.

        Raises as `engines.open_engine`.
        """
        weights = DEFAULT_WEIGHTS if checkpoint is None else Path(checkpoint)
        opened = open_engine(weights, engine, precision, threads)
        return cls(read_metadata(weights), opened)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the K classes, the background first."""
        return self._metadata.classes

    def probabilities(self, picture: NDArray[np.uint8], detail: float = 1.0) -> NDArray[np.uint8]:
        """Class probabilities (K, h, w) uint8, 0 to 255, of a picture (H, W, 3) uint8 BGR, at its aspect.

        With `detail` below 1 the network is given that share of its usual pixels, in less time; what it says is
        enlarged, so that (h, w) stay. Raises ValueError for any other shape or type.
        """
        height, width = _checked(picture).shape[:2]
        area_px, multiple_px = self._metadata.area_px, self._metadata.multiple_px
        h, w = network_size(height, width, area_px, multiple_px)
        size = network_size(height, width, round(area_px * detail), multiple_px)
        planes: NDArray[np.uint8] = self.engine(to_network(picture, size)[None])[0]
        if size == (h, w):
            return planes
        return np.stack([cv2.resize(plane, (w, h), interpolation=cv2.INTER_LINEAR) for plane in planes])

    def __call__(self, image: NDArray[np.uint8]) -> Segmentation:
        """Segment an image (H, W, 3) uint8 BGR at its full size. Raises ValueError for any other array."""
        planes = self.probabilities(image)
        full = matte(planes, image, Matting())
        return Segmentation(full.alpha, full.parts, np.divide(planes, 255, dtype=np.float32))


def _checked(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if not isinstance(picture, np.ndarray):
        raise ValueError(f"expected an image as a numpy array, got {type(picture).__name__}; was the file read?")
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
        remedy = {2: "cv2.COLOR_GRAY2BGR", 4: "cv2.COLOR_BGRA2BGR"}.get(
            2 if picture.ndim == 2 else picture.shape[-1] if picture.ndim == 3 else 0
        )
        hint = f"convert it with cv2.cvtColor(image, {remedy})" if remedy else "convert it first"
        raise ValueError(
            f"expected an image of shape (H, W, 3), uint8, BGR, got {picture.shape} {picture.dtype}; {hint}"
        )
    return picture
