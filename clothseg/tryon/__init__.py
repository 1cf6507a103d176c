"""What is drawn on people and behind them: backgrounds, colours, textures and fitted garment photos."""

from clothseg.tryon.asset import EffectError
from clothseg.tryon.background import BackgroundBlur, BackgroundColour, BackgroundImage, BackgroundVideo, Clip
from clothseg.tryon.effect import Effect, OpenEffect, apply_effects, open_effects
from clothseg.tryon.recolour import Recolour

__all__ = [
    "BackgroundBlur",
    "BackgroundColour",
    "BackgroundImage",
    "BackgroundVideo",
    "Clip",
    "Effect",
    "EffectError",
    "OpenEffect",
    "Recolour",
    "apply_effects",
    "open_effects",
]
