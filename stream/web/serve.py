"""The web process: one more stage of a run, which binds the address and serves the page."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette

from clothseg.model_file import DEFAULT_WEIGHTS, read_metadata
from stream.media.http_server import Server
from stream.media.http_server import settings as server_settings
from stream.process.pipe import HEARTBEAT_S, Notice, SupervisorPipe
from stream.settings.config import ConfigError, Run, Web
from stream.stage import StreamError
from stream.transport.endpoints import Endpoints
from stream.transport.sockets import DealerSocket
from stream.web.access import open_access
from stream.web.app import build
from stream.web.effects_client import EffectsClient
from stream.web.library import read_library
from stream.web.page_protocol import MAX_TEXT_BYTES
from stream.web.rate_limiter import RateLimiter
from stream.web.session import ServerContext
from stream.web.uplink import Uplink
from stream.web.upload import PhotoProcessor

_PING_S = 2  # interval of pings, and how soon a page must answer one
_CONNECTIONS, _CONNECTIONS_PER_VISITOR = 32, 8  # a browser opens six to load a page
_LOG_HZ, _LOG_BURST = 0.1, 20


class WebError(StreamError):
    """The page cannot be served; one sentence."""


def check(settings: Web) -> None:
    """Raise ConfigError for settings with which the page could not be served."""
    open_access(settings)
    read_library(settings)
    if (settings.certificate is None) != (settings.key is None):
        raise ConfigError("web.certificate and web.key: expected both or neither")
    for name, path in (("certificate", settings.certificate), ("key", settings.key)):
        if path is not None and not path.is_file():
            raise ConfigError(f"web.{name}: expected a file, {path} is none")
    if settings.certificate is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.key)
        except OSError as error:  # of which TLS errors are a kind
            cause = error.strerror or error
            raise ConfigError(
                f"web.certificate and web.key: expected a certificate and its private key as PEM ({cause})"
            ) from error


def serve(settings: Run, endpoints: Endpoints, name: str, supervisor: SupervisorPipe) -> None:
    """Serve the page until told to stop."""
    web = settings.web
    assert web is not None  # else the table of processes has no page
    access, library = open_access(web), read_library(web)
    listener = _listen(web)
    peer = DealerSocket(endpoints.dispatch, supervisor.identity, endpoints.keys)
    notify = _rate_limited_log(supervisor)
    keys = settings.control.keys if settings.control is not None else None
    effects_client = EffectsClient(endpoints.control, notify, keys=keys)
    try:
        uplink = Uplink(peer, web.visitors, web.rate_hz)
        folder = _private_folder(endpoints.publish)
        classes = read_metadata(settings.model.weights or DEFAULT_WEIGHTS).class_map
        cameras, studio = tuple(settings.cameras), PhotoProcessor()
        context = ServerContext(
            web, cameras, endpoints.publish, uplink, library, effects_client, studio, folder, classes
        )
        server = _server(web, build(context, access, _lifespan(uplink)), listener, notify)
        supervisor.report(Notice(f"the page is at {address(web, listener)}"))
        asyncio.run(_serve(server, supervisor))
    finally:
        effects_client.close()
        peer.close()
        listener.close()


def _rate_limited_log(supervisor: SupervisorPipe) -> Callable[[str], None]:
    """Return a log callback that passes on as much as a log should hold."""
    limiter = RateLimiter(_LOG_HZ, _LOG_BURST)

    def notify(text: str) -> None:
        if limiter.allow(time.monotonic()):
            supervisor.report(Notice(f"web: {text}"))

    return notify


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


def _lifespan(uplink: Uplink) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Run the uplink for as long as the server runs."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        uplink_task = asyncio.create_task(uplink.run())
        try:
            yield
        finally:
            uplink_task.cancel()

    return lifespan


def _server(web: Web, app: object, listener: socket.socket, notify: Callable[[str], None]) -> Server:
    secured = {"ssl_certfile": web.certificate, "ssl_keyfile": web.key} if web.certificate else {}
    config = server_settings(
        app,
        timeout_keep_alive=_PING_S,
        ws_max_size=MAX_TEXT_BYTES,
        ws_max_queue=8,
        ws_ping_interval=_PING_S,
        ws_ping_timeout=_PING_S,
        ws_per_message_deflate=False,
        **secured,
    )
    return Server(config, listener, _CONNECTIONS + _CONNECTIONS_PER_VISITOR * web.visitors, notify)


def _private_folder(published: str) -> Path | None:
    """The run's own folder, where its sockets are; None where there is none. What a predecessor left is removed."""
    if not published.startswith("ipc://"):
        return None
    folder = Path(published.removeprefix("ipc://")).parent
    for left in folder.glob("visitor-*"):
        shutil.rmtree(left, ignore_errors=True)
    return folder


async def _serve(server: Server, supervisor: SupervisorPipe) -> None:
    serving = asyncio.create_task(server.serve())
    while not serving.done():
        supervisor.heartbeat()
        for _ in supervisor.commands():
            pass
        if supervisor.stopping:
            server.should_exit = True
        await asyncio.wait([serving], timeout=HEARTBEAT_S)
    await serving
