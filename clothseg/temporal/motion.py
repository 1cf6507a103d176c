"""Motion: dense backward flow between two pictures, and its confidence."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

_CONSISTENCY_PX: Final = 1.5  # there and, seen coarsely, back again may miss by so much, in the pictures' own pixels
_CUT_CONFIDENCE: Final = 0.3  # a picture of which less can be explained is another scene


class BackwardFlow(NamedTuple):
    """Backward flow: from each pixel of part of the current frame to the previous one.

    flow: (h, w, 2) float32, in pixels of the pictures it was estimated in. confidence: (h, w) float32, 0 to 1.
    """

    flow: Reals
    confidence: Reals


def estimate_flow(before: Pixels, now: Pixels, at: tuple[slice, slice], tolerance: float) -> BackwardFlow | None:
    """Estimate the flow from `now` back to `before`, two grey pictures of one size, in their part `at`; None at a cut.

    Dense inverse search (DIS, Kroeger et al. 2016). Confidence is high where forward and backward flow agree and the
    warped previous picture is within `tolerance` grey levels of `now`: not where something was occluded or changed.
    """
    previous, present = np.ascontiguousarray(before[at]), np.ascontiguousarray(now[at])
    # The flow back is only a consistency check: a level coarser will do.
    backward, forward = _dis(0).calc(present, previous, None), _dis(1).calc(previous, present, None)
    alike = _photometric_similarity(warp(previous, backward), present, tolerance)
    error_x, error_y = planes([cv2.add(backward, warp(forward, backward))])
    x, y = planes([backward])
    allowed = cv2.magnitude(x, y) * np.float32(0.1) + np.float32(_CONSISTENCY_PX)
    inconsistency = cv2.magnitude(error_x, error_y) / allowed
    confidence = alike * cv2.exp(-inconsistency * inconsistency)
    height, width = present.shape
    x += np.arange(width, dtype=np.float32)
    y += np.arange(height, dtype=np.float32)[:, None]
    confidence *= (abs(x - (width - 1) / 2) <= width / 2) & (abs(y - (height - 1) / 2) <= height / 2)
    # A person may turn; that the surroundings stay separates it from a cut.
    if (
        cv2.mean(confidence)[0] < _CUT_CONFIDENCE
        and cv2.mean(_photometric_similarity(before, now, tolerance))[0] < _CUT_CONFIDENCE
    ):
        return None
    return BackwardFlow(backward, confidence)


def resize_flow(flow: Reals, size: tuple[int, ...], origin: tuple[int, int]) -> Reals:
    """Resize a flow to part of the current frame, `size` (h, w), and shift it: (h, w, 2) float32.

    `flow` (h', w', 2) float32 comes from a `BackwardFlow`, at any size; `origin` (y, x) is where that part starts in
    the previous plane.
    """
    height, width = size[:2]
    scale_x, scale_y = width / flow.shape[1], height / flow.shape[0]
    affine = np.array([[scale_x, 0, origin[1]], [0, scale_y, origin[0]]])
    moved: Reals = cv2.resize(cv2.transform(flow, affine), (width, height), interpolation=cv2.INTER_LINEAR)
    return moved


def warp(previous: NDArray[Any], how_far: Reals) -> NDArray[Any]:
    """Warp a previous plane (h', w'[, C]) by the flow of `resize_flow` (h, w, 2), bilinear: (h, w[, C])."""
    how = cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP
    present: NDArray[Any] = cv2.remap(previous, how_far, None, how, borderMode=cv2.BORDER_REPLICATE)
    return present


def _dis(finest: int) -> cv2.DISOpticalFlow:
    """Dense inverse search down to a pyramid level; six descents do what the preset's twelve do."""
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow.setFinestScale(finest)
    flow.setGradientDescentIterations(6)
    flow.setPatchStride(5)
    return flow


def _photometric_similarity(warped: Pixels, now: Pixels, tolerance: float) -> Reals:
    """Return the similarity of two grey pictures, 0 to 1, (h', w') float32."""
    # Light that changes everywhere is no motion.
    brighter = float(cv2.mean(now)[0] - cv2.mean(warped)[0])
    error = cv2.blur(cv2.absdiff(cv2.add(warped, brighter), now), (3, 3))
    alike: Reals = cv2.LUT(error, np.exp(-((np.arange(256) / tolerance) ** 2)).astype(np.float32))
    return alike


def planes(groups: Sequence[Reals]) -> list[Reals]:
    """The planes of all groups (h, w) or (h, w, C); numpy takes them apart in a third of OpenCV's time."""
    return [np.ascontiguousarray(plane) for group in groups for plane in np.moveaxis(np.atleast_3d(group), 2, 0)]
