"""Every kind of output: which file opens which settings, and what such a file says of itself."""

from __future__ import annotations

import importlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from stream.message import Output
from stream.settings.config import Mjpeg, Null, OutputSettings, Publisher, Push, Recording, VirtualCamera, Window
from stream.sinks.background import BackgroundSink
from stream.sinks.camera_filter import CameraFilter
from stream.sinks.error import SinkError
from stream.stage import Sink

_MODULES: Final[Mapping[type[OutputSettings], str]] = {
    Recording: "stream.sinks.recording",
    Publisher: "stream.sinks.publisher",
    Push: "stream.sinks.push",
    Mjpeg: "stream.sinks.mjpeg",
    VirtualCamera: "stream.sinks.virtual_camera",
    Window: "stream.sinks.window",
    Null: "stream.sinks.null",
}
"""The file of each kind, which says what it is as `SINK`; loaded when a run has such an output."""

_LOG = logging.getLogger(__name__)

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What a sink may know of its run and tell it."""

    cameras: tuple[str, ...]
    """The run's own cameras; visitors' come and go."""
    request_stop: Callable[[], None]
    """To be called where a person asks the output to end the run."""
    notify: Callable[[str], None] = _LOG.warning
    """Takes a sentence on what becomes of the output, from any thread."""


def _nothing_to_check(settings: Any, cameras: Sequence[str]) -> None:
    """An output that cannot be known to be wrong before it is opened."""


def _all(settings: Any, cameras: Sequence[str]) -> Sequence[str]:
    return cameras


@dataclass(frozen=True)
class SinkType(Generic[Settings]):
    """What the file of a sink says of it."""

    name: Callable[[Settings], str]
    """An output as a person would call it, without secrets."""
    open: Callable[[Settings, SinkContext], Sink[Output]]
    """Raises SinkError."""
    takes: Literal["every", "newest", "direct"]
    """How frames reach it.

    `every`: in a thread of its own, all of them; where it is slow, the pipeline waits. `newest`: in a thread of its
    own, the newest frame and no news; after a SinkError it is opened again. `direct`: from the pipeline's thread, which
    waits for `write`, so that it must return at once."""
    check: Callable[[Settings, Sequence[str]], None] = _nothing_to_check
    """Refuse, before anything starts, settings with which it could not work for these cameras; raises SinkError."""
    cameras: Callable[[Settings, Sequence[str]], Sequence[str]] = _all
    """Which of the run's own cameras it takes."""


def type_of(settings: OutputSettings) -> SinkType[Any]:
    """What the file says that opens such settings."""
    sink_type: SinkType[Any] = importlib.import_module(_MODULES[type(settings)]).SINK
    return sink_type


def check(outputs: Sequence[OutputSettings], cameras: Sequence[str]) -> None:
    """Raise `SinkError` with the reason, before anything starts, for outputs that cannot work.

    A recording's folder is made where it is missing.
    """
    paths = Counter(settings.path for settings in outputs if isinstance(settings, Recording))
    for path, recordings in paths.items():
        if recordings > 1:
            raise SinkError(f"{recordings} recordings would be written to the same file {path}")
    for settings in outputs:
        type_of(settings).check(settings, cameras)


def open_sink(
    settings: OutputSettings,
    cameras: Sequence[str],
    request_stop: Callable[[], None],
    notify: Callable[[str], None] = _LOG.warning,
) -> Sink[Output]:
    """Open one output without a buffer before it; raises `SinkError`. See `SinkContext` for the arguments."""
    return type_of(settings).open(settings, SinkContext(tuple(cameras), request_stop, notify))


def open_beside(settings: OutputSettings, context: SinkContext) -> Sink[Output]:
    """Open one output as its file says that it takes frames, and keep visitors' cameras away from it."""
    sink_type = type_of(settings)
    sink: Sink[Output]
    match sink_type.takes:
        case "every":
            sink = BackgroundSink(sink_type.open(settings, context))
        case "newest":
            from stream.sinks.reconnecting import ReconnectingSink

            name = sink_type.name(settings)
            sink = ReconnectingSink(name, lambda: sink_type.open(settings, context), context.notify)
        case "direct":
            sink = sink_type.open(settings, context)
    return CameraFilter(sink, sink_type.cameras(settings, context.cameras))
