"""Opens a camera's effects: the pictures they name, and the videos behind people."""

from __future__ import annotations

from collections.abc import Sequence

from clothseg.classes import ClassMap
from clothseg.tryon import Effect, EffectError, GarmentPhoto, OpenEffect, Recolour, Texture, open_effects
from clothseg.tryon.cutout import Cutout
from stream.composite.background_video import open_background_video
from stream.settings.config import ConfigError
from stream.sources import SourceError


def open_camera_effects(effects: Sequence[Effect]) -> tuple[OpenEffect, ...]:
    """The effects, ready to be applied; ConfigError names the file that cannot be used, and why."""
    try:
        return open_effects(effects, open_background_video)
    except (EffectError, SourceError) as error:
        raise ConfigError(f"effects: {error}") from error


def expect_cut_out(classes: ClassMap, cutout: Cutout) -> None:
    """Raise ConfigError for a cut-out of a class that the model does not have."""
    if cutout not in classes.cut_outs:
        raise ConfigError(f"cutout: expected one of {', '.join(classes.cut_outs)}, got {cutout}")


def expect_garments(classes: ClassMap, effects: Sequence[Effect]) -> None:
    """Raise ConfigError for effects on garments that the model does not have."""
    garments = [classes.names[index] for index in classes.garments]
    for number, effect in enumerate(effects):
        if isinstance(effect, Recolour | Texture | GarmentPhoto) and effect.part not in garments:
            known = f"one of {', '.join(garments)}" if garments else "none, for the model tells no garments"
            raise ConfigError(f"effects[{number}].part: expected {known}, got {effect.part}")
