"""Effects on people and behind them: backgrounds, colours, textures and fitted garment photos."""

from clothseg.tryon.asset import EffectError
from clothseg.tryon.background import BackgroundBlur, BackgroundColour, BackgroundImage, BackgroundVideo, VideoLookup
from clothseg.tryon.effect import Effect, OpenEffect, apply_effects, open_effects
from clothseg.tryon.garment import GarmentPhoto, PhotoMatting
from clothseg.tryon.recolour import Recolour
from clothseg.tryon.texture import Texture

__all__ = [
    "BackgroundBlur",
    "BackgroundColour",
    "BackgroundImage",
    "BackgroundVideo",
    "Effect",
    "EffectError",
    "GarmentPhoto",
    "OpenEffect",
    "PhotoMatting",
    "Recolour",
    "Texture",
    "VideoLookup",
    "apply_effects",
    "open_effects",
]
