"""A server that strangers try to use up, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from stream.media import http_server as server_module
from stream.media.http_server import Server, settings

PATIENCE_S = 10.0


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


async def fault(request: Request) -> Response:
    raise ValueError(f"no {request.url.path}")


async def endless(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield bytes(65_536)

    return StreamingResponse(parts())


class Served:
    """A server in a thread, for four connections at once."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.heard = threading.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = listener.getsockname()
        app = Starlette(routes=[Route("/", hello), Route("/fault", fault), Route("/endless", endless)])
        self.server = Server(settings(app, lifespan="off", timeout_keep_alive=30), listener, 4, self._tell)
        self._thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()))
        self._thread.start()

    def _tell(self, text: str) -> None:
        self.told.append(text)
        self.heard.set()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address)
        connection.settimeout(PATIENCE_S)
        return connection

    def get(self, path: str = "/") -> httpx2.Response:
        return httpx2.get(f"http://127.0.0.1:{self.address[1]}{path}", timeout=PATIENCE_S)

    def close(self) -> None:
        self.server.should_exit = True
        self._thread.join()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(server_module, "REQUEST_S", 0.5)
    monkeypatch.setattr(server_module, "UNREAD_S", 0.5)
    served = Served()
    yield served
    served.close()


def hung_up(connection: socket.socket) -> bool:
    """Whether the other end closes it, within the patience of this test."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    return True


def test_who_says_nothing_is_hung_up_on(served: Served) -> None:
    with served.connect() as silent:
        assert hung_up(silent)


def test_who_never_finishes_a_request_is_hung_up_on(served: Served) -> None:
    with served.connect() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert hung_up(slow)
    with served.connect() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert slow.recv(9) == b"HTTP/1.1 "
        slow.sendall(b"GET /")  # the second one
        assert hung_up(slow)


def test_silent_connections_keep_nobody_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "REQUEST_S", 60.0)
    silent = [served.connect() for _ in range(30)]
    assert served.get().text == "hello"
    assert len(served.server.server_state.connections) <= 4
    for connection in silent:
        connection.close()


def test_who_does_not_read_is_hung_up_on(served: Served) -> None:
    deaf = [served.connect() for _ in range(4)]
    for connection in deaf:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    until_s = time.monotonic() + PATIENCE_S
    while not served_again(served):
        assert time.monotonic() < until_s
    for connection in deaf:
        connection.close()


def served_again(served: Served) -> bool:
    try:
        return served.get().text == "hello"
    except httpx2.TransportError:
        return False


def test_without_descriptors_that_is_told_once_and_it_goes_on(
    served: Served, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    clients = [socket.socket() for _ in range(3)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(name) for name in os.listdir("/proc/self/fd")), hard))
    fillers: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                fillers.append(os.dup(clients[0].fileno()))
        for client in clients:
            client.settimeout(PATIENCE_S)
            client.connect(served.address)
        assert served.heard.wait(PATIENCE_S)
    finally:
        for filler in fillers:
            os.close(filler)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    clients[0].sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert clients[0].recv(12) == b"HTTP/1.1 200"
    assert served.told == ["no more connections can be taken for the moment (Too many open files)"]
    for client in clients:
        client.close()
    assert not caplog.records
    assert not capfd.readouterr().err


def test_a_fault_is_told_once_in_a_sentence_and_the_next_request_is_answered(
    served: Served, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        assert served.get("/fault").status_code == 500
    assert served.get().text == "hello"
    assert served.told == ["a request could not be answered (ValueError: no /fault)"]
    assert not caplog.records
    assert not capfd.readouterr().err


def test_who_leaves_in_the_middle_is_not_worth_a_word(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    for request in (
        b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n",
        b"\x16\x03\x01",
        b"\r\n",
    ):
        with served.connect() as leaving:
            leaving.sendall(request)
    assert any(served_again(served) for _ in range(200))
    assert served.told == []
    assert not caplog.records
