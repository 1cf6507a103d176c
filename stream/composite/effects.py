"""Opens a camera's effects: the pictures they name, and the videos behind people."""

from __future__ import annotations

from collections.abc import Sequence

from clothseg.tryon import Effect, EffectError, OpenEffect, open_effects
from stream.composite.background_video import open_clip
from stream.settings.config import ConfigError
from stream.sources import SourceError


def open_dressing(effects: Sequence[Effect]) -> tuple[OpenEffect, ...]:
    """The effects, ready to be applied; ConfigError names the file that cannot be used, and why."""
    try:
        return open_effects(effects, open_clip)
    except (EffectError, SourceError) as error:
        raise ConfigError(f"effects: {error}") from error
