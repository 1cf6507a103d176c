"""Single pixels of a picture, where an edge is to be refined, in rows that OpenCV is quick on."""

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

ROW: Final = 512  # OpenCV is slow on columns


class SparsePixels(NamedTuple):
    """Some pixels of a picture of `size` (H, W), in rows of equal length; a few come twice.

    y, x: (rows, ROW) intp.
    """

    y: NDArray[np.intp]
    x: NDArray[np.intp]
    size: tuple[int, int]

    def flat_index(self, top: int, left: int, width: int) -> NDArray[np.intp]:
        """Index of each into the flattened part of the picture that starts at (top, left): (rows, ROW)."""
        index = self.y * width
        index += self.x
        index -= top * width + left
        return index


def sparse_where(mask: Pixels, size: tuple[int, int]) -> SparsePixels:
    """The pixels of a picture of `size` (H, W) where `mask` (h, w) uint8 is not 0."""
    rows_columns = np.divmod(np.flatnonzero(mask != 0), mask.shape[1])
    tall, wide = (-(-side // small) for side, small in zip(size, mask.shape, strict=True))
    # Each network pixel covers this many picture pixels, or one fewer: it then shares one with the next.
    offsets = (np.arange(tall)[:, None, None], np.arange(wide)[None, :, None])
    count = tall * wide * len(rows_columns[0])
    pixels = np.empty((2, -(-count // ROW) * ROW), np.intp)
    for pixel, at, offset, side, small in zip(pixels, rows_columns, offsets, size, mask.shape, strict=True):
        pixel[:count].reshape(tall, wide, -1)[:] = np.minimum(at * side // small + offset, side - 1)
        pixel[count:] = pixel[count - 1 : count]
    return SparsePixels(pixels[0].reshape(-1, ROW), pixels[1].reshape(-1, ROW), size)


def sample_field(field: NDArray[Any], pixels: SparsePixels) -> NDArray[Any]:
    """A field (h, w, C) over the whole picture read at some places, bilinear: (rows, ROW, C)."""
    x, y = pixels.x.astype(np.float32), pixels.y.astype(np.float32)
    for where, side, small in zip((x, y), pixels.size[::-1], field.shape[1::-1], strict=True):
        np.multiply(where, np.float32(small / side), out=where)
        np.add(where, np.float32(0.5 * small / side - 0.5), out=where)
    read: NDArray[Any] = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return read


def sample_colour(picture: Pixels, pixels: SparsePixels) -> Pixels:
    """The picture's colour at some places, averaged over about 3 × 3, as B, G, R and 255: (rows, ROW, 4)."""
    # Halved only where it is asked for, at even corners: the whole picture would come from memory once more.
    top, left = (2 * (int(at.min()) // 2) for at in (pixels.y, pixels.x))
    part = picture[top : pixels.y.max() + 2, left : pixels.x.max() + 2]
    height, width = part.shape[:2]
    half = cv2.resize(part, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
    inside = SparsePixels(pixels.y - top, pixels.x - left, (height, width))
    sampled: Pixels = sample_field(cv2.cvtColor(half, cv2.COLOR_BGR2BGRA), inside)
    return sampled
