"""How a picture is carried onto the next: by known motion, or by estimated flow."""

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import Pixels

Points = NDArray[np.float32]

VALID_BELOW: Final = 12.0  # grey levels of 255: a warp that is further off does not explain the picture


class FrameWarp(NamedTuple):
    """Warp of the frame before onto this one.

    points: (H, W, 2) float32, where each pixel was in the frame before; valid: (H, W) bool, where the
    warped picture is the current one.
    """

    points: Points
    valid: NDArray[np.bool_]


def warp(before: Pixels, now: Pixels, motion: Points | None) -> FrameWarp:
    """The warp between two pictures (H, W, 3) uint8, by exact `motion` (H, W, 2), NaN where unknown.

    Where there is none, by Farnebäck's flow (2003), which is not what the smoother uses.
    """
    grey, grey_before = cv2.cvtColor(now, cv2.COLOR_BGR2GRAY), cv2.cvtColor(before, cv2.COLOR_BGR2GRAY)
    motion = _farneback(grey_before, grey) if motion is None else motion
    height, width = grey.shape
    points = pixel_grid(grey.shape) + np.nan_to_num(motion, nan=-1e6)
    inside = ((points >= 0) & (points <= np.array([width - 1, height - 1]))).all(2)
    warped = cv2.remap(grey_before, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return FrameWarp(points, inside & (cv2.absdiff(warped, grey) < VALID_BELOW))


def pixel_grid(size: tuple[int, ...]) -> Points:
    """Return the position of each pixel of a plane of `size` (H, W): (H, W, 2) float32, x and y."""
    height, width = size
    return np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), 2)


def _farneback(before: Pixels, now: Pixels) -> Points:
    """Motion (H, W, 2) from now back to before, seen at half size: it is smooth, and four times quicker so."""
    half = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in (now, before)]
    flow = cv2.calcOpticalFlowFarneback(*half, None, 0.5, 4, 15, 3, 5, 1.2, 0)
    motion: Points = cv2.resize(flow, now.shape[::-1], interpolation=cv2.INTER_LINEAR) * np.float32(2)
    return motion
