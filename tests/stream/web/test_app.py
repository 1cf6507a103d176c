from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from clothseg.classes import USUAL
from stream.settings.config import Web
from stream.web.access import open_access
from stream.web.app import FULL, POLICY, build
from stream.web.effects_client import EffectsClient
from stream.web.library import read_library
from stream.web.session import ServerContext
from stream.web.uplink import Uplink
from stream.web.upload import PhotoProcessor

SECRET = "correct horse+battery/=&%"


class NoUplink:
    """Nobody has a camera here."""

    def close(self, name: str) -> None: ...


@asynccontextmanager
async def nothing(_: Starlette) -> AsyncIterator[None]:
    yield


def client_of(web: Web, base_url: str) -> TestClient:
    house = ServerContext(
        web,
        ("front",),
        "ipc:///nowhere",
        cast(Uplink, NoUplink()),
        read_library(web),
        cast(EffectsClient, None),
        cast(PhotoProcessor, None),
        None,
        USUAL,
    )
    return TestClient(build(house, open_access(web), nothing), base_url=base_url)


@pytest.fixture
def local() -> Iterator[TestClient]:
    with client_of(Web(visitors=1), "http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def shut(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "token").write_text(SECRET, encoding="utf-8")
    with client_of(Web(bind="0.0.0.0:8000", token=tmp_path / "token"), "http://shop.example:8000") as client:
        yield client


OWN = {"origin": "http://127.0.0.1:8000"}
LIVE = "ws://127.0.0.1:8000/live"


def test_the_page_comes_with_headers_that_keep_others_out(local: TestClient) -> None:
    page = local.get("/")
    assert "Use my camera" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"
    assert "camera=(self)" in page.headers["permissions-policy"]


def test_nothing_is_loaded_from_elsewhere(local: TestClient) -> None:
    static = Path(__file__).parents[3] / "stream" / "web" / "static"
    for path in static.iterdir():
        text = local.get(f"/{path.name}").text.replace("http://www.w3.org/2000/svg", "").replace("http://127.0.0.1", "")
        assert "http://" not in text, path
        assert "https://" not in text.replace("as https://, or", ""), path


def test_thumbnails_are_pictures_and_other_paths_are_nothing(local: TestClient) -> None:
    assert local.get("/garments/hoodie.png").content[:4] == b"\x89PNG"
    for path in ("/garments/none.png", "/items/hoodie.png", "/garments/..%2fweb.png", "/../config.py", "/serve.py"):
        assert local.get(path).status_code == 404


def test_a_request_for_another_name_is_refused(local: TestClient) -> None:
    assert local.get("/", headers={"host": "evil.example:8000"}).status_code == 421


@pytest.mark.parametrize("host", ["[", "[::1", "a]b", "", "evil[]"])
def test_a_host_that_is_none_is_refused_without_a_fault(local: TestClient, shut: TestClient, host: str) -> None:
    for client in (local, shut):
        for method, path in (("GET", "/"), ("POST", "/login"), ("GET", "/app.js"), ("GET", "/garments/")):
            reply = client.request(method, path, headers={"host": host, "origin": "http://["}, follow_redirects=False)
            assert reply.status_code == 421


@pytest.mark.parametrize("path", ["/%00", "/%ff%fe", "/" + "a" * 5000, "/..%5c", "/a/%2e%2e/b", "/%0d%0a"])
def test_a_path_that_is_none_is_not_found(local: TestClient, path: str) -> None:
    assert local.get(path).status_code in (400, 404, 405)


def test_over_tls_browsers_are_told_to_come_back_that_way(local: TestClient) -> None:
    assert "strict-transport-security" not in local.get("/").headers
    secure = local.get("https://127.0.0.1:8000/")
    assert "max-age" in secure.headers["strict-transport-security"]


def test_the_token_cannot_be_tried_for_ever(shut: TestClient) -> None:
    own = {"origin": "http://shop.example:8000"}
    codes = [
        shut.post("/login", data={"token": "wrong"}, headers=own, follow_redirects=False).status_code for _ in range(12)
    ]
    assert codes == [303] * 10 + [429] * 2


def refusal(client: TestClient, headers: dict[str, str]) -> int:
    live = f"ws{str(client.base_url).removeprefix('http')}/live"
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(live, headers=headers) as socket:
        socket.receive_text()
    return refused.value.code


@pytest.mark.parametrize("origin", [None, "http://evil.example", "http://127.0.0.1:8001", "null"])
def test_a_page_of_another_site_gets_no_socket(local: TestClient, origin: str | None) -> None:
    assert refusal(local, {"origin": origin} if origin else {}) == POLICY


def test_a_page_gets_the_library_and_malformed_requests_are_rejected(local: TestClient) -> None:
    with local.websocket_connect(LIVE, headers=OWN) as socket:
        hello = socket.receive_json()
        assert hello["type"] == "hello"
        assert hello["cameras"] == ["front"]
        assert {item["part"] for item in hello["garments"]} == {"top", "bottom", "dress"}
        for nonsense in ("{", '{"type":"watch_camera","camera":"visitor-0"}', '{"type":"snapshot"}'):
            socket.send_text(nonsense)
            assert socket.receive_json()["type"] == "request_rejected"
        socket.send_json({"type": "ping", "clock_ms": 5})
        assert socket.receive_json()["clock_ms"] == 5


def test_a_page_over_its_rate_limit_is_rejected(local: TestClient) -> None:
    with local.websocket_connect(LIVE, headers=OWN) as socket:
        socket.receive_json()
        for _ in range(400):
            socket.send_json({"type": "stop_watching"})
        assert "too many requests" in socket.receive_json()["cause"]


def test_only_so_many_pages_may_be_open(local: TestClient) -> None:
    sockets = [local.websocket_connect(LIVE, headers=OWN) for _ in range(4)]
    try:
        for socket in sockets:
            socket.__enter__().receive_json()
        assert refusal(local, OWN) == FULL
    finally:
        for socket in sockets:
            socket.__exit__(None, None, None)
    with local.websocket_connect(LIVE, headers=OWN) as socket:
        assert socket.receive_json()["type"] == "hello"


def test_other_hosts_are_let_in_with_the_token_only(shut: TestClient) -> None:
    own = {"origin": "http://shop.example:8000"}
    assert "Use my camera" not in shut.get("/").text
    assert shut.get("/garments/hoodie.png").status_code == 404
    assert refusal(shut, own) == POLICY
    wrong = shut.post("/login", data={"token": "wrong"}, headers=own, follow_redirects=False)
    assert "set-cookie" not in wrong.headers
    elsewhere = shut.post("/login", data={"token": SECRET}, headers={"origin": "http://evil"}, follow_redirects=False)
    assert "set-cookie" not in elsewhere.headers
    entered = shut.post("/login", data={"token": SECRET}, headers=own, follow_redirects=False)
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert SECRET not in unquote(cookie)
    assert "Use my camera" in shut.get("/").text
    with shut.websocket_connect("ws://shop.example:8000/live", headers=own) as socket:
        assert socket.receive_json()["type"] == "hello"
