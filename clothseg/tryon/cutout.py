"""Chooses what is cut out of a picture: the whole person, all clothing, or one class."""

import numpy as np

from clothseg.classes import EVERYONE, ClassName
from clothseg.matting.matting import Matte
from clothseg.tryon.part import class_mask, garment_alpha, garment_box

Cutout = ClassName
"""What is cut out, as `ClassMap.cut_out` knows it: `person`, `clothing`, or a class by its name."""


def cut_out(masks: Matte, cutout: Cutout) -> Matte:
    """`masks` with the alpha (H, W) uint8 of what `cutout` names; 0 where none of it is.

    Towards the background the edge is the person's own, towards skin and other garments it follows the
    parts, softened over a few pixels. Parts stay as they are.
    """
    if cutout == EVERYONE:
        return masks
    alpha = np.zeros_like(masks.alpha)
    mask = class_mask(masks.parts, masks.classes.cut_out(cutout))
    box = garment_box(mask)
    if box is not None:
        alpha[box] = garment_alpha(masks, mask[box], box)
    return masks._replace(alpha=alpha)
