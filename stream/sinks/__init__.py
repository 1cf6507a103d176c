"""Where results go: something you write `Output` messages of several cameras to, and close.

    recording    files: H.264 MP4 of the composite, VP9 WebM of the cut-out …    stream.sinks.recording
    publisher    a ZeroMQ publisher                                             stream.sinks.publisher
    window       a preview on the screen                                        stream.sinks.window
    null         nowhere                                                        stream.sinks.null

`Tee` writes to several and lets one fail without the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from stream.config import Null, OutputSettings, Publisher, Recording, Window
from stream.message import Output
from stream.sinks.error import SinkError
from stream.stage import Sink

__all__ = ["SinkError", "check", "open_sink"]


def check(outputs: Sequence[OutputSettings], cameras: Sequence[str]) -> None:
    """Refuse, before anything starts, outputs that could not work: raise `SinkError` with the reason.

    A recording's folder is made where it is missing.
    """
    paths = Counter(settings.path for settings in outputs if isinstance(settings, Recording))
    for path, recordings in paths.items():
        if recordings > 1:
            raise SinkError(f"{recordings} recordings would be written to the same file {path}")
    for settings in outputs:
        if isinstance(settings, Recording):
            from stream.sinks import recording

            recording.check(settings, cameras)
        elif isinstance(settings, Window):
            from stream.sinks import window

            window.check()


def open_sink(settings: OutputSettings, cameras: Sequence[str], stop: Callable[[], None]) -> Sink[Output]:
    """Open one output; `stop` is called where a person asks it to end the run. Raises `SinkError`."""
    match settings:
        case Recording():
            from stream.sinks.recording import RecordingSink

            return RecordingSink(settings, cameras)
        case Window():
            from stream.sinks.window import WindowSink

            return WindowSink(stop)
        case Publisher():
            from stream.sinks.publisher import PublisherSink

            return PublisherSink(settings)
        case Null():
            from stream.sinks.null import NullSink

            return NullSink()
