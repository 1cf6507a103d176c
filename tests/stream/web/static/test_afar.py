"""The page from another host: at the machine's own address, behind a token, over TLS with a certificate of its own."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx2
import numpy as np
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, Error, Page, Playwright, expect
from websockets.asyncio.client import connect
from websockets.typing import Origin

from stream.web import stamp
from stream.web.access import COOKIE
from stream.web.stamp import Stamp
from tests.running import ROOT, Running, overrides
from tests.stream.web.static.canvas import PATIENCE_S, green_wall
from tests.stream.web.static.conftest import Fitting
from tests.stream.web.static.resources import freed_after_vanishing_s

pytestmark = pytest.mark.timeout(200)

SECRET = "correct horse+battery/=&%"


def own_address() -> str:
    """An address of this machine that is not loopback."""
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family == socket.AF_INET and not ipaddress.ip_address(address.address).is_loopback:
                return address.address
    pytest.skip("this machine has no address but loopback")


def make_certificate(host: str, folder: Path) -> tuple[Path, Path]:
    """A certificate for `host` that it signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "live fitting")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, plain))
    return certificate, secret


class Shop(Fitting):
    """A run that can be reached from other hosts; `certificate` is the one to trust."""

    def __init__(self, running: Running, url: str, certificate: Path) -> None:
        super().__init__(running, url)
        self.certificate = certificate
        self._session: str | None = None

    def open(self, browser: Browser, query: str = "", **settings: object) -> Page:
        """Through the door with the token."""
        page = self.open_door(browser)
        page.get_by_label("Code").fill(SECRET)
        page.get_by_role("button", name="Enter").click()
        page.wait_for_selector("#join:not([disabled])")
        return page

    def open_door(self, browser: Browser) -> Page:
        """Where the token is asked for; the certificate is trusted, as who clicks the warning away does."""
        return self.window(browser, ignore_https_errors=True)

    async def session(self, trusting: ssl.SSLContext) -> str:
        """Enter with the token, once; the session value that the server gave for it."""
        if self._session is None:
            async with httpx2.AsyncClient(verify=trusting) as client:
                entered = await client.post(
                    f"{self.url}login", data={"token": SECRET}, headers={"Origin": self.url.rstrip("/")}
                )
            self._session = entered.cookies[COOKIE]
        return self._session

    async def visit(self, pictures: int) -> None:
        """Be a page's WebSocket, without a browser: send so many pictures, each when the one before has come back.

        In a loop of its own: with Python 3.11 a TLS socket that two threads share, as in `websockets.sync`, now and
        then hangs for ever.
        """
        trusting = ssl.create_default_context(cafile=str(self.certificate))
        live, cookie = (
            f"wss{self.url.removeprefix('https')}live",
            {"Cookie": f"{COOKIE}={await self.session(trusting)}"},
        )
        origin = Origin(self.url.rstrip("/"))
        async with (
            asyncio.timeout(PATIENCE_S),
            connect(live, origin=origin, additional_headers=cookie, ssl=trusting, open_timeout=PATIENCE_S) as line,
        ):
            await line.recv()  # the greeting
            await line.send('{"type":"send_camera"}')
            for clock_ms in range(1000, 1000 + 40 * pictures, 40):
                stamped = stamp.add_stamp(np.full((120, 160, 3), 90, np.uint8), Stamp(clock_ms))
                await line.send(cv2.imencode(".jpg", stamped)[1].tobytes())
                while not isinstance(await line.recv(), bytes):
                    pass
                await line.send('{"type":"frame_shown"}')


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder, host = tmp_path_factory.mktemp("shop"), own_address()
    certificate, key = make_certificate(host, folder)
    (folder / "token").write_text(SECRET, encoding="utf-8")
    settings = [f"web.bind={host}:0", f"web.token={folder / 'token'}", f"web.certificate={certificate}",
                f"web.key={key}"]  # fmt: skip
    with Running(str(ROOT / "configs/web.yaml"), *overrides(settings)) as running:
        running.wait_for("the page is at ")
        running.wait_for("openvino")
        url = running.words.split("the page is at ")[1].split()[0]
        assert url.startswith(f"https://{host}:")
        yield Shop(running, url, certificate)


def test_who_does_not_know_the_token_stays_at_the_door(shop: Shop, browser: Browser) -> None:
    page = shop.open_door(browser)
    page.get_by_label("Code").fill("not the code at all")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("That is not the code")
    expect(page.locator("#join")).to_have_count(0)


def test_a_visitor_from_another_host_is_dressed_over_tls(shop: Shop, browser: Browser) -> None:
    page = shop.join(browser)
    expect(page.locator("#delay-hint")).to_contain_text("WebRTC")
    green_wall(page)
    (cookie,) = page.context.cookies()
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")


def test_who_does_not_trust_the_certificate_gets_no_page(shop: Shop, browser: Browser) -> None:
    with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        shop.window(browser)


def test_a_vanished_visitor_does_not_delay_the_tls_close(
    shop: Shop, browser: Browser, playwright: Playwright, webcam: Path
) -> None:
    assert freed_after_vanishing_s(shop, browser, playwright, webcam) < 5


def test_visit_after_visit_leaves_nothing_behind(shop: Shop) -> None:
    """Threads and files stay as they are; memory may be kept for the next, but does not grow with every visitor."""
    stages = shop.running.stages()

    def visits(number: int) -> tuple[int, int, int]:
        left = shop.running.words.count("a visitor left")
        for past in range(1, number + 1):
            # Playwright's loop has this thread.
            with ThreadPoolExecutor(1) as aside:
                aside.submit(asyncio.run, shop.visit(2)).result()
            shop.running.wait_for("a visitor left", left + past)
        held = [(p.num_threads(), p.num_fds(), p.memory_info().rss) for p in stages]
        threads, files, memory_bytes = map(sum, zip(*held, strict=True))
        return threads, files, memory_bytes

    visits(12)  # until all pools of threads are full
    threads, files, memory_bytes = visits(12)
    later_threads, later_files, later_memory_bytes = visits(12)
    assert later_threads <= threads
    assert later_files <= files
    assert later_memory_bytes < memory_bytes + 12 * 500_000
