"""The HTTP side: the page and its files, thumbnails, and the WebSocket of each visitor; who may not enter stays out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from stream.media.http_server import GONE
from stream.web.access import COOKIE, SESSION_S, Access, TooManyTriesError
from stream.web.session import ServerContext, Session

STATIC = Path(__file__).with_name("static")
_BODY_S = 5.0
_PAGES_PER_VISITOR = 4  # pages may be open that only watch
POLICY, FULL = 1008, 1013
"""WebSocket close codes (RFC 6455, and its registry): not allowed, and no capacity."""

_SECURITY_HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    b"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",  # with none, browsers do not send the origin of the login form
    b"permissions-policy": b"camera=(self), microphone=(), geolocation=()",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cache-control": b"no-cache",
}
_SECURE = {b"strict-transport-security": b"max-age=31536000"}


def build(
    context: ServerContext, access: Access, lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]]
) -> ASGIApp:
    """The application for the visitors of `context`."""
    pages = _OpenPages(context, access)
    app = Starlette(
        routes=[
            Route("/", _page(access), methods=["GET"]),
            Route("/login", _login(access), methods=["POST"]),
            Route("/{kind:str}/{name:str}.png", _thumbnail(context, access), methods=["GET"]),
            WebSocketRoute("/live", pages.live),
            Mount("/", StaticFiles(directory=STATIC)),
        ],
        lifespan=lifespan,
    )
    return _SecurityMiddleware(app, access)


class _SecurityMiddleware:
    """Reject requests that were meant for another host, and add the security headers to every response."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._access.host_allowed(Headers(scope=scope)):
            await Response("misdirected request: this server has another host name", 421)(scope, receive, send)
            return

        own_host = _SECURITY_HEADERS | (_SECURE if scope.get("scheme") == "https" else {})

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name, value) for name, value in message["headers"] if name.lower() not in own_host]
                message["headers"] = [*own, *own_host.items()]
            await send(message)

        await self._app(scope, receive, headed)


Endpoint = Callable[[Request], Awaitable[Response]]


def _page(access: Access) -> Endpoint:
    async def page(request: Request) -> Response:
        """Serve the page, or the login page where a token is needed."""
        inside = access.inside(request.cookies.get(COOKIE))
        return Response((STATIC / ("index.html" if inside else "login.html")).read_bytes(), media_type="text/html")

    return page


def _login(access: Access) -> Endpoint:
    async def enter(request: Request) -> Response:
        """Exchange the token for a session: a cookie that no script reads and no other site sends."""
        token = parse_qs((await _body(request, 1024)).decode("ascii", "replace")).get("token", [""])[0].strip()
        if not access.origin_allowed(request.headers):
            return RedirectResponse("/?wrong", 303)
        try:
            session = access.enter(token, request.client.host if request.client else "")
        except TooManyTriesError:
            return Response("the token was tried too often: wait a minute, then try again", 429)
        if session is None:
            return RedirectResponse("/?wrong", 303)
        response = RedirectResponse("/", 303)
        secure = request.scope["scheme"] == "https"
        response.set_cookie(COOKIE, session, max_age=int(SESSION_S), httponly=True, secure=secure, samesite="strict")
        return response

    return enter


async def _body(request: Request, max_bytes: int) -> bytes:
    """A request's body; empty where it is longer, or does not come in time."""
    body = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(_BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    return b""
            return body
    return b""


def _thumbnail(context: ServerContext, access: Access) -> Endpoint:
    async def thumbnail(request: Request) -> Response:
        asset = context.library.asset(request.path_params["kind"], request.path_params["name"])
        if asset is None or not access.inside(request.cookies.get(COOKIE)):
            return Response("there is no such picture", 404)
        return Response(asset.thumbnail, media_type="image/png")

    return thumbnail


class _OpenPages:
    """The pages that are open, at most a number of them."""

    def __init__(self, context: ServerContext, access: Access) -> None:
        self._context = context
        self._access = access
        self._open = 0

    async def live(self, socket: WebSocket) -> None:
        """Serve one page for as long as it is open."""
        headers, session = socket.headers, socket.cookies.get(COOKIE)
        allowed = self._access.host_allowed(headers) and self._access.origin_allowed(headers)
        if not allowed or not self._access.inside(session):
            await socket.close(POLICY)
            return
        try:
            await socket.accept()
        except GONE:
            return
        if self._open >= _PAGES_PER_VISITOR * self._context.settings.visitors:
            await socket.close(FULL)
            return
        self._open += 1
        try:
            await Session(socket, self._context).run(_messages(socket))
        except GONE:
            pass  # the page went away while something was sent to it
        finally:
            self._open -= 1


async def _messages(socket: WebSocket) -> AsyncIterator[str | bytes]:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        yield message["text"] if message.get("text") is not None else message["bytes"]
