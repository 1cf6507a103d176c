"""Keeps a garment's landmarks on the cloth while it moves: carried by optical flow, drawn slowly to where
they are seen."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.tryon.outline import Points

_TIME_CONSTANT_MS = 250.0  # landmarks follow the mask slowly: its outline trembles, the cloth does not
_LOST_MS = 80.0  # where the flow finds nothing to hold on to, the mask is all there is
_CORNERS = 50
_WINDOW_PX = (15, 15)
_FEWEST = 8


class Track(NamedTuple):
    """One worn garment's past.

    points: (N, 2) its landmarks, in pixels of `grey`. grey: (h, w) uint8, the picture they were on, made
    small. garment: (h, w) uint8, not 0 where the garment was.
    """

    points: Points
    grey: NDArray[np.uint8]
    garment: NDArray[np.uint8]
    pts_ns: int


def follow(track: Track, seen: Points, grey: NDArray[np.uint8], garment: NDArray[np.uint8], pts_ns: int) -> Track:
    """Where the landmarks are now.

    `seen` (N, 2) is where the outline has them in `grey` (h, w) uint8, of the same size as before; NaN
    where it does not show them: these are carried by the cloth's motion alone.
    """
    motion = _motion(track, grey)
    carried = track.points if motion is None else track.points @ motion[:, :2].T + motion[:, 2]
    known = np.isfinite(seen[:, 0])
    gap_ms = max(pts_ns - track.pts_ns, 0) / 1e6
    weight = 1 - math.exp(-gap_ms / (_LOST_MS if motion is None else _TIME_CONSTANT_MS))
    points = np.where(known[:, None], carried + weight * (np.nan_to_num(seen) - carried), carried)
    return Track(points, grey, garment, pts_ns)


def strayed(track: Track, seen: Points) -> bool:
    """Whether `seen` is so far from `track` that it must be another garment."""
    known = np.isfinite(seen[:, 0])
    if not known.any():
        return False
    distance = np.median(np.linalg.norm(seen[known] - track.points[known], axis=1))
    return bool(distance > 0.5 * np.ptp(track.points[:, 0]))


def complete(seen: Points, flat: Points) -> Points | None:
    """`seen` (N, 2) with its gaps filled from `flat` (N, 2), the landmarks of the garment laid flat.

    By the affine map that fits best those which are seen; None if under four are.
    """
    known, both = np.isfinite(seen[:, 0]), np.isfinite(seen[:, 0]) & np.isfinite(flat[:, 0])
    if np.count_nonzero(both) < 4:
        return None
    sides = np.column_stack([np.ones(len(flat)), flat])
    fit, _, rank, _ = np.linalg.lstsq(sides[both], seen[both], rcond=None)
    return np.where(known[:, None], seen, sides @ fit) if rank == 3 else None


def _motion(track: Track, grey: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The similarity (2, 3) by which the cloth moved since `track` (Lucas and Kanade 1981), None if it
    shows nothing.

    Most of the garment's corners must agree, so that a hand passing before it moves nothing.
    """
    x, y, width, height = cv2.boundingRect(track.garment)
    box = slice(y, y + height), slice(x, x + width)
    if width < _FEWEST or height < _FEWEST:
        return None
    corners = cv2.goodFeaturesToTrack(track.grey[box], _CORNERS, 0.01, 4, mask=track.garment[box])
    if corners is None or len(corners) < _FEWEST:
        return None
    corners += np.array([x, y], np.float32)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(track.grey, grey, corners, None, winSize=_WINDOW_PX, maxLevel=2)
    kept = found.ravel() == 1
    if np.count_nonzero(kept) < _FEWEST:
        return None
    motion, agree = cv2.estimateAffinePartial2D(corners[kept], moved[kept], ransacReprojThreshold=1.0)
    if motion is None or agree.sum() < max(_FEWEST, 0.4 * len(agree)):
        return None
    return np.asarray(motion, np.float64)
