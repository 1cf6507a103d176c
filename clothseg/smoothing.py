"""Steadies class probabilities over time, so that masks do not flicker."""

import math
from typing import Annotated, Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

_SCALE = 256  # an average kept in whole uint8 steps gets stuck, so the past is kept in 1/256 of one


class Smoothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How strongly masks lean on their past.

    time_constant_ms: 1 to 2000 ms; after this long the past's share is 37 %. Too high: masks trail behind.
    """

    time_constant_ms: Annotated[float, msgspec.Meta(gt=0, le=2000)] = 60.0


class SmoothingState(msgspec.Struct, frozen=True):
    """One camera's past: averaged probabilities (K, h, w) uint16 (0 to 255 × 256) and when they were seen."""

    average: NDArray[np.uint16]
    pts_ns: int


def smooth(
    state: SmoothingState | None,
    probabilities: NDArray[np.uint8],
    picture: NDArray[np.uint8],
    pts_ns: int,
    settings: Smoothing,
) -> tuple[SmoothingState, NDArray[np.uint8]]:
    """Average `probabilities` (K, h, w) uint8 with their past; return the new state and the average.

    `state` is None on the first frame or a new epoch; `picture` is (H, W, 3) uint8 BGR, any size. The present
    weighs 1 − exp(−gap / time constant), so that a dropped frame changes nothing in how a mask behaves.
    """
    present = cv2.multiply(_flat(probabilities), _SCALE, dtype=cv2.CV_16U)
    if state is None or state.average.shape != probabilities.shape:
        return SmoothingState(present.reshape(probabilities.shape), pts_ns), probabilities
    gap_ms = max(pts_ns - state.pts_ns, 0) / 1e6
    weight = 1 - math.exp(-gap_ms / settings.time_constant_ms)
    average = cv2.addWeighted(present, weight, _flat(state.average), 1 - weight, 0)
    steady = cv2.convertScaleAbs(average, alpha=1 / _SCALE)
    return SmoothingState(average.reshape(probabilities.shape), pts_ns), steady.reshape(probabilities.shape)


def _flat(planes: NDArray[Any]) -> NDArray[Any]:
    """(K, h, w) as one tall plane (K·h, w), the form OpenCV takes."""
    return np.ascontiguousarray(planes).reshape(-1, planes.shape[2])
