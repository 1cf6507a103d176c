"""Gives a worn garment another colour and keeps its folds, shading and highlights."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.matting.matting import Matte
from clothseg.tryon.blend import Image, replace_colour, strips
from clothseg.tryon.colour import GAMMA, Colour, to_bgr
from clothseg.tryon.effect import GarmentEffect, OpenEffect, Resources
from clothseg.tryon.part import class_mask, garment_alpha, garment_box
from clothseg.tryon.shading import Light, fold_gains, fold_levels, follow_light

_REFLECTS = (
    0.012,
    0.80,
)  # linear light: what the blackest and the whitest cloth send back; paper is no whiter


class Recolour(GarmentEffect, frozen=True, tag="recolour"):
    """A worn garment in another colour."""

    colour: Colour
    """`#rrggbb` of the cloth in full light."""

    def open(self, resources: Resources) -> OpenEffect:
        return lambda state, picture, matte, pts_ns: recolour(state, picture, matte, self, pts_ns)


def recolour(
    light: Light | None, picture: Image, matte: Matte, settings: Recolour, pts_ns: int
) -> tuple[Light | None, Image]:
    """`picture` with the garment `settings.part` of `matte` in another colour; `picture` itself where it is
    not worn.

    `light` is what earlier pictures of this camera showed, None at first.
    """
    mask = class_mask(matte.parts, matte.classes.only(settings.part))
    box = garment_box(mask)
    if box is None:
        return light, picture
    worn, alpha = matte.foreground[box], garment_alpha(matte, mask[box], box)
    light = follow_light(light, matte.foreground, worn, mask[box], pts_ns)
    if light is None:
        return None, picture
    cloth = cloth_in(light, to_bgr(settings.colour))
    gains = fold_gains(light, float(cloth.max()), math.inf)
    shine = np.minimum(cloth.max() * gains, 255).round().astype(np.uint8)  # of the brightest channel
    painted = picture.copy()
    for strip in strips(alpha):
        bright = cv2.LUT(fold_levels(worn[strip], light), shine)
        dyed = cv2.merge([cv2.convertScaleAbs(bright, alpha=channel / cloth.max()) for channel in cloth])
        replace_colour(painted[box][strip], alpha[strip], worn[strip], dyed)
    return light, painted


def cloth_in(light: Light, colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """`colour` (blue, green, red, 0 to 255) as cloth shows it here: never blacker or whiter than cloth is,
    and dimmed half as much as the room is, so that white does not glow in the dark."""
    black, white = _REFLECTS
    reflected = black + (white - black) * (np.array(colour) / 255) ** GAMMA
    return 255 * reflected ** (1 / GAMMA) * (1 + light.exposure) / 2
