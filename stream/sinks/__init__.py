"""Sinks: you write `Output` messages of several cameras to one, and close it.

    recording    files: H.264 MP4 of the composite, VP9 WebM of the cut-out …    stream.sinks.recording
    publisher    a ZeroMQ publisher                                             stream.sinks.publisher
    push         an RTSP, RTMP, SRT or UDP stream to a server                    stream.sinks.push
    mjpeg        MJPEG over HTTP                                                stream.sinks.mjpeg
    virtualcam   a webcam of this host                                          stream.sinks.virtualcam
    window       a preview on the screen                                        stream.sinks.window
    null         nowhere                                                        stream.sinks.null

`Tee` writes to several and lets one fail without the others.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from stream.message import Output
from stream.settings.config import Mjpeg, Null, OutputSettings, Publisher, Push, Recording, VirtualCamera, Window
from stream.sinks.error import SinkError
from stream.stage import Sink

__all__ = ["SinkError", "check", "open_sink"]

_LOG = logging.getLogger(__name__)


def check(outputs: Sequence[OutputSettings], cameras: Sequence[str]) -> None:
    """Raise `SinkError` with the reason, before anything starts, for outputs that cannot work.

    A recording's folder is made where it is missing.
    """
    paths = Counter(settings.path for settings in outputs if isinstance(settings, Recording))
    for path, recordings in paths.items():
        if recordings > 1:
            raise SinkError(f"{recordings} recordings would be written to the same file {path}")
    for settings in outputs:
        match settings:
            case Recording():
                from stream.sinks import recording

                recording.check(settings, cameras)
            case Push():
                from stream.sinks import push

                push.check(settings, cameras)
            case Mjpeg():
                from stream.sinks import mjpeg

                mjpeg.check()
            case VirtualCamera():
                from stream.sinks import virtualcam

                virtualcam.check(settings, cameras)
            case Window():
                from stream.sinks import window

                window.check()
            case Publisher() | Null():
                continue


def open_sink(
    settings: OutputSettings,
    cameras: Sequence[str],
    request_stop: Callable[[], None],
    notify: Callable[[str], None] = _LOG.warning,
) -> Sink[Output]:
    """Open one output. Raises `SinkError`.

    `request_stop` is called where a person asks it to end the run; `publish` is given a sentence on what becomes of it,
    from any thread (by default the log is).
    """
    sink: Sink[Output]
    match settings:
        case Recording():
            from stream.sinks.recording import RecordingSink

            sink = RecordingSink(settings, cameras)
        case Publisher():
            from stream.sinks.publisher import PublisherSink

            sink = PublisherSink(settings, cameras)
        case Push():
            from stream.sinks.push import PushSink

            sink = PushSink(settings, cameras, notify)
        case Mjpeg():
            from stream.sinks.mjpeg import MjpegSink

            sink = MjpegSink(settings)
        case VirtualCamera():
            from stream.sinks.virtualcam import VirtualCameraSink

            sink = VirtualCameraSink(settings, cameras, notify)
        case Window():
            from stream.sinks.window import WindowSink

            sink = WindowSink(request_stop)
        case Null():
            from stream.sinks.null import NullSink

            sink = NullSink()
    return sink
