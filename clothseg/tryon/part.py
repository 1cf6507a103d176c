"""Which pixels a worn garment owns, and how much of each."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import ClassName
from clothseg.matting.matting import Matte
from clothseg.tryon.blend import Slices

Garment = ClassName
"""A garment of the model, by its name."""


def class_mask(parts: NDArray[np.uint8], classes: range) -> NDArray[np.uint8]:
    """255 where `parts` (H, W) is one of neighbouring `classes`, else 0."""
    if not classes:
        return np.zeros_like(parts)
    return np.asarray(cv2.inRange(parts, classes[0], classes[-1]), np.uint8)


def edge_px(height: int) -> int:
    """Return how far in pixels a garment's edge is softened to either side in a picture of `height`."""
    return 2 * _blurs(height)


def _blurs(height: int) -> int:
    """Return how many times a window of 5 pixels, the fastest there is, goes over an edge."""
    return max(round(height / 600), 1)


def garment_box(mask: NDArray[np.uint8]) -> Slices | None:
    """Return the smallest box around what is not 0 in `mask` (H, W), with a margin for soft edges; None where
    all is 0."""
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return None
    room = edge_px(mask.shape[0]) + 1
    rows = slice(max(y - room, 0), min(y + height + room, mask.shape[0]))
    return rows, slice(max(x - room, 0), min(x + width + room, mask.shape[1]))


def garment_alpha(matte: Matte, mask: NDArray[np.uint8], box: Slices) -> NDArray[np.uint8]:
    """Return the alpha of the garment in `mask`, of the box's size: uint8, of the box's size.

    Towards the background this is the person's alpha; towards skin and other garments the mask's edge,
    softened over `edge_px`. Both meet because the garment's share is taken among the person's pixels nearby
    only.
    """
    owned, worn = mask, cv2.compare(matte.parts[box], 0, cv2.CMP_GT)
    for _ in range(_blurs(matte.parts.shape[0])):
        owned, worn = cv2.blur(owned, (5, 5)), cv2.blur(worn, (5, 5))
    share = cv2.divide(owned, worn, dst=owned, scale=255)  # OpenCV's n / 0 is 0 for integers
    return np.asarray(cv2.multiply(share, matte.alpha[box], dst=share, scale=1 / 255), np.uint8)
