"""A real run with a page, and a real browser whose webcam is a clip."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.running import ROOT, Running, overrides
from tests.stream.web.static.canvas import PATIENCE_MS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def webcam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip that ships, as the file that Chromium plays for a webcam."""
    path = tmp_path_factory.mktemp("webcam") / "again.mjpeg"
    with av.open(str(ROOT / "configs" / "clips" / "again.mkv")) as clip, path.open("wb") as file:
        for frame in clip.decode(video=0):
            pixels = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            file.write(cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, 90))[1].tobytes())
    return path


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as running:
        yield running


def launch(playwright: Playwright, *flags: str) -> Browser:
    assert CHROMIUM is not None
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])


def lend_webcam(playwright: Playwright, webcam: Path) -> Browser:
    """A browser that lends its webcam to whoever asks."""
    return launch(
        playwright,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={webcam}",
    )


@pytest.fixture(scope="session")
def browser(playwright: Playwright, webcam: Path) -> Iterator[Browser]:
    browser = lend_webcam(playwright, webcam)
    yield browser
    browser.close()


class Fitting:
    """A run with the page, and where to open it."""

    def __init__(self, running: Running, url: str) -> None:
        self.running = running
        self.url = url
        self.mistakes: list[str] = []
        self._windows: list[BrowserContext] = []

    def window(self, browser: Browser, query: str = "", **settings: object) -> Page:
        """The address in a window of its own; `mistakes` hears of its scripts'."""
        window = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})  # type: ignore[arg-type]
        self._windows.append(window)
        page = window.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.goto(self.url + query)
        return page

    def open(self, browser: Browser, query: str = "", **settings: object) -> Page:
        """The page, ready to be used."""
        page = self.window(browser, query, **settings)
        page.wait_for_selector("#join:not([disabled])")
        return page

    def join(self, browser: Browser, query: str = "", **settings: object) -> Page:
        """The page with its camera on and its picture live."""
        page = self.open(browser, query, **settings)
        page.click("#join")
        page.wait_for_selector("#leave:not([disabled])")
        return page

    def close(self) -> None:
        """Close every window that is still open."""
        while self._windows:
            self._windows.pop().close()


@pytest.fixture(scope="session")
def fitting() -> Iterator[Fitting]:
    """The shipped settings, with room for two visitors and two cameras of the house."""
    with socket.create_server(("127.0.0.1", 0)) as free:  # a port of its own, which it keeps when it is started anew
        port = free.getsockname()[1]
    house = overrides([
        "cameras.front={source: 'synthetic:', mode: live, rate_hz: 2, size_px: [320, 240]}",
        "cameras.back={source: 'synthetic:', mode: live, rate_hz: 2, size_px: [240, 180]}",
        f"web.bind=127.0.0.1:{port}", "web.visitors=2",
    ])  # fmt: skip
    with Running(str(ROOT / "configs/web.yaml"), *house) as running:
        running.wait_for("the page is at ")
        running.wait_for("openvino")
        yield Fitting(running, f"http://127.0.0.1:{port}/")


@pytest.fixture
def visitor(fitting: Fitting, browser: Browser) -> Page:
    """A page with its camera on."""
    return fitting.join(browser)


@pytest.fixture(autouse=True)
def tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever is tested, no window stays open, and no script of a page may fail."""
    yield
    for name in {"fitting", "shop"} & set(request.fixturenames):
        fitting: Fitting = request.getfixturevalue(name)
        fitting.close()
        assert fitting.mistakes == []
