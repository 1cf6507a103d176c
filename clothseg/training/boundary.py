"""The boundary F measure of Martin et al. 2004 and Csurka et al. 2013, with a disc in place of a matching."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

BOUNDARY_PX: Final = 2
"""How far a boundary may lie off and still count."""


def boundary_hits(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Boundary pixels of masks (H, W) as (found and right, found, true and met, true), within `BOUNDARY_PX`."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BOUNDARY_PX + 1,) * 2)
    true, seen = (_inner_edge(mask) for mask in (truth, found))
    counts = (seen & cv2.dilate(true, disc), seen, true & cv2.dilate(seen, disc), true)
    return np.array([cv2.countNonZero(count) for count in counts], np.int64)


def f_measure(hits: NDArray[np.int64]) -> float | None:
    """Harmonic mean of precision and recall from `boundary_hits`; none where there was no true boundary."""
    right, found, met, true = (float(count) for count in hits)
    if not true:
        return None
    precision, recall = right / max(found, 1), met / true
    return 2 * precision * recall / (precision + recall) if right and met else 0.0


def _inner_edge(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The pixels of a mask that touch what is not it; the picture's rim is no edge."""
    pixels = mask.astype(np.uint8)
    inside = cv2.erode(pixels, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(pixels - inside, np.uint8)
