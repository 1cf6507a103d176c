"""Sinks: you write `Output` messages of several cameras to one, and close it.

    recording       files: H.264 MP4 of the composite, VP9 WebM of the cut-out …
    publisher       a ZeroMQ publisher
    push            an RTSP, RTMP, SRT or UDP stream to a server
    mjpeg           MJPEG over HTTP
    virtual_camera  a webcam of this host
    window          a preview on the screen
    null            nowhere

Each is a file here, which `registry` lists. `Tee` writes to several and lets one fail without the others.
"""

from stream.sinks.error import SinkError
from stream.sinks.registry import SinkContext, SinkType, check, open_beside, open_sink, type_of

__all__ = ["SinkContext", "SinkError", "SinkType", "check", "open_beside", "open_sink", "type_of"]
