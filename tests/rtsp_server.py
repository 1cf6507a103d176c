"""An RTSP server for the tests, run by the system's Python: H.264 with a key frame every second on 127.0.0.1.

    /usr/bin/python3 tests/rtsp_server.py [--port N] [--rate N] [--pattern NAME] [--user NAME:PASSWORD]
        [--pictures DIR/%05d.jpg]

Needs python3-gi, gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins base, good and ugly; imports nothing of
the project. Prints the port when it is ready and serves `rtsp://127.0.0.1:PORT/live` until it is ended: a
moving ball or another pattern, or the given pictures over and over.
"""

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

BALL = "videotestsrc is-live=true pattern={pattern} ! video/x-raw,width=320,height=240,framerate={rate}/1"
PICTURES = (
    'multifilesrc location="{pictures}" loop=true start-index=0 '
    "caps=image/jpeg,framerate={rate}/1 ! jpegdec ! videoconvert ! video/x-raw,format=I420"
)
ENCODED = (
    "x264enc tune=zerolatency speed-preset=ultrafast bitrate=4000 key-int-max={rate} "
    "! rtph264pay name=pay0 pt=96 config-interval=1"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=int, default=25, help="pictures a second (%(default)s)")
    parser.add_argument("--pattern", default="ball", help="of videotestsrc; smpte stands still (%(default)s)")
    parser.add_argument("--user", help="NAME:PASSWORD a client must give")
    parser.add_argument("--pictures", help="pattern of numbered JPEG files, from 0 on")
    given = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(given.port))
    factory = GstRtspServer.RTSPMediaFactory()
    pictures = (PICTURES if given.pictures else BALL).format(
        pictures=given.pictures, pattern=given.pattern, rate=given.rate
    )
    factory.set_launch(f"( {pictures} ! {ENCODED.format(rate=given.rate)} )")
    factory.set_shared(True)
    if given.user:
        ask_for(given.user, server, factory)
    server.get_mount_points().add_factory("/live", factory)
    if server.attach(None) == 0:
        raise SystemExit(f"port {given.port} cannot be had")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def ask_for(user: str, server: "GstRtspServer.RTSPServer", factory: "GstRtspServer.RTSPMediaFactory") -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(*user.split(":", 1)), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


main()
