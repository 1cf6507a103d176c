"""What an effect is: settings that are opened once, then applied to each picture in turn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.matting.matting import Matte
from clothseg.tryon.blend import Image
from clothseg.tryon.part import Garment

OpenEffect = Callable[[Any, Image, Matte, int], tuple[Any, Image]]
"""(state, picture, matte, pts_ns) → (state, picture); pure. The state is one camera's, None at first."""

VideoLookup = Callable[[int], Image]
"""Presentation time in ns → the video's picture (H, W, 3) uint8 BGR of that moment, any size."""

PhotoMatting = Callable[[Image], NDArray[np.uint8]]
"""A photo (H, W, 3) uint8 BGR → how much of each pixel is clothing, (H, W) uint8."""


class Resources(NamedTuple):
    """What effects are opened with: videos are the stream's to read, photos the network's to cut out."""

    open_video: Callable[[Path], VideoLookup]
    matte_photo: PhotoMatting


class EffectSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="effect"):
    """Settings of one effect; in YAML and JSON the key `effect` is the tag."""

    def open(self, resources: Resources) -> OpenEffect:
        """Read what the settings name; raises EffectError where that cannot be used."""
        raise NotImplementedError


class BackgroundEffect(EffectSettings, frozen=True):
    """What is shown behind people: the first effect that is drawn, and the only one of its kind."""


class GarmentEffect(EffectSettings, frozen=True):
    """What is drawn on a worn garment; those of one camera are drawn in the order given."""

    part: Garment
    """A garment of the model: with the weights that ship `top`, `bottom` or `dress`."""
