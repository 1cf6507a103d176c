"""Places without people: photos of none, the surroundings of a figure, cloth, and plain walls."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from clothseg.training.samples import Sample
from clothseg.training.train.augmentation import Size, foreground_box, foreground_mask

Pixels = npt.NDArray[np.uint8]

_NARROWEST_PX: Final = 24  # a strip narrower than this is stretched beyond all likeness


def draw_place(surroundings: Sequence[Sample], photos: Sequence[Pixels], size: Size, rng: Generator) -> Pixels:
    """A place (h, w, 3) uint8 BGR where no one is. `photos` show no one; of `surroundings` the figure is left out."""
    kind = rng.random()
    if photos and kind < 0.3:
        return _window(photos[int(rng.integers(len(photos)))], size, rng)
    if kind < 0.85:
        for _ in range(4):
            place = beside_figure(surroundings[int(rng.integers(len(surroundings)))])
            if place is not None:
                return _window(place, size, rng)
    return draw_wall(size, rng)


def beside_figure(sample: Sample) -> Pixels | None:
    """Return the scenery beside a figure, mirrored without a seam; a picture without one whole; None if too narrow."""
    if not foreground_mask(sample.mask).any():
        return sample.picture
    left, _, right, _ = foreground_box(sample.mask)
    strip = sample.picture[:, :left] if left > sample.mask.shape[1] - right else sample.picture[:, right:]
    if strip.shape[1] < _NARROWEST_PX:
        return None
    # A few pixels away from the figure, whose label may be that much too small.
    strip = strip[:, :-4] if left > sample.mask.shape[1] - right else strip[:, 4:]
    return np.hstack([strip, strip[:, ::-1]])


def _window(place: Pixels, size: Size, rng: Generator) -> Pixels:
    """Some part of a picture at (h, w), mirrored side by side where it is too narrow."""
    h, w = size
    while place.shape[1] * h < place.shape[0] * w * 0.7:
        place = np.hstack([place, place[:, ::-1]])
    share = rng.uniform(0.5, 1.0)
    high = int(share * min(place.shape[0], place.shape[1] * h / w))
    wide = int(high * w / h)
    top, left = (int(rng.integers(0, max(room, 0) + 1)) for room in (place.shape[0] - high, place.shape[1] - wide))
    part = place[top : top + max(high, 1), left : left + max(wide, 1)]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    how = cv2.INTER_AREA if part.shape[0] > h else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(np.ascontiguousarray(part), (w, h), interpolation=how), np.uint8)


def draw_wall(size: Size, rng: Generator) -> Pixels:
    """A wall over a floor, each of two colours that run into each other, with a little grain."""
    h, w = size
    corners = rng.uniform(10, 245, (1, 1, 3)) + rng.uniform(-60, 60, (2, 2, 3))
    wall = cv2.resize(corners.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.6:
        edge = int(h * rng.uniform(0.45, 0.95))
        floor = rng.uniform(10, 245, 3).astype(np.float32)
        wall[edge:] = 0.5 * wall[edge:] + 0.5 * floor
    grain = rng.standard_normal((h // 2 + 1, w // 2 + 1, 1), np.float32) * np.float32(rng.uniform(0, 8))
    wall += cv2.resize(grain, (w, h), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.asarray(np.clip(wall, 0, 255), np.uint8)
