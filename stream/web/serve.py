"""The web process: one more stage of a run, which binds the address and serves whoever comes."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from stream.process.pipe import BEAT_S, Lifeline, Notice
from stream.settings.config import ConfigError, Run, Web
from stream.stage import StreamError
from stream.transport.sockets import Peer
from stream.web.access import open_access
from stream.web.app import build
from stream.web.dresser import Dresser
from stream.web.session import House
from stream.web.talk import MAX_TEXT_BYTES
from stream.web.uplink import Uplink
from stream.web.wardrobe import read_wardrobe

_SIGN_OF_LIFE_S = 2  # a page is asked for one so often, and must give it in that time
_GRACE_S = 1


class WebError(StreamError):
    """The page cannot be served; one sentence."""


def check(settings: Web) -> None:
    """Refuse settings with which the page could not be served; raises ConfigError."""
    open_access(settings)
    read_wardrobe(settings)
    if (settings.certificate is None) != (settings.key is None):
        raise ConfigError("web.certificate and web.key: expected both or neither")
    for name, path in (("certificate", settings.certificate), ("key", settings.key)):
        if path is not None and not path.is_file():
            raise ConfigError(f"web.{name}: expected a file, {path} is none")


def serve(settings: Run, name: str, lifeline: Lifeline) -> None:
    """Serve the page until told to stop."""
    web, transport = settings.web, settings.transport
    assert web is not None
    assert transport.dispatch is not None
    assert transport.published is not None
    assert settings.control is not None
    access, wardrobe = open_access(web), read_wardrobe(web)
    listener = _listen(web)
    peer = Peer(transport.dispatch, f"{name}.{os.getpid()}", transport.keys)
    dresser = Dresser(settings.control.bind)
    try:
        uplink = Uplink(peer, web.visitors, web.rate_hz)
        house = House(web, tuple(settings.cameras), transport.published, uplink, wardrobe, dresser)
        server = _server(web, build(house, access, _alongside(uplink)))
        lifeline.report(Notice(f"the page is at {address(web, listener)}"))
        asyncio.run(_serve(server, listener, lifeline))
    finally:
        dresser.close()
        peer.close()
        listener.close()


def address(web: Web, listener: socket.socket) -> str:
    """The URL to open in a browser."""
    host, _ = web.address
    named = f"[{host}]" if ":" in host else host
    return f"{'https' if web.certificate else 'http'}://{named}:{listener.getsockname()[1]}/"


def _listen(web: Web) -> socket.socket:
    host, port = web.address
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        cause = error.strerror or error
        raise WebError(f"web.bind: cannot serve at {web.bind} ({cause}): choose another port") from error


def _alongside(uplink: Uplink) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """What runs for as long as the server does: hearing what dispatch has room for."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        hearing = asyncio.create_task(uplink.run())
        try:
            yield
        finally:
            hearing.cancel()

    return lifespan


class _Server(uvicorn.Server):
    def capture_signals(self) -> AbstractAsyncContextManager[None]:  # type: ignore[override]
        """Leave signals alone: the launcher stops all stages in order."""
        return nullcontext()


# A peer that gives no sign of life is hung up on at once: to close would wait half a minute for its goodbye in TLS.


class _Requests(H11Protocol):
    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.transport.abort()


class _Line(WebSocketsSansIOProtocol):
    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()


def _server(web: Web, app: object) -> _Server:
    return _Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            http=_Requests,
            timeout_keep_alive=_SIGN_OF_LIFE_S,
            ws=_Line,
            ws_max_size=MAX_TEXT_BYTES,
            ws_max_queue=8,
            ws_ping_interval=_SIGN_OF_LIFE_S,
            ws_ping_timeout=_SIGN_OF_LIFE_S,
            ws_per_message_deflate=False,
            ssl_certfile=web.certificate,
            ssl_keyfile=web.key,
            timeout_graceful_shutdown=_GRACE_S,
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_level="error",
        )
    )


async def _serve(server: _Server, listener: socket.socket, lifeline: Lifeline) -> None:
    serving = asyncio.create_task(server.serve([listener]))
    while not serving.done():
        lifeline.beat()
        for _ in lifeline.heard():
            pass
        if lifeline.stopping:
            server.should_exit = True
        await asyncio.wait([serving], timeout=BEAT_S)
    await serving
