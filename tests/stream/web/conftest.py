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
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.running import ROOT, Running

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
    with sync_playwright() as running:
        yield running


def launch(playwright: Playwright, *flags: str) -> Browser:
    assert CHROMIUM is not None
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])


@pytest.fixture(scope="session")
def browser(playwright: Playwright, webcam: Path) -> Iterator[Browser]:
    """A browser that lends its webcam to whoever asks."""
    browser = launch(
        playwright,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={webcam}",
    )
    yield browser
    browser.close()


class Fitting:
    """A run with the page, and where to open it."""

    def __init__(self, running: Running, url: str) -> None:
        self.running = running
        self.url = url
        self.mistakes: list[str] = []

    def open(self, browser: Browser, query: str = "", **screen: object) -> Page:
        """The page in a window of its own, ready to be used; `mistakes` hears of its script's."""
        page = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **screen}).new_page()  # type: ignore[arg-type]
        page.set_default_timeout(40_000)
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.goto(self.url + query)
        page.wait_for_selector("#join:not([disabled])")
        return page


@pytest.fixture(scope="session")
def fitting() -> Iterator[Fitting]:
    """The shipped settings, with room for two visitors and one camera of the house."""
    with socket.create_server(("127.0.0.1", 0)) as free:  # a port of its own, which it keeps when it is started anew
        port = free.getsockname()[1]
    house = "cameras.front={source: 'synthetic:', mode: live, rate_hz: 3, size_px: [320, 240]}"
    with Running(str(ROOT / "configs/web.yaml"), "--set", house, "--set", f"web.bind=127.0.0.1:{port}",
                 "--set", "web.visitors=2") as running:  # fmt: skip
        running.wait_for("the page is at ")
        running.wait_for("openvino")
        yield Fitting(running, f"http://127.0.0.1:{port}/")


@pytest.fixture(autouse=True)
def no_mistakes(request: pytest.FixtureRequest) -> Iterator[None]:
    """No script of a page may fail, whatever is tested."""
    yield
    if "fitting" in request.fixturenames:
        fitting: Fitting = request.getfixturevalue("fitting")
        assert fitting.mistakes == []
