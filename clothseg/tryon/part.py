"""Which pixels a worn garment owns, and how much of each."""

from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.labels import CLASSES, TOP
from clothseg.matting import Matte
from clothseg.tryon.blend import Box

Part = Literal["top", "bottom", "dress"]
"""A garment class of `clothseg.labels`."""

EDGE_PX: Final = 5
"""Width in pixels over which a garment's edge towards skin is softened."""


def part_mask(parts: NDArray[np.uint8], part: Part) -> NDArray[np.uint8]:
    """255 where `parts` (H, W) says that `part` is worn, else 0."""
    return np.asarray(cv2.compare(parts, CLASSES.index(part), cv2.CMP_EQ), np.uint8)


def covered_mask(parts: NDArray[np.uint8], part: Part) -> NDArray[np.uint8]:
    """255 where a garment of `part` put on over what is worn hides it: a dress hides all clothing, whatever
    it is."""
    if part == "dress":
        return np.asarray(cv2.compare(parts, TOP, cv2.CMP_GE), np.uint8)
    return part_mask(parts, part)


def part_box(mask: NDArray[np.uint8]) -> Box | None:
    """The smallest box around what is not 0 in `mask` (H, W), with room for soft edges; None where all is
    0."""
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return None
    rows = slice(max(y - EDGE_PX, 0), min(y + height + EDGE_PX, mask.shape[0]))
    return rows, slice(max(x - EDGE_PX, 0), min(x + width + EDGE_PX, mask.shape[1]))


def part_alpha(matte: Matte, mask: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """How much of each pixel of `box` the garment in `mask` (H, W) owns: uint8, of the box's size.

    Towards the background this is the person's alpha; towards skin and other garments the mask's edge,
    softened over `EDGE_PX`. Both meet because the garment's share is taken among the person's pixels nearby
    only.
    """
    window = (EDGE_PX, EDGE_PX)
    owned = cv2.blur(mask[box], window)
    worn = cv2.blur(cv2.compare(matte.parts[box], 0, cv2.CMP_GT), window)
    share = cv2.divide(owned, worn, dst=owned, scale=255)  # OpenCV's n / 0 is 0 for integers
    return np.asarray(cv2.multiply(share, matte.alpha[box], dst=share, scale=1 / 255), np.uint8)
