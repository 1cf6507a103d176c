"""Every effect under one name: settings are opened once, then applied to each picture in turn."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clothseg.matting.matting import Matte
from clothseg.tryon import background
from clothseg.tryon.asset import EffectError, read_picture
from clothseg.tryon.background import BackgroundBlur, BackgroundColour, BackgroundImage, BackgroundVideo, VideoLookup
from clothseg.tryon.blend import Image, replace_colour, strips
from clothseg.tryon.fitting import FlatFor, fit
from clothseg.tryon.garment import GarmentPhoto, PhotoMatting, matte_clothing, open_garment
from clothseg.tryon.part import Garment
from clothseg.tryon.recolour import Recolour, recolour
from clothseg.tryon.texture import Texture, open_texture

Background = BackgroundColour | BackgroundImage | BackgroundVideo | BackgroundBlur

Effect = Background | Recolour | Texture | GarmentPhoto
"""Settings of one effect; in YAML and JSON the key `effect` is the tag."""

OpenEffect = Callable[[Any, Image, Matte, int], tuple[Any, Image]]
"""(state, picture, matte, pts_ns) → (state, picture); pure. The state is one camera's, None at first."""


OpenBackgroundVideo = Callable[[BackgroundVideo], VideoLookup]
"""Opens the file of a background video; files of that kind are the stream's to read."""

_MAX_SIDE_PX = 1920


def open_effects(
    settings: Sequence[Effect], open_clip: OpenBackgroundVideo, cut_out: PhotoMatting = matte_clothing
) -> tuple[OpenEffect, ...]:
    """Read whatever `settings` name and return the effects, the background first: garments are drawn on top
    of it.

    `cut_out` finds the garment in a photo without alpha. Raises EffectError, in one sentence, for a picture
    that cannot be used or for more than one background.
    """
    backgrounds = [effect for effect in settings if isinstance(effect, Background)]
    if len(backgrounds) > 1:
        raise EffectError(f"{len(backgrounds)} backgrounds are asked for, expected at most one: remove the others")
    garment_effects = [effect for effect in settings if not isinstance(effect, Background)]
    opened = [_open_background(effect, open_clip) for effect in backgrounds]
    garments = [_open_garment_effect(effect, cut_out) for effect in garment_effects]
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


def _open_background(settings: Background, open_clip: OpenBackgroundVideo) -> OpenEffect:
    """A background with what it shows in memory."""
    match settings:
        case BackgroundColour():
            return lambda state, picture, matte, pts_ns: background.composite_over_colour(
                state, picture, matte, settings
            )
        case BackgroundBlur():
            return lambda state, picture, matte, pts_ns: (
                state,
                background.composite_over_blur(picture, matte, settings),
            )
        case BackgroundImage():
            image = read_picture(settings.image, _MAX_SIDE_PX)[:, :, :3].copy()
            return lambda state, picture, matte, pts_ns: background.composite_over_image(state, picture, matte, image)
        case BackgroundVideo():
            open_clip(settings)  # what cannot be read is rejected now
            return lambda state, picture, matte, pts_ns: _before_video(
                state or open_clip(settings), picture, matte, pts_ns
            )


def _open_garment_effect(settings: Recolour | Texture | GarmentPhoto, cut_out: PhotoMatting) -> OpenEffect:
    """An effect on a garment with what it shows in memory."""
    match settings:
        case Recolour():
            return lambda state, picture, matte, pts_ns: recolour(state, picture, matte, settings, pts_ns)
        case Texture():
            return _fitted(settings.part, open_texture(settings))
        case GarmentPhoto():
            return _fitted(settings.part, open_garment(settings, cut_out))


def _fitted(part: Garment, flat_for: FlatFor) -> OpenEffect:
    """Fit cloth to those who wear `part`; nothing happens where the model does not have it."""

    def put_on(state: Any, picture: Image, matte: Matte, pts_ns: int) -> tuple[Any, Image]:
        region = matte.classes.region(part)
        return (state, picture) if region is None else fit(state or (), picture, matte, flat_for(region), pts_ns)

    return put_on


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


def _before_video(clip: VideoLookup, picture: Image, matte: Matte, pts_ns: int) -> tuple[VideoLookup, Image]:
    """Each camera plays the video at its own pace, so its clip is its state."""
    return clip, background.composite_over_video(picture, matte, clip, pts_ns)
