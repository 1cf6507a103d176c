"""Every effect under one name: settings are opened once, then applied to each picture in turn."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clothseg.matting.matting import Matte
from clothseg.tryon import background
from clothseg.tryon.asset import EffectError, read_picture
from clothseg.tryon.background import BackgroundBlur, BackgroundColour, BackgroundImage, BackgroundVideo, Clip
from clothseg.tryon.blend import Picture, exchange, strips
from clothseg.tryon.fitting import FlatFor, fit
from clothseg.tryon.garment import CutOut, GarmentPhoto, cut_out_clothing, open_garment
from clothseg.tryon.part import Part
from clothseg.tryon.recolour import Recolour, recolour
from clothseg.tryon.texture import Texture, open_texture

Background = BackgroundColour | BackgroundImage | BackgroundVideo | BackgroundBlur

Effect = Background | Recolour | Texture | GarmentPhoto
"""Settings of one effect; in YAML and JSON the key `effect` says which."""

OpenEffect = Callable[[Any, Picture, Matte, int], tuple[Any, Picture]]
"""(state, picture, matte, pts_ns) → (state, picture); pure. The state is one camera's, None at first."""


OpenClip = Callable[[BackgroundVideo], Clip]
"""Opens the file of a background video; files of that kind are the stream's to read."""

_LONGEST_PX = 1920


def open_effects(
    settings: Sequence[Effect], open_clip: OpenClip, cut_out: CutOut = cut_out_clothing
) -> tuple[OpenEffect, ...]:
    """Read whatever `settings` name and return the effects, the background first: garments are drawn on top
    of it.

    `cut_out` finds the garment in a photo without alpha. Raises EffectError, in one sentence, for a picture
    that cannot be used or for more than one background.
    """
    behind = [effect for effect in settings if isinstance(effect, Background)]
    if len(behind) > 1:
        raise EffectError(f"{len(behind)} backgrounds are asked for, expected at most one: remove the others")
    worn = [effect for effect in settings if not isinstance(effect, Background)]
    opened = [_open_background(effect, open_clip) for effect in behind]
    dressing = [_open_worn(effect, cut_out) for effect in worn]
    return (*opened, *(dressing if len(dressing) < 2 else [_one_upon_another(dressing)]))


def apply_effects(
    effects: Sequence[OpenEffect], states: Sequence[Any] | None, picture: Picture, matte: Matte, pts_ns: int
) -> tuple[tuple[Any, ...], Picture]:
    """Apply `effects` to `picture` in turn; `states` are those returned for this camera's last picture.

    None begins anew: at a camera's first picture, after a reconnect, and when the effects were changed.
    """
    after = []
    for effect, state in zip(effects, states or [None] * len(effects), strict=True):
        now, picture = effect(state, picture, matte, pts_ns)
        after.append(now)
    return tuple(after), picture


def _open_background(settings: Background, open_clip: OpenClip) -> OpenEffect:
    """A background with what it shows in memory."""
    match settings:
        case BackgroundColour():
            return lambda state, picture, matte, pts_ns: background.before_colour(state, picture, matte, settings)
        case BackgroundBlur():
            return lambda state, picture, matte, pts_ns: (state, background.before_blur(picture, matte, settings))
        case BackgroundImage():
            image = read_picture(settings.image, _LONGEST_PX)[:, :, :3].copy()
            return lambda state, picture, matte, pts_ns: background.before_image(state, picture, matte, image)
        case BackgroundVideo():
            open_clip(settings)  # what cannot be read is refused now
            return lambda state, picture, matte, pts_ns: _before_video(
                state or open_clip(settings), picture, matte, pts_ns
            )


def _open_worn(settings: Recolour | Texture | GarmentPhoto, cut_out: CutOut) -> OpenEffect:
    """An effect on a garment with what it shows in memory."""
    match settings:
        case Recolour():
            return lambda state, picture, matte, pts_ns: recolour(state, picture, matte, settings, pts_ns)
        case Texture():
            return _fitted(settings.part, open_texture(settings))
        case GarmentPhoto():
            return _fitted(settings.part, open_garment(settings, cut_out))


def _fitted(part: Part, flat_for: FlatFor) -> OpenEffect:
    """Cloth on whoever wears `part`; nobody does where the model does not tell it."""

    def put_on(state: Any, picture: Picture, matte: Matte, pts_ns: int) -> tuple[Any, Picture]:
        region = matte.classes.region(part)
        return (state, picture) if region is None else fit(state or (), picture, matte, flat_for(region), pts_ns)

    return put_on


def _one_upon_another(worn: Sequence[OpenEffect]) -> OpenEffect:
    """Several effects on garments as one: each finds the person in the colours that those before have left."""

    def dress(states: Any, picture: Picture, matte: Matte, pts_ns: int) -> tuple[Any, Picture]:
        whole = matte._replace(alpha=np.full_like(matte.alpha, 255))
        after = []
        for effect, state in zip(worn, states or [None] * len(worn), strict=True):
            now, dressed = effect(state, whole.foreground, whole, pts_ns)
            whole = whole._replace(foreground=dressed)
            after.append(now)
        shown = picture.copy()
        for strip in strips(matte.alpha):
            exchange(shown[strip], matte.alpha[strip], matte.foreground[strip], whole.foreground[strip])
        return tuple(after), shown

    return dress


def _before_video(clip: Clip, picture: Picture, matte: Matte, pts_ns: int) -> tuple[Clip, Picture]:
    """Each camera plays the video at its own pace, so its clip is its state."""
    return clip, background.before_video(picture, matte, clip, pts_ns)
