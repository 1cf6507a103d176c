"""Keeps garments what they are: one person's garment does not change kind from frame to frame."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

EVIDENCE_PX: Final = 4  # mask pixels to one of evidence, each way
WINDOW_FRACTION: Final = 8  # a garment's evidence is pooled over a window this part of the mask's height, each way
_PRIOR_EXPONENT: Final = 2.0  # power with which what was seen before weighs on what is seen now
_HYSTERESIS: Final = 0.5  # share of the settled view in the evidence: what makes a flip need more than a draw
_CONTESTED: Final = 6.0  # of 255 that are not the strongest kind's: less is not worth weighing


def vote(
    evidence: Sequence[Plane], garments: Sequence[Plane], gap_ms: float, memory_ms: float, radius_px: int
) -> tuple[list[Plane], list[Plane]]:
    """Settle garment planes (h, w) float32, one a class, by recent evidence around each pixel.

    `evidence` is the history's, warped to the current frame, at a quarter of the size and in seconds; it is pooled
    over `radius_px` of its pixels each way. Returns the new evidence and the planes, which keep their sum at each
    pixel: the classes are reweighed as likelihood × prior². The settled planes feed the evidence: hysteresis.
    """
    size = evidence[0].shape[::-1]
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in garments]
    prior = _prior(evidence, radius_px)
    reweighed = _reweigh(small, prior)
    decay, seconds = np.float32(np.exp(-gap_ms / memory_ms)), np.float32(gap_ms / 1000 / 255)
    gathered = [
        was * decay + (plane + (new - plane) * np.float32(_HYSTERESIS)) * seconds
        for was, plane, new in zip(evidence, small, reweighed, strict=True)
    ]
    return gathered, _reweigh_contested(garments, small, prior)


def _reweigh_contested(garments: Sequence[Plane], small: Sequence[Plane], prior: Sequence[Plane]) -> list[Plane]:
    """Garment planes weighed by their prior, in the box where more than one kind is seen."""
    contested = sum(small[1:], start=small[0]) - np.maximum.reduce(small) > _CONTESTED
    x, y, wide, tall = cv2.boundingRect(contested.view(np.uint8))
    if not wide:
        return list(garments)
    rows, columns = (
        slice(max(first - 1, 0) * side // count, min(last + 1, count) * side // count)
        for first, last, side, count in zip(
            (y, x), (y + tall, x + wide), garments[0].shape, small[0].shape, strict=True
        )
    )
    full = garments[0].shape[::-1]
    wide_prior = [cv2.resize(plane, full, interpolation=cv2.INTER_LINEAR)[rows, columns] for plane in prior]
    weighed = [plane.copy() for plane in garments]
    for plane, new in zip(weighed, _reweigh([plane[rows, columns] for plane in garments], wide_prior), strict=True):
        plane[rows, columns] = new
    return weighed


def _prior(evidence: Sequence[Plane], reach: int) -> list[Plane]:
    """Return the prior of each class around each pixel, the likeliest 1."""
    # A tenth of a second of every class, so that the first frame does not decide.
    pooled = [cv2.blur(plane, (2 * reach + 1,) * 2) + np.float32(0.03) for plane in evidence]
    maximum = np.maximum.reduce(pooled)
    return [cv2.pow(plane / maximum, _PRIOR_EXPONENT) for plane in pooled]


def _reweigh(likelihood: Sequence[Plane], prior: Sequence[Plane]) -> list[Plane]:
    """Each kind's share × its prior, scaled to the same sum at each pixel."""
    weighed = [plane * weight for plane, weight in zip(likelihood, prior, strict=True)]
    whole, left = sum(likelihood[1:], start=likelihood[0]), sum(weighed[1:], start=weighed[0])
    scale = whole / np.maximum(left, np.float32(1e-6))
    return [plane * scale for plane in weighed]
