"""What is drawn on people and behind them: backgrounds, colours, textures and fitted garment photos."""

from clothseg.tryon.asset import EffectError
from clothseg.tryon.background import BackgroundBlur, BackgroundColour, BackgroundImage, BackgroundVideo, Clip
from clothseg.tryon.effect import Effect, OpenEffect, apply_effects, open_effects
from clothseg.tryon.garment import CutOut, GarmentPhoto
from clothseg.tryon.recolour import Recolour
from clothseg.tryon.texture import Texture

__all__ = [
    "BackgroundBlur",
    "BackgroundColour",
    "BackgroundImage",
    "BackgroundVideo",
    "Clip",
    "CutOut",
    "Effect",
    "EffectError",
    "GarmentPhoto",
    "OpenEffect",
    "Recolour",
    "Texture",
    "apply_effects",
    "open_effects",
]
