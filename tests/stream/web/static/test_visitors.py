"""Visitors come, share, leave, vanish and come back: what each sees, and what is left of those who went."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.stream.web.static.canvas import (
    CHEST,
    GREEN,
    WALL,
    change,
    choose,
    green_wall,
    near,
    pixels,
    until,
    wait,
)
from tests.stream.web.static.conftest import Fitting
from tests.stream.web.static.resources import (
    freed_after_s,
    freed_after_vanishing_s,
    kept,
    send_photo,
    settled,
)

pytestmark = pytest.mark.timeout(200)

ROSE = (232, 196, 192)
LEFT = re.compile(r"a visitor left: delivered (\d+) of (\d+) frames, dropped (\d+)")


def test_two_visitors_see_their_own_picture_and_a_third_is_over_the_limit(fitting: Fitting, browser: Browser) -> None:
    first, second = fitting.join(browser), fitting.join(browser)
    green_wall(first)
    choose(second, "background", "colour")
    second.get_by_label("Background: Rose").click()
    until(second, lambda now: near(now, WALL, ROSE), "a rose wall")
    assert near(pixels(first), WALL, GREEN, 25)
    before = [page.evaluate("fitting.meter.shown") for page in (first, second)]
    wait(first, f"fitting.meter.shown > {before[0] + 15}")
    shares = [page.evaluate("fitting.meter.shown") - start for page, start in zip((first, second), before, strict=True)]
    assert min(shares) > 0.4 * max(shares), f"the workers were not shared fairly: {shares}"
    third = fitting.open(browser)
    third.click("#join")
    expect(third.locator("#alert")).to_contain_text("there is room")
    first.context.close()
    third.wait_for_selector("#leave:not([disabled])")


@pytest.mark.parametrize("query", ["", "?webrtc"])
def test_a_visitor_who_leaves_frees_everything_within_5_s(fitting: Fitting, browser: Browser, query: str) -> None:
    empty, before = settled(fitting, browser, query), len(LEFT.findall(fitting.running.words))
    page = fitting.join(browser, query)
    send_photo(page)
    assert kept(fitting)[0] > empty[0]
    begun_s = time.monotonic()
    page.context.close()
    fitting.running.wait_for("a visitor left", before + 1)
    assert freed_after_s(fitting, empty, begun_s) < 5
    delivered, captured, dropped = map(int, LEFT.findall(fitting.running.words)[-1])
    assert delivered + dropped == captured > 0  # the ledger balances


def test_a_visitor_who_vanishes_silently_is_forgotten_too(
    fitting: Fitting, browser: Browser, playwright: Playwright, webcam: Path
) -> None:
    assert freed_after_vanishing_s(fitting, browser, playwright, webcam) < 5


def test_webrtc_carries_the_same_pictures(fitting: Fitting, browser: Browser) -> None:
    page = fitting.join(browser, "?webrtc")
    expect(page.locator("#delay-hint")).to_contain_text("WebRTC")
    green_wall(page)


def test_the_delay_that_is_shown_is_that_of_the_picture(fitting: Fitting, visitor: Page) -> None:
    visitor.evaluate("fitting.meter.clear()")
    web = fitting.running.stage("web")
    web.suspend()
    try:
        wait(visitor, f"performance.now() > {visitor.evaluate('performance.now()') + 800}")
    finally:
        web.resume()
    wait(visitor, f"fitting.meter.shown > {visitor.evaluate('fitting.meter.shown')}")
    assert visitor.evaluate("fitting.meter.figures.worst") > 600


def test_a_configured_camera_can_be_watched(fitting: Fitting, browser: Browser) -> None:
    page = fitting.open(browser)
    page.locator("#cameras button", has_text="front").click()
    page.wait_for_selector("#leave:not([disabled])")
    expect(page.locator("#state")).to_have_text("Watching front")
    assert pixels(page).shape == (240, 320, 3)
    assert page.is_disabled("#mirror")
    page.select_option("#source", "back")
    expect(page.locator("#state")).to_have_text("Watching back")
    until(page, lambda now: now.shape == (180, 240, 3), "the other camera")
    page.click("#leave")
    expect(page.locator("#welcome")).to_be_visible()


def test_a_dropped_connection_is_reported_and_reconnects(fitting: Fitting, visitor: Page) -> None:
    choose(visitor, "layout", "beside")
    visitor.click("#garments button[data-name=hoodie]")
    fitting.running.stage("web").kill()
    expect(visitor.locator("#alert")).to_contain_text("connection to the server is lost")
    fitting.running.wait_for("restarting it")
    shown = visitor.evaluate("fitting.meter.shown")
    wait(visitor, f"fitting.meter.shown > {shown}")
    expect(visitor.locator("#alert")).to_be_empty()
    until(visitor, lambda now: now.shape[1] == 1280 and change(now, CHEST) > 25, "the hoodie is still on")
