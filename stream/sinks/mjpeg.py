"""Serves every camera's view as MJPEG over HTTP, which any browser and most players show; needs Starlette."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import socket
import threading
from collections.abc import AsyncIterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

from stream.message import CompositedFrame, EndOfStream, Outage, Output, Pixels, StreamStart
from stream.settings.config import Mjpeg
from stream.sinks.error import SinkError
from stream.sinks.registry import SinkType
from stream.sinks.window import no_signal
from stream.transport import codec

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

BOUNDARY = "frame"
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]", "::1")
_CLOSE_TIMEOUT_S = 1.0
_CONNECTIONS = 64
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # pictures of people, which no cache on the way is to keep
}

log = logging.getLogger(__name__)


def check() -> None:
    """Raise SinkError where what it needs is not installed."""
    if not all(importlib.util.find_spec(name) for name in ("starlette", "uvicorn")):
        raise SinkError("MJPEG needs Starlette and uvicorn: pip install 'clothseg[web]'")


class LazyJpeg:
    """A picture to be shown, made a JPEG once, when the first browser wants it."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels

    @cached_property
    def part(self) -> bytes:
        """The picture as one part of a multipart/x-mixed-replace body."""
        jpeg = bytes(codec.encode(self.pixels, "jpeg"))
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        return head.encode() + jpeg + b"\r\n"


class CameraFeed:
    """The newest JPEG of a camera, and one event per connected client; lives in the server's thread."""

    def __init__(self) -> None:
        self.jpeg: LazyJpeg | None = None
        self.ended = False
        self.client_events: set[asyncio.Event] = set()

    def update(self, shot: LazyJpeg | None) -> None:
        """Show another picture; None: there will be no more."""
        self.jpeg, self.ended = shot or self.jpeg, shot is None
        for event in self.client_events:
            event.set()

    async def multipart_parts(self) -> AsyncIterator[bytes]:
        """Every picture from now on; who is slow gets the newest."""
        event = asyncio.Event()
        self.client_events.add(event)
        try:
            if self.jpeg is not None:
                event.set()
            while not self.ended:
                await event.wait()
                event.clear()
                if self.jpeg is not None and not self.ended:
                    yield self.jpeg.part
        finally:
            self.client_events.discard(event)


class MjpegSink:
    """A web server in a thread of its own: `/` lists the cameras, `/{camera}.mjpg` is one."""

    def __init__(self, settings: Mjpeg) -> None:
        check()
        from stream.media.http_server import Server
        from stream.media.http_server import settings as server_settings

        host, port = settings.address
        try:
            self._socket = socket.create_server((host, port))
        except OSError as error:
            raise SinkError(f"cannot serve MJPEG at {settings.bind}: {error.strerror}") from None
        self.port: int = self._socket.getsockname()[1]
        self._feeds: dict[str, CameraFeed] = {}
        self._loop = asyncio.new_event_loop()
        app = application(self._feeds, local=host in _LOCAL_NAMES)
        self._server = Server(server_settings(app, lifespan="off"), self._socket, _CONNECTIONS, log.warning)
        self._thread = threading.Thread(target=self._serve, name="mjpeg", daemon=True)
        self._thread.start()

    def write(self, item: Output) -> None:
        """Show a frame, or what has become of its camera; encodes nothing."""
        match item:
            case CompositedFrame():
                self._update_feed(item.frame.camera, LazyJpeg(item.composite))
            case StreamStart():
                return
            case Outage():
                view = self._feeds.get(item.camera)
                self._update_feed(item.camera, LazyJpeg(no_signal(view.jpeg.pixels if view and view.jpeg else None)))
            case EndOfStream():
                self._update_feed(item.camera, None)

    def wants(self, camera: str) -> bool:
        """Return whether a client is connected, or the page has no picture of it yet."""
        view = self._feeds.get(camera)
        return view is None or view.jpeg is None or bool(view.client_events)

    def close(self) -> None:
        """End every stream, then the server."""
        for camera in list(self._feeds):
            self._update_feed(camera, None)
        self._server.should_exit = True
        self._thread.join(2 * _CLOSE_TIMEOUT_S)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._server.serve())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._socket.close()
            self._loop.close()

    def _update_feed(self, camera: str, shot: LazyJpeg | None) -> None:
        def show() -> None:
            view = self._feeds.setdefault(camera, CameraFeed())
            view.update(shot)
            if shot is None:
                del self._feeds[camera]

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(show)


def application(feeds: dict[str, CameraFeed], *, local: bool) -> Starlette:
    """The server's pages; a `local` one answers only those who call it by a local name."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import HTMLResponse, PlainTextResponse, StreamingResponse
    from starlette.routing import Route

    async def index(_: Request) -> Response:
        images = "".join(f'<figure><img src="/{name}.mjpg"><figcaption>{name}</figcaption></figure>' for name in feeds)
        page = f"<!doctype html><title>Live</title>{images or 'No camera is running.'}"
        return HTMLResponse(page, headers=_HEADERS)

    async def camera(request: Request) -> Response:
        view = feeds.get(request.path_params["camera"])
        if view is None:
            known = f"expected one of {', '.join(feeds) or 'no camera'}\n"
            return PlainTextResponse(known, status_code=404, headers=_HEADERS)
        multipart = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        return StreamingResponse(view.multipart_parts(), media_type=multipart, headers=_HEADERS)

    routes = [Route("/", index), Route("/{camera}.mjpg", camera)]
    allowed = list(_LOCAL_NAMES) if local else ["*"]  # on loopback another name is a page elsewhere (DNS rebinding)
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=allowed)])


SINK: Final[SinkType[Mjpeg]] = SinkType(
    name=lambda settings: f"mjpeg {settings.bind}",
    check=lambda settings, cameras: check(),
    open=lambda settings, context: MjpegSink(settings),
    takes="direct",
)
