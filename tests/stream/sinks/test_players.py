"""Recordings played by a browser, which is what most people open them with."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.message import EndOfStream
from stream.settings.config import Recording
from stream.sinks import open_sink

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

SHOWN = """async (name) => {
    const video = document.createElement("video");
    video.muted = true;
    video.src = name;
    await new Promise((done, failed) => {
        video.onloadeddata = done;
        video.onerror = () => failed(video.error.message);
    });
    await new Promise((done) => { video.onseeked = done; video.currentTime = 0.5; });
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const drawing = canvas.getContext("2d");
    drawing.drawImage(video, 0, 0);
    const at = (x, y) => Array.from(drawing.getImageData(x * canvas.width, y * canvas.height, 1, 1).data);
    return {size: [canvas.width, canvas.height], seconds: video.duration,
            corner: at(0.02, 0.02), left: at(0.3, 0.3), right: at(0.7, 0.3), below: at(0.3, 0.7)};
}"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    """A page of a real browser at an address that serves `tmp_path`."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    handler = functools.partial(QuietHandler, directory=tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "index.html").write_text("<!doctype html><title>recordings</title>")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        yield opened
        browser.close()
    server.shutdown()
    server.server_close()


def near(rgba: list[int], bgr: tuple[int, int, int], tolerance: int = 12) -> bool:
    return all(abs(seen - expected) <= tolerance for seen, expected in zip(rgba, bgr[::-1], strict=False))


@pytest.mark.parametrize("name", ["clip.mp4", "cutout.webm"])
def test_a_browser_shows_a_recording_in_its_colours_and_with_its_alpha(
    page: Any, tmp_path: Path, make_frame: Any, name: str
) -> None:
    sink = open_sink(Recording(path=tmp_path / name), ["cam"], lambda: None)
    for index in range(25):
        sink.write(make_frame(index, index * 40_000_000, size=(320, 240)))
    sink.write(EndOfStream("cam", 24))
    seen = page.evaluate(SHOWN, name)
    assert seen["size"] == [320, 240]
    assert seen["seconds"] == pytest.approx(1, abs=0.05)
    assert near(seen["left"], (200, 60, 40))
    assert near(seen["right"], (60, 180, 60))
    assert near(seen["below"], (40, 60, 200))
    assert seen["left"][3] == 255
    assert seen["corner"][3] == (0 if name == "cutout.webm" else 255)
