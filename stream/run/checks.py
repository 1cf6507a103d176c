"""What can be known to be wrong before anything starts: refused at once, in one sentence."""

from __future__ import annotations

from clothseg.network.checkpoint import DEFAULT_WEIGHTS, read_metadata
from stream import sinks
from stream.composite.effects import open_dressing
from stream.settings.config import ConfigError, Run


def check(settings: Run, stages: tuple[str, ...]) -> None:
    """Refuse settings that could not work on this host; raises StreamError."""
    if "inference" in stages:
        _check_weights(settings)
    if "composite" in stages:
        sinks.check(settings.outputs, list(settings.cameras))
        open_dressing(settings.effects)
    if len(stages) == 1 and None in (settings.transport.dispatch, settings.transport.results):
        raise ConfigError(
            "transport: --stage expects transport.dispatch and transport.results, the endpoints where the "
            "stages meet, as in tcp://10.0.0.1:5550; add them to the config"
        )


def _check_web(settings: Run, stages: tuple[str, ...]) -> None:
    assert settings.web is not None
    if "inference" not in stages:
        raise ConfigError(
            "web: the page runs where capture and composite do: leave out --stage (more workers may run elsewhere)"
        )
    if "composite" in stages:
        try:
            from stream.web.serve import check as check_page
        except ImportError as error:
            raise ConfigError(f"web: {error.name} is missing: pip install 'clothseg[web]'") from error
        check_page(settings.web)


def _check_weights(settings: Run) -> None:
    weights = settings.model.weights or DEFAULT_WEIGHTS
    try:
        read_metadata(weights)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.weights: {error}") from error
