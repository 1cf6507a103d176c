"""Puts a texture or a print on a worn garment; it follows the body and shows the worn folds."""

import functools
from pathlib import Path
from typing import Annotated, Final, Literal

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import Region
from clothseg.tryon.asset import read_picture
from clothseg.tryon.effect import GarmentEffect, OpenEffect, Resources
from clothseg.tryon.fitting import FlatFor, FlatGarment, fitted, pyramid
from clothseg.tryon.outline import INNER, LEGS, SIDES, SLEEVE, Points

_WIDTH_PX: Final = 400  # of the garment on the sheet of cloth; the sheet goes on beside it, for sleeves
_SHEET_WIDTHS: Final = (3.0, 3.5)  # width and height of the sheet, in widths of the garment
_ABOVE: Final = 0.3  # how much of the sheet is above the shoulders, in widths of the garment
_CHEST: Final = 0.42  # where the middle of a print is, below the shoulders, in widths of the garment


class Texture(GarmentEffect, frozen=True, tag="texture"):
    """A pattern all over a worn garment, or a print on its front."""

    image: Path
    """A PNG or JPEG file; where a PNG is transparent, the worn garment shows."""
    size: Annotated[float, msgspec.Meta(ge=0.02, le=2)] = 0.3
    """Width of the image on the garment, in widths of the garment, 0.02 to 2."""
    repeat: Literal["tiled", "once"] = "tiled"
    """`tiled`: side by side all over; `once`: one print on the chest, or the upper middle."""

    def open(self, resources: Resources) -> OpenEffect:
        return fitted(self.part, open_texture(self))


def open_texture(settings: Texture) -> FlatFor:
    """Sheets of cloth with the image of `settings` on them. Raises EffectError if the image cannot be read."""
    image = read_picture(settings.image, 1024)
    return functools.cache(lambda region: lay_out(image, settings, region))


def lay_out(image: NDArray[np.uint8], settings: Texture, region: Region) -> FlatGarment:
    """`image` (H, W, 4) uint8 BGRA on a sheet of cloth for a region, tiled or once as `settings` say."""
    width, height = (round(side * _WIDTH_PX) for side in _SHEET_WIDTHS)
    wide = max(round(settings.size * _WIDTH_PX), 1)
    high = min(max(round(wide * image.shape[0] / image.shape[1]), 1), height)
    tile = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA if wide < image.shape[1] else cv2.INTER_LINEAR)
    if settings.repeat == "tiled":
        sheet = np.tile(tile, (-(-height // high), -(-width // wide), 1))[:height, :width]
    else:
        sheet = np.zeros((height, width, 4), np.uint8)
        top = max(round((_ABOVE + _CHEST) * _WIDTH_PX - high / 2), 0)
        left = (width - wide) // 2
        sheet[top : top + high, left : left + wide] = tile[: height - top]
    seen = image[image[:, :, 3] > 127][:, :3]
    brightness = float(np.median(seen.max(axis=1))) if len(seen) else 128.0
    return FlatGarment(settings.part, region, pyramid(sheet), _sheet_points(region), None, max(brightness, 1.0))


def _sheet_points(region: Region) -> Points:
    """The landmarks on the sheet of a garment as long as wide, NaN for sleeves and legs: the cloth runs on
    there."""
    unseen = (np.nan, np.nan)
    if region == "lower":
        points = [(side, down) for down in LEGS for side in (-0.5, 0.5)] + [unseen] * (1 + 2 * len(INNER))
    else:
        collar = [(-0.2, -0.03), (0.2, -0.03), unseen]
        sides = [(side, down) for down in SIDES for side in (-0.5, 0.5, 0.0)]
        points = [*collar, (-0.5, 0.0), (0.5, 0.0), *sides, *[unseen] * (2 * (len(SLEEVE) + 1))]
    return np.asarray(_WIDTH_PX * (np.array(points) + np.array([_SHEET_WIDTHS[0] / 2, _ABOVE])), np.float64)
