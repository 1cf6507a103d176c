"""Effects on people and behind them: backgrounds, colours, textures and fitted garment photos."""

from clothseg.tryon.asset import EffectError
from clothseg.tryon.background import BackgroundBlur, BackgroundColour, BackgroundImage, BackgroundVideo
from clothseg.tryon.effect import BackgroundEffect, GarmentEffect, OpenEffect, PhotoMatting, Resources, VideoLookup
from clothseg.tryon.effects import Effect, apply_effects, open_effects
from clothseg.tryon.garment import GarmentPhoto
from clothseg.tryon.recolour import Recolour
from clothseg.tryon.texture import Texture

__all__ = [
    "BackgroundBlur",
    "BackgroundColour",
    "BackgroundEffect",
    "BackgroundImage",
    "BackgroundVideo",
    "Effect",
    "EffectError",
    "GarmentEffect",
    "GarmentPhoto",
    "OpenEffect",
    "PhotoMatting",
    "Recolour",
    "Resources",
    "Texture",
    "VideoLookup",
    "apply_effects",
    "open_effects",
]
