"""An RTSP server that takes what is pushed to it, run by the system's Python: H.264 in, Matroska out on stdout.

    /usr/bin/python3 tests/rtsp_recorder.py PORT

Needs what tests/rtsp_server.py needs; imports nothing of the project. Says on stderr when it listens, and takes one
stream at `rtsp://127.0.0.1:PORT/live` until it is ended.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

TAKEN = "( rtph264depay name=depay0 ! h264parse ! matroskamux streamable=true ! fdsink fd=1 sync=false async=false )"


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(TAKEN)
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.set_latency(0)
    server.get_mount_points().add_factory("/live", factory)
    if server.attach(None) == 0:
        raise SystemExit(f"port {sys.argv[1]} cannot be had")
    print("listening", file=sys.stderr, flush=True)
    GLib.MainLoop().run()


main()
