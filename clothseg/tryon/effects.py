"""Every effect under one name, opened together and applied in turn."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clothseg.matting.matting import Matte
from clothseg.tryon.asset import EffectError
from clothseg.tryon.background import BackgroundBlur, BackgroundColour, BackgroundImage, BackgroundVideo
from clothseg.tryon.blend import Image, replace_colour, strips
from clothseg.tryon.effect import BackgroundEffect, OpenEffect, PhotoMatting, Resources, VideoLookup
from clothseg.tryon.garment import GarmentPhoto, matte_clothing
from clothseg.tryon.recolour import Recolour
from clothseg.tryon.texture import Texture

Effect = BackgroundColour | BackgroundImage | BackgroundVideo | BackgroundBlur | Recolour | Texture | GarmentPhoto
"""Settings of one effect, for configs and the control socket. A new effect is added here."""


def open_effects(
    settings: Sequence[Effect], open_video: Callable[[Path], VideoLookup], matte_photo: PhotoMatting = matte_clothing
) -> tuple[OpenEffect, ...]:
    """Read whatever `settings` name and return the effects, the background first: garments are drawn on top
    of it.

    `open_video` opens the video of a background; `matte_photo` finds the garment in a photo without alpha. Raises
    EffectError, in one sentence, for a picture that cannot be used or for more than one background.
    """
    backgrounds = [effect for effect in settings if isinstance(effect, BackgroundEffect)]
    if len(backgrounds) > 1:
        raise EffectError(f"{len(backgrounds)} backgrounds are asked for, expected at most one: remove the others")
    resources = Resources(open_video, matte_photo)
    opened = [effect.open(resources) for effect in backgrounds]
    garments = [effect.open(resources) for effect in settings if not isinstance(effect, BackgroundEffect)]
    return (*opened, *(garments if len(garments) < 2 else [_stacked(garments)]))


def apply_effects(
    effects: Sequence[OpenEffect], states: Sequence[Any] | None, picture: Image, matte: Matte, pts_ns: int
) -> tuple[tuple[Any, ...], Image]:
    """Apply `effects` to `picture` in turn; `states` are those returned for this camera's last picture.

    None begins anew: at a camera's first picture, after a reconnect, and when the effects were changed.
    """
    after = []
    for effect, state in zip(effects, states or [None] * len(effects), strict=True):
        now, picture = effect(state, picture, matte, pts_ns)
        after.append(now)
    return tuple(after), picture


def _stacked(garment_effects: Sequence[OpenEffect]) -> OpenEffect:
    """Several effects on garments as one: each finds the person in the colours that those before have left."""

    def dress(states: Any, picture: Image, matte: Matte, pts_ns: int) -> tuple[Any, Image]:
        whole = matte._replace(alpha=np.full_like(matte.alpha, 255))
        after = []
        for effect, state in zip(garment_effects, states or [None] * len(garment_effects), strict=True):
            now, dressed = effect(state, whole.foreground, whole, pts_ns)
            whole = whole._replace(foreground=dressed)
            after.append(now)
        shown = picture.copy()
        for strip in strips(matte.alpha):
            replace_colour(shown[strip], matte.alpha[strip], matte.foreground[strip], whole.foreground[strip])
        return tuple(after), shown

    return dress
