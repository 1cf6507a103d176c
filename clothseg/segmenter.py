"""Picture to garments in one call: weights, transforms, engine and matting together.

segmenter = Segmenter.load()
alpha, parts, probabilities = segmenter(cv2.imread("me.jpg"))
"""

import math
from pathlib import Path
from typing import NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.engines import Engine, EngineName, Precision, open_engine
from clothseg.matting.matting import Matting, matte
from clothseg.model_file import read_metadata
from clothseg.network.box import Box
from clothseg.network.checkpoint import DEFAULT_WEIGHTS, Metadata
from clothseg.network.roi import choose_region, crop, paste, region_sizes
from clothseg.network.transforms import network_size, to_network


class Segmentation(NamedTuple):
    """Segmentation of one picture.

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
        self.classes = metadata.class_map
        """The K classes, in the order of the planes of `probabilities`."""
        self.engine = engine

    @classmethod
    def load(
        cls,
        checkpoint: Path | str | None = None,
        engine: EngineName = "auto",
        precision: Precision = "auto",
        threads: int = 0,
    ) -> Self:
        """Load a model file (none: the weights that ship) on an engine; `threads` 0 means all cores.

        Raises as `engines.open_engine`.
        """
        weights = DEFAULT_WEIGHTS if checkpoint is None else Path(checkpoint)
        opened = open_engine(weights, engine, precision, threads)
        return cls(read_metadata(weights), opened)

    def probabilities(
        self, picture: NDArray[np.uint8], box: Box | None = None, detail: float = 1.0
    ) -> NDArray[np.uint8]:
        """Class probabilities (K, h, w) uint8, 0 to 255, of a picture (H, W, 3) uint8 BGR, at its aspect.

        `box` says where the people were lately: the network then sees that region, quicker and at a larger scale; and
        the full frame where no one is found there or a person reaches out of it. With `detail` below 1 it gets at
        most that share of its usual pixels, in less time; its output is enlarged, so that (h, w) stay. A model of one
        fixed size is always given all of the picture, at that size.
        Raises ValueError for a picture of any other shape or type.
        """
        height, width = _checked(picture).shape[:2]
        area_px, multiple_px = self._metadata.area_px, self._metadata.multiple_px
        if self.engine.size is not None:
            return self._infer(picture, self.engine.size)
        full = network_size(height, width, area_px, multiple_px)
        part = choose_region(box, full, multiple_px)
        if part is not None and math.prod(part.size) <= detail * math.prod(full):
            pasted = paste(self._infer(crop(picture, part, full), part.size), part, full)
            if pasted is not None:
                return pasted
        size = network_size(height, width, round(area_px * detail), multiple_px)
        planes = self._infer(picture, size)
        if size == full:
            return planes
        return np.stack([cv2.resize(plane, full[::-1], interpolation=cv2.INTER_LINEAR) for plane in planes])

    def _infer(self, picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        planes: NDArray[np.uint8] = self.engine(to_network(picture, size)[None])[0]
        return planes

    def warm_up(self, height: int, width: int) -> None:
        """Make ready for every view of pictures of this size, from any thread: else the first of each takes seconds."""
        full = network_size(height, width, self._metadata.area_px, self._metadata.multiple_px)
        views = (
            (full, *region_sizes(full, self._metadata.multiple_px)) if self.engine.size is None else (self.engine.size,)
        )
        for h, w in views:
            self.engine.prepare((1, h, w, 3))

    def __call__(self, image: NDArray[np.uint8]) -> Segmentation:
        """Segment an image (H, W, 3) uint8 BGR at its full size. Raises ValueError for any other array."""
        planes = self.probabilities(image)
        full = matte(planes, image, self.classes, Matting())
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
