"""Keeps a garment's landmarks on the cloth while it moves: carried by optical flow, drawn slowly to where
they are seen."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.tryon.outline import Points

_TIME_CONSTANT_MS = 250.0  # landmarks follow the mask slowly: its outline trembles, the cloth does not
_FORGET_MS = 80.0  # where the flow finds nothing to hold on to, the mask is all there is
_CORNERS = 50
_WINDOW_PX = (15, 15)
_MIN_TRACKED_SHARE = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
_MIN_CORNERS = 8


Corners = NDArray[np.float32]
"""(M, 1, 2) x, y in pixels, as OpenCV has them."""


class Track(NamedTuple):
    """One worn garment's past.

    points: (N, 2) its landmarks, in pixels of `grey`. seen: (N, 2) where the outline had them at `observed_ns`, moved
    on with the cloth since; NaN for those that it did not show. grey: (h, w) uint8, the picture they were on, made
    small. garment: (h, w) uint8, not 0 where the garment was. corners: those of its cloth that moved here together;
    None: to be found.
    """

    points: Points
    observed: Points
    observed_ns: int
    grey: NDArray[np.uint8]
    garment: NDArray[np.uint8]
    pts_ns: int
    corners: Corners | None = None


def follow_motion(
    track: Track, grey: NDArray[np.uint8], garment: NDArray[np.uint8], pts_ns: int
) -> tuple[Track, float]:
    """`track` moved on with the cloth to the picture `grey` (h, w), of the same size as before, and how much of the
    way to `observed` its landmarks shall go there, 0 to 1. Where the cloth does not show it, nothing is `observed`."""
    gap_ms = max(pts_ns - track.pts_ns, 0) / 1e6
    moved = _moved(track, grey, garment)
    if moved is None:
        unseen = np.full_like(track.observed, math.nan)
        return Track(track.points, unseen, track.observed_ns, grey, garment, pts_ns), 1 - math.exp(-gap_ms / _FORGET_MS)
    motion, corners = moved
    points, observed = (at @ motion[:, :2].T + motion[:, 2] for at in (track.points, track.observed))
    followed = Track(points, observed, track.observed_ns, grey, garment, pts_ns, corners)
    return followed, 1 - math.exp(-gap_ms / _TIME_CONSTANT_MS)


def pull_towards_observed(track: Track, share: float) -> Track:
    """`track` with its landmarks gone a `share` of the way to where they are seen; those that are not stay."""
    drawn = track.points + share * (np.nan_to_num(track.observed) - track.points)
    return track._replace(points=np.where(np.isfinite(track.observed), drawn, track.points))


def is_other_garment(track: Track, observed: Points) -> bool:
    """Whether `observed` is so far from `track` that it must be another garment."""
    known = np.isfinite(observed[:, 0])
    if not known.any():
        return False
    distance = np.median(np.linalg.norm(observed[known] - track.points[known], axis=1))
    return bool(distance > 0.5 * np.ptp(track.points[:, 0]))


def fill_missing(observed: Points, flat: Points) -> Points | None:
    """`observed` (N, 2) with its gaps filled from `flat` (N, 2), the landmarks of the garment laid flat.

    By the affine map that fits best those which are seen; None if under four are.
    """
    known, both = np.isfinite(observed[:, 0]), np.isfinite(observed[:, 0]) & np.isfinite(flat[:, 0])
    if np.count_nonzero(both) < 4:
        return None
    sides = np.column_stack([np.ones(len(flat)), flat])
    fit, _, rank, _ = np.linalg.lstsq(sides[both], observed[both], rcond=None)
    return np.where(known[:, None], observed, sides @ fit) if rank == 3 else None


def _moved(
    track: Track, grey: NDArray[np.uint8], garment: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], Corners] | None:
    """The similarity (2, 3) by which the cloth moved since `track` (Lucas and Kanade 1981), and its corners that did
    so and are still on the `garment` (h, w); None if it shows nothing.

    Most of the garment's corners must agree, so that a hand passing before it moves nothing.
    """
    corners = track.corners if track.corners is not None and len(track.corners) > _CORNERS // 2 else _corners(track)
    if corners is None:
        return None
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        track.grey, grey, corners, None, winSize=_WINDOW_PX, maxLevel=2, criteria=_MIN_TRACKED_SHARE
    )
    kept = found.ravel() == 1
    if np.count_nonzero(kept) < _MIN_CORNERS:
        return None
    corners, moved = corners[kept], moved[kept]
    motion, agree = cv2.estimateAffinePartial2D(corners, moved, ransacReprojThreshold=1.0)
    if motion is None or agree.sum() < max(_MIN_CORNERS, 0.4 * len(agree)):
        return None
    moved = moved[agree.ravel() == 1]
    at = np.clip(moved[:, 0].round().astype(np.intp), 0, np.subtract(garment.shape[::-1], 1))
    return np.asarray(motion, np.float64), moved[garment[at[:, 1], at[:, 0]] > 0]


def _corners(track: Track) -> Corners | None:
    """What can be followed on the garment of `track` (Shi and Tomasi 1994); None if that is too little."""
    x, y, width, height = cv2.boundingRect(track.garment)
    box = slice(y, y + height), slice(x, x + width)
    if width < _MIN_CORNERS or height < _MIN_CORNERS:
        return None
    corners = cv2.goodFeaturesToTrack(track.grey[box], _CORNERS, 0.01, 4, mask=track.garment[box])
    if corners is None or len(corners) < _MIN_CORNERS:
        return None
    return np.asarray(corners + np.array([x, y], np.float32), np.float32)
