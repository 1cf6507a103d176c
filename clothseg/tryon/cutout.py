"""Chooses what is cut out of a picture: the whole person, all clothing, or one garment."""

from typing import Final, Literal

import cv2
import numpy as np

from clothseg.labels import BOTTOM, DRESS, TOP
from clothseg.matting.matting import Matte
from clothseg.tryon.part import part_alpha, part_box

Cutout = Literal["person", "clothing", "top", "bottom", "dress"]
"""What is cut out; `clothing` is top, bottom and dress together."""

_CLASSES: Final[dict[Cutout, tuple[int, int]]] = {
    "clothing": (TOP, DRESS),
    "top": (TOP, TOP),
    "bottom": (BOTTOM, BOTTOM),
    "dress": (DRESS, DRESS),
}


def cut_out(masks: Matte, cutout: Cutout) -> Matte:
    """`masks` with the alpha (H, W) uint8 of what `cutout` names; 0 where none of it is.

    Towards the background the edge is the person's own, towards skin and other garments it follows the
    parts, softened over a few pixels. Parts stay as they are.
    """
    if cutout == "person":
        return masks
    alpha = np.zeros_like(masks.alpha)
    mask = np.asarray(cv2.inRange(masks.parts, *_CLASSES[cutout]), np.uint8)
    box = part_box(mask)
    if box is not None:
        alpha[box] = part_alpha(masks, mask[box], box)
    return masks._replace(alpha=alpha)
