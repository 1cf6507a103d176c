"""A hardened uvicorn server: connections are bounded, each has deadlines, errors are reported once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

GONE: Final = (WebSocketDisconnect, WebSocketDisconnected)
"""Raised by Starlette where a page went away while something was sent to it."""
REQUEST_S = 5.0
"""A connection is given so long for its TLS handshake, and so long for each request's head."""
UNREAD_S = 10.0
"""A peer that has not read what was sent to it for so long is disconnected."""
_RETRY_S = 1.0
_REPORTED = 20


class Once:
    """Report each text once, at most so many in all: provoked errors cannot fill the log."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._notified: set[str] = set()

    def __call__(self, text: str) -> None:
        if text not in self._notified and len(self._notified) < _REPORTED:
            self._notified.add(text)
            self._notify(text)

    def on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Exception handler of the event loop: report an error that no task awaits."""
        error = context.get("exception")
        self(f"{context['message']} ({type(error).__name__}: {error})" if error else str(context["message"]))


class Server(uvicorn.Server):
    """Serves on `listener`, at most `max_connections` connections at once.

    One more replaces the oldest that has requested nothing yet; where there is none, it is closed.
    Leaves signals alone: the supervisor stops all stages in order.
    """

    def __init__(
        self, config: uvicorn.Config, listener: socket.socket, max_connections: int, notify: Callable[[str], None]
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._max_connections = max_connections
        self._once = Once(notify)
        config.app = _Quiet(config.app, self._once)  # type: ignore[arg-type]
        self._waiting: dict[_HttpProtocol, None] = {}
        self._arriving: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    def capture_signals(self) -> AbstractAsyncContextManager[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._once.on_loop_error)
        await super().startup(sockets=[])
        self._listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
        self._listener.close()
        for task in self._arriving:
            task.cancel()
        await super().shutdown(sockets=[])

    async def _accept(self) -> None:
        """Not asyncio's own, which knows no bound and writes thousands of lines a second without descriptors."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except ConnectionError:
                continue  # gone before it was let in
            except OSError as error:
                self._once(f"no more connections can be taken for the moment ({error.strerror})")
                await asyncio.sleep(_RETRY_S)
                continue
            if self._full() and not self._make_room():
                connection.close()
                continue
            task = asyncio.create_task(self._admit(connection))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    def _full(self) -> bool:
        return len(self.server_state.connections) + len(self._arriving) >= self._max_connections

    def _make_room(self) -> bool:
        oldest = next(iter(self._waiting), None)
        if oldest is not None:
            self._waiting.pop(oldest)
            oldest.transport.abort()
        return oldest is not None

    async def _admit(self, connection: socket.socket) -> None:
        def requests() -> _HttpProtocol:
            return _HttpProtocol(self.config, self.server_state, self.lifespan.state, waiting=self._waiting)

        secured = self.config.ssl
        timeout = {"ssl_handshake_timeout": REQUEST_S, "ssl_shutdown_timeout": 1.0} if secured else {}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(requests, connection, ssl=secured, **timeout)
        except OSError:  # no handshake, or none in time
            connection.close()


class _Quiet:
    """Report an application error in one sentence; a peer that has gone is no error."""

    def __init__(self, app: ASGIApp, once: Once) -> None:
        self._app = app
        self._once = once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except (*GONE, OSError):
            return
        except Exception as error:  # noqa: BLE001 (one request never ends the others)
            self._once(f"a request could not be answered ({type(error).__name__}: {error})")


class _HttpProtocol(H11Protocol):
    """Close connections that request nothing in time, or do not read; abort those that do not respond.

    (A close would wait half a minute for the peer's close_notify in TLS.)
    """

    def __init__(self, *args: Any, waiting: dict[_HttpProtocol, None]) -> None:
        super().__init__(*args)
        self._waiting = waiting
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._mark_active()
        self.resume_writing()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._mark_active()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._mark_active()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        self._await_request()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _await_request(self) -> None:
        self._mark_active()
        self._waiting[self] = None
        self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _mark_active(self) -> None:
        self._waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Line(WebSocketsSansIOProtocol):
    """A WebSocket that is aborted at once where its page does not answer pings."""

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()


def settings(app: object, **more: Any) -> uvicorn.Config:
    """Return uvicorn's settings for `Server`; its own log is off, as strangers could fill it."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=_HttpProtocol,
        ws=Line,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="critical",
        timeout_graceful_shutdown=1,
        **more,
    )
