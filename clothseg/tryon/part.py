"""Which pixels a worn garment owns, and how much of each."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.labels import CLASSES
from clothseg.matting import Matte
from clothseg.tryon.blend import Box

Part = Literal["top", "bottom", "dress"]
"""A garment class of `clothseg.labels`."""

EDGE_PX = 5
"""Width in pixels over which a garment's edge towards skin is softened."""


def part_box(parts: NDArray[np.uint8], part: Part) -> Box | None:
    """The smallest box around the pixels of `part`, with room for soft edges; None where it is not worn."""
    x, y, width, height = cv2.boundingRect(cv2.compare(parts, CLASSES.index(part), cv2.CMP_EQ))
    if width == 0:
        return None
    rows = slice(max(y - EDGE_PX, 0), min(y + height + EDGE_PX, parts.shape[0]))
    return rows, slice(max(x - EDGE_PX, 0), min(x + width + EDGE_PX, parts.shape[1]))


def part_alpha(matte: Matte, part: Part, box: Box) -> NDArray[np.uint8]:
    """How much of each pixel of `box` the garment owns: (H, W) uint8.

    Towards the background this is the person's alpha; towards skin and other garments the label's edge,
    softened over `EDGE_PX`. Both meet because the garment's share is taken among the person's pixels nearby
    only.
    """
    window = (EDGE_PX, EDGE_PX)
    parts = matte.parts[box]
    owned = cv2.blur(cv2.compare(parts, CLASSES.index(part), cv2.CMP_EQ), window)
    worn = cv2.blur(cv2.compare(parts, 0, cv2.CMP_GT), window)
    share = cv2.divide(owned, worn, dst=owned, scale=255)  # OpenCV's n / 0 is 0 for integers
    return np.asarray(cv2.multiply(share, matte.alpha[box], dst=share, scale=1 / 255), np.uint8)
