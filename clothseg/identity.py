"""Keeps garments what they are: one person's garment does not change kind from frame to frame."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_SHRINK = 2  # mask pixels to one of evidence, each way
_NEAR = 8  # a garment's evidence is pooled over a window this part of the mask's height
_STUBBORN = 2.0  # power with which what was seen before weighs on what is seen now
_FEEDBACK = 0.5  # share of the settled view in the evidence: what makes a flip need more than a draw


def gather(
    evidence: Sequence[Plane] | None, garments: Sequence[Plane], gap_ms: float, memory_ms: float
) -> tuple[list[Plane], list[Plane]]:
    """Settle garment planes (h, w) float32, one a kind, by what was seen around each place lately.

    `evidence` is the past's, carried to the present, each (h, w) float32 at half the size and in seconds; None at
    the start. Returns the new evidence and the planes, which keep their sum at each pixel: the kinds
    are weighed anew as likelihood × prior². The settled view feeds the evidence, which gives hysteresis.
    """
    height, width = garments[0].shape
    size = (max(width // _SHRINK, 1), max(height // _SHRINK, 1))
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in garments]
    past = evidence if evidence is not None else [np.zeros_like(plane) for plane in small]
    prior = _prior(past, max(size[1] // _NEAR, 1))
    settled = _weigh(small, prior)
    fade, seconds = np.float32(np.exp(-gap_ms / memory_ms)), np.float32(gap_ms / 1000 / 255)
    gathered = [
        was * fade + (plane + (new - plane) * np.float32(_FEEDBACK)) * seconds
        for was, plane, new in zip(past, small, settled, strict=True)
    ]
    wide = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in prior]
    return gathered, _weigh(garments, wide)


def _prior(evidence: Sequence[Plane], reach: int) -> list[Plane]:
    """How likely each kind is around each place, the likeliest 1."""
    # A tenth of a second of every kind, so that a first glance does not decide.
    pooled = [cv2.blur(plane, (2 * reach + 1,) * 2) + np.float32(0.03) for plane in evidence]
    most = np.maximum.reduce(pooled)
    return [cv2.pow(plane / most, _STUBBORN) for plane in pooled]


def _weigh(likelihood: Sequence[Plane], prior: Sequence[Plane]) -> list[Plane]:
    """Each kind's share × its prior, scaled to the same sum at each pixel."""
    weighed = [plane * weight for plane, weight in zip(likelihood, prior, strict=True)]
    whole, left = sum(likelihood[1:], start=likelihood[0]), sum(weighed[1:], start=weighed[0])
    scale = whole / np.maximum(left, np.float32(1e-6))
    return [plane * scale for plane in weighed]
