"""What can be known to be wrong before anything starts: refused at once, in one sentence."""

from __future__ import annotations

from clothseg.checkpoint import DEFAULT_WEIGHTS, read_metadata
from clothseg.tryon import EffectError, open_effects
from stream import sinks
from stream.clip import open_clip
from stream.config import ConfigError, Run
from stream.sources import SourceError


def check(settings: Run, stages: tuple[str, ...]) -> None:
    """Refuse settings that could not work on this host; raises StreamError."""
    if "inference" in stages:
        _check_weights(settings)
    if "composite" in stages:
        sinks.check(settings.outputs, list(settings.cameras))
        try:
            open_effects(settings.effects, open_clip)
        except (EffectError, SourceError) as error:
            raise ConfigError(f"effects: {error}") from error
    if len(stages) == 1 and None in (settings.transport.dispatch, settings.transport.results):
        raise ConfigError(
            "transport: --stage expects transport.dispatch and transport.results, the endpoints where the "
            "stages meet, as in tcp://10.0.0.1:5550; add them to the config"
        )


def _check_weights(settings: Run) -> None:
    weights = settings.model.weights or DEFAULT_WEIGHTS
    try:
        read_metadata(weights)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.weights: {error}") from error
