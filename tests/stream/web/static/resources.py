"""What the web process holds of its visitors, and how long until it holds it no more."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, Playwright

from tests.stream.web.static.canvas import wait
from tests.stream.web.static.conftest import Fitting, lend_webcam


def kept(fitting: Fitting) -> tuple[int, int]:
    """What the web process holds: files and sockets, and folders with visitors' photos, wherever they may lie."""
    folders = [*Path(tempfile.gettempdir()).glob("visitor-*"), *Path(tempfile.gettempdir()).glob("*/visitor-*")]
    return fitting.running.stage("web").num_fds(), len(folders)


def sockets(fitting: Fitting) -> list[str]:
    """The connections of the web process."""
    return [f"{one.status} {one.raddr}" for one in fitting.running.stage("web").net_connections("inet")]


def settled(fitting: Fitting, browser: Browser, query: str = "") -> tuple[int, int]:
    """What the web process holds after a first visitor, for whom is made what is made once."""
    fitting.join(browser, query).context.close()
    looks = [kept(fitting)]
    while len(looks) < 20 or len(set(looks[-20:])) > 1:
        assert len(looks) < 600, f"it does not settle: {looks[-20:]}"
        psutil.Process().cpu_percent(0.05)
        looks.append(kept(fitting))
    return looks[-1]


def freed_after_s(fitting: Fitting, empty: tuple[int, int], begun_s: float) -> float:
    """Wait until the web process holds no more than when it was `empty`; how long after `begun_s`."""
    while any(now > then for now, then in zip(kept(fitting), empty, strict=True)):
        assert time.monotonic() < begun_s + 20, f"{kept(fitting)} is left of {empty}: {sockets(fitting)}"
        psutil.Process().cpu_percent(0.05)
    return time.monotonic() - begun_s


def send_photo(page: Page) -> None:
    """Give the server a photo to keep, and see a picture after it."""
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    page.evaluate(f"fitting.connection.send('upload_photo', {{use: 'top', data: '{png}'}})")
    wait(page, f"fitting.meter.shown > {page.evaluate('fitting.meter.shown') + 2}")


@contextmanager
def lent_to_vanish(playwright: Playwright, webcam: Path) -> Iterator[tuple[Browser, Callable[[], float]]]:
    """A browser, and what stops all its processes at once, as if the network were gone; that tells when it was."""
    others = set(psutil.Process().children(recursive=True))
    browser = lend_webcam(playwright, webcam)
    roots = set(psutil.Process().children(recursive=True)) - others
    stopped: list[psutil.Process] = []

    def vanish() -> float:
        stopped.extend({process for root in roots for process in (root, *root.children(recursive=True))})
        for process in stopped:
            process.suspend()
        return time.monotonic()

    try:
        yield browser, vanish
    finally:
        for process in stopped:
            process.resume()
        browser.close()


def freed_after_vanishing_s(fitting: Fitting, browser: Browser, playwright: Playwright, webcam: Path) -> float:
    """How long after a visitor with a photo has vanished the web process holds nothing of theirs."""
    empty = settled(fitting, browser)
    with lent_to_vanish(playwright, webcam) as (another, vanish):
        send_photo(fitting.join(another))
        return freed_after_s(fitting, empty, vanish())
