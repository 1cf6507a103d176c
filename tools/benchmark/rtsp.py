"""Serves a clip as an RTSP camera would: `served(CLIP)` for the benchmark, and the server for the system's Python.

The server needs python3-gi, gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins base and good, which no wheel has. Run
as a program, `/usr/bin/python3 rtsp.py CLIP`, it imports nothing else, prints its port, and serves until it is ended.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"


class NoServerError(RuntimeError):
    """This host has no RTSP server; the text says what it said."""


@contextmanager
def served(clip: Path) -> Iterator[str]:
    """The address under which an H.264 clip is played in real time, from its beginning for who comes first.

    Raises NoServerError where there is no system Python with GStreamer's RTSP server.
    """
    try:
        server = subprocess.Popen(
            [SYSTEM_PYTHON, __file__, str(clip)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        raise NoServerError(str(error)) from error
    try:
        assert server.stdout is not None
        assert server.stderr is not None
        port = server.stdout.readline().strip()
        if not port:
            raise NoServerError((server.stderr.read().strip().splitlines() or ["it said nothing"])[-1])
        yield f"rtsp://127.0.0.1:{port}/live"
    finally:
        server.kill()
        server.communicate()


def serve(clip: str) -> None:
    """Serve until ended; the packets go out as they are, by their timestamps."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f'( filesrc location="{clip}" ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )'
    )
    factory.set_shared(True)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    serve(sys.argv[1])
