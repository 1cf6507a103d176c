"""The page in a real browser: every control clicked, and what it does read back from the canvas."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.stream.web.conftest import Fitting, launch

pytestmark = pytest.mark.timeout(150)

BACKGROUND = (0.02, 0.05, 0.12, 0.20)
"""Where only the room is seen; left, top, right and bottom as shares of the picture."""
CHEST = (0.44, 0.66, 0.54, 0.74)
PATIENCE_MS = 40_000


Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of the picture's width and height."""


def pixels(page: Page) -> NDArray[np.uint8]:
    """What the canvas shows, (H, W, 3) uint8 RGB."""
    flat = page.evaluate(
        """() => { const canvas = document.querySelector("#view");
        const copy = new OffscreenCanvas(canvas.width, canvas.height);
        const context = copy.getContext("2d");
        context.drawImage(canvas, 0, 0);
        const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
        let text = "";
        for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
        return { data: btoa(text), width, height }; }"""
    )
    plane = np.frombuffer(base64.b64decode(flat["data"]), np.uint8)
    return plane.reshape(flat["height"], flat["width"], 4)[..., :3]


def mean(picture: NDArray[np.uint8], box: Box) -> NDArray[np.float64]:
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    return np.asarray(
        picture[int(top * height) : int(bottom * height), int(left * width) : int(right * width)].mean((0, 1))
    )


def wait(page: Page, condition: str) -> None:
    """Until a condition in JavaScript holds (Playwright's own waiting is forbidden by the page's security policy)."""
    page.evaluate(
        f"""async () => {{ const until = performance.now() + {PATIENCE_MS};
        while (!({condition}) && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
        if (!({condition})) throw new Error("not in time"); }}"""
    )


def until(page: Page, holds: Callable[[NDArray[np.uint8]], bool], what: str) -> NDArray[np.uint8]:
    """The first picture for which something holds; each look waits for a new picture."""
    for _ in range(60):
        shown = page.evaluate("fitting.meter.shown")
        picture = pixels(page)
        if holds(picture):
            return picture
        wait(page, f"fitting.meter.shown > {shown}")
    raise AssertionError(f"{what}: {mean(picture, BACKGROUND)} behind, {mean(picture, CHEST)} on the chest")


def change(both: NDArray[np.uint8], box: Box) -> float:
    """How far the fitting, on the right, is from the camera's picture on the left, 0 to 255."""
    raw, dressed = np.hsplit(both.astype(np.int16), 2)
    height, width = raw.shape[:2]
    rows, columns = (slice(int(box[i] * side), int(box[i + 2] * side)) for i, side in ((1, height), (0, width)))
    return float(np.median(np.abs(dressed - raw)[rows, columns].max(axis=2)))


def near(picture: NDArray[np.uint8], box: Box, colour: tuple[int, int, int], by: float) -> bool:
    return bool(np.abs(mean(picture, box) - colour).max() < by)


def joined(fitting: Fitting, browser: Browser, query: str = "", **screen: object) -> Page:
    page = fitting.open(browser, query, **screen)
    page.click("#join")
    page.wait_for_selector("#leave:not([disabled])")
    return page


def choose(page: Page, name: str, value: str) -> None:
    page.locator(f"input[name={name}][value={value}]").locator("xpath=..").click()


@pytest.fixture
def visitor(fitting: Fitting, browser: Browser) -> Iterator[Page]:
    """A page with its camera on."""
    page = joined(fitting, browser)
    yield page
    page.context.close()


def test_one_click_and_another_shows_oneself_in_another_garment(visitor: Page) -> None:
    choose(visitor, "layout", "beside")
    until(visitor, lambda now: now.shape[1] == 1280 and change(now, CHEST) < 8, "one's own clothes")
    visitor.click("#garments button[data-name=hoodie]")
    expect(visitor.locator("#said")).to_have_text("Hoodie put on")
    both = until(visitor, lambda now: change(now, CHEST) > 25, "another garment is on")
    assert change(both, BACKGROUND) < 8  # the room is what it was
    raw, dressed = (side.astype(np.int16)[240:460, 160:480] for side in (both[:, :640], both[:, 640:]))
    changed = np.abs(dressed - raw).max(axis=2)
    hand = cv2.erode(np.uint8(raw[..., 0] - raw[..., 2] > 30), np.ones((5, 5), np.uint8)) > 0
    assert hand.sum() > 300
    assert np.median(changed[hand]) < 15  # and so is the hand in front
    visitor.click("#undress")
    until(visitor, lambda now: change(now, CHEST) < 8, "it is off again")


def test_backgrounds(visitor: Page) -> None:
    room = mean(pixels(visitor), BACKGROUND)
    choose(visitor, "background", "colour")
    visitor.get_by_label("Background: Chroma green").click()
    until(visitor, lambda now: near(now, BACKGROUND, (0, 177, 64), 12), "a green wall")
    assert mean(pixels(visitor), CHEST)[1] < 150  # not on the person
    choose(visitor, "background", "image")
    visitor.locator("#background-choice [data-name=terrace]").click()
    until(visitor, lambda now: mean(now, BACKGROUND)[2] > mean(now, BACKGROUND)[0] + 40, "a blue sky")
    choose(visitor, "background", "blur")
    until(visitor, lambda now: np.abs(mean(now, BACKGROUND) - room).max() < 20, "the room again, blurred")
    choose(visitor, "background", "none")
    assert np.abs(mean(until(visitor, lambda now: True, ""), BACKGROUND) - room).max() < 25


def test_colours_patterns_and_photos_for_each_part(visitor: Page, tmp_path: Path) -> None:
    choose(visitor, "way-top", "colour")
    visitor.get_by_label("Top: Plum").click()
    until(visitor, lambda now: mean(now, CHEST)[0] > 1.3 * mean(now, CHEST)[1], "plum")
    choose(visitor, "way-top", "pattern")
    visitor.locator("#choice-top [data-name=denim]").click()
    until(visitor, lambda now: mean(now, CHEST)[2] > 1.3 * mean(now, CHEST)[0], "denim")
    photo = np.zeros((400, 400, 4), np.uint8)
    cv2.fillPoly(photo, [np.array([(120, 20), (280, 20), (390, 90), (350, 160), (300, 130), (300, 390), (100, 390),
                                   (100, 130), (50, 160), (10, 90)])], (20, 200, 230, 255))  # fmt: skip
    cv2.imwrite(str(tmp_path / "yellow.png"), photo)
    choose(visitor, "way-top", "garment")
    visitor.get_by_label("Top: a photo of your own").set_input_files(tmp_path / "yellow.png")
    until(visitor, lambda now: mean(now, CHEST)[0] > 2 * mean(now, CHEST)[2], "the yellow shirt of the photo")
    choose(visitor, "way-top", "worn")
    expect(visitor.locator("#alert")).to_be_empty()


def test_masks_and_layouts(visitor: Page) -> None:
    visitor.locator("#masks").get_by_label("top").check()
    until(visitor, lambda now: float(np.ptp(mean(now, CHEST))) > 60, "the top is tinted")
    visitor.locator("#masks").get_by_label("top").uncheck()
    until(visitor, lambda now: float(np.ptp(mean(now, CHEST))) < 60, "no tint")
    choose(visitor, "background", "colour")
    visitor.get_by_label("Background: Chroma green").click()
    until(visitor, lambda now: near(now, BACKGROUND, (0, 177, 64), 12), "a green wall")
    choose(visitor, "layout", "beside")
    both = until(visitor, lambda now: now.shape[1] == 1280, "two panels")
    assert not near(both[:, :640], BACKGROUND, (0, 177, 64), 30)  # left the camera, right the fitting
    assert near(both[:, 640:], BACKGROUND, (0, 177, 64), 12)
    choose(visitor, "layout", "wipe")
    visitor.get_by_label("How much of the picture is dressed").focus()
    visitor.keyboard.press("Home")
    until(visitor, lambda now: now.shape[1] == 640 and not near(now, BACKGROUND, (0, 177, 64), 30), "all camera")
    visitor.keyboard.press("End")
    until(visitor, lambda now: near(now, BACKGROUND, (0, 177, 64), 12), "all dressed")
    choose(visitor, "layout", "raw")
    until(visitor, lambda now: not near(now, BACKGROUND, (0, 177, 64), 30), "the camera alone")


def test_snapshot_and_recording_are_given_to_the_visitor(visitor: Page, tmp_path: Path) -> None:
    visitor.click("#snapshot")
    visitor.wait_for_selector("#photo[open]")
    with visitor.expect_download() as download:
        visitor.click("#photo-save")
    download.value.save_as(tmp_path / "fitting.png")
    picture = cv2.imread(str(tmp_path / "fitting.png"), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (480, 640, 4)
    assert picture[10:60, 10:60, 3].max() < 20
    assert picture[300:400, 300:340, 3].min() > 230
    choose(visitor, "photo-kind", "whole")
    wait(visitor, "document.querySelector('#photo-image').naturalWidth === 640")
    visitor.click("#photo button[value=close]")
    visitor.click("#record")
    shown = visitor.evaluate("fitting.meter.shown")
    wait(visitor, f"fitting.meter.shown > {shown + 8}")
    visitor.click("#record")
    visitor.wait_for_selector("#film[open]")
    with visitor.expect_download() as download:
        visitor.click("#film-save")
    film = tmp_path / download.value.suggested_filename
    download.value.save_as(film)
    capture = cv2.VideoCapture(str(film))
    assert capture.read()[1].shape == (480, 640, 3)
    capture.release()
    visitor.click("#film button[value=close]")


def test_the_mirror(visitor: Page) -> None:
    mirrored = pixels(visitor)
    visitor.click("#mirror")
    ahead = mean(mirrored, (0.0, 0.3, 0.2, 0.6))
    behind = mean(mirrored, (0.8, 0.3, 1.0, 0.6))
    assert np.abs(ahead - behind).max() > 8, "the room looks the same on both sides"
    until(visitor, lambda now: np.abs(mean(now, (0.8, 0.3, 1.0, 0.6)) - ahead).max() < 8, "left is right")


def test_the_delay_is_measured_in_the_picture_itself(visitor: Page) -> None:
    shown = visitor.evaluate("fitting.meter.shown")
    wait(visitor, f"fitting.meter.shown > {shown + 30}")
    figures = visitor.evaluate("fitting.meter.figures")
    assert 5 < figures["median"] <= figures["worst"] < 5000
    expect(visitor.locator("#median")).not_to_have_text("–")
    assert "frames a second" in (visitor.locator("#graph").get_attribute("aria-label") or "")


def test_two_visitors_at_once_see_their_own_picture_and_a_third_waits_for_a_place(
    fitting: Fitting, browser: Browser
) -> None:
    first, second = joined(fitting, browser), joined(fitting, browser)
    for page, name, colour in ((first, "Chroma green", (0, 177, 64)), (second, "Rose", (232, 196, 192))):
        choose(page, "background", "colour")
        page.get_by_label(f"Background: {name}").click()
        until(page, lambda now, colour=colour: near(now, BACKGROUND, colour, 14), name)  # type: ignore[misc]
    assert near(pixels(first), BACKGROUND, (0, 177, 64), 14)
    third = fitting.open(browser)
    third.click("#join")
    expect(third.locator("#alert")).to_contain_text("there is room", timeout=PATIENCE_MS)
    first.context.close()
    third.wait_for_selector("#leave:not([disabled])")
    for page in (second, third):
        page.context.close()


def test_a_visitor_who_leaves_frees_everything_within_5_s(fitting: Fitting, browser: Browser) -> None:
    before = fitting.running.words.count("a visitor has left")
    page = joined(fitting, browser)
    web = fitting.running.stage("web")
    threads, files = web.num_threads(), web.num_fds()
    page.context.close()
    fitting.running.wait_for("a visitor has left", before + 1)
    for _ in range(50):
        if web.num_fds() < files:
            break
        psutil.Process().cpu_percent(0.1)
    assert web.num_fds() < files
    assert web.num_threads() <= threads


def test_webrtc_carries_the_same_pictures(fitting: Fitting, browser: Browser) -> None:
    page = joined(fitting, browser, "?webrtc")
    expect(page.locator("#road")).to_contain_text("WebRTC")
    choose(page, "background", "colour")
    page.get_by_label("Background: Chroma green").click()
    until(page, lambda now: near(now, BACKGROUND, (0, 177, 64), 25), "a green wall")
    page.context.close()


def test_a_camera_of_the_house_is_watched(fitting: Fitting, browser: Browser) -> None:
    page = fitting.open(browser)
    page.locator("#house button", has_text="front").click()
    page.wait_for_selector("#leave:not([disabled])")
    expect(page.locator("#standing")).to_have_text("Watching front")
    assert pixels(page).shape == (240, 320, 3)
    assert page.is_disabled("#mirror")
    page.click("#leave")
    expect(page.locator("#welcome")).to_be_visible()
    page.context.close()


def test_a_dropped_connection_is_told_and_comes_back_by_itself(fitting: Fitting, visitor: Page) -> None:
    choose(visitor, "layout", "beside")
    visitor.click("#garments button[data-name=hoodie]")
    fitting.running.stage("web").kill()
    expect(visitor.locator("#alert")).to_contain_text("connection to the server is lost", timeout=PATIENCE_MS)
    fitting.running.wait_for("a new one takes its place")
    shown = visitor.evaluate("fitting.meter.shown")
    wait(visitor, f"fitting.meter.shown > {shown}")
    expect(visitor.locator("#alert")).to_be_empty()
    until(visitor, lambda now: now.shape[1] == 1280 and change(now, CHEST) > 25, "the hoodie is still on")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream=deny"), "has not allowed the camera"),
        (("--use-fake-ui-for-media-stream",), "No camera was found"),
    ],
)
def test_a_camera_that_cannot_be_had_is_explained(
    fitting: Fitting, playwright: Playwright, flags: tuple[str, ...], said: str
) -> None:
    browser = launch(playwright, *flags)
    page = fitting.open(browser)
    page.click("#join")
    expect(page.locator("#alert")).to_contain_text(said)
    expect(page.locator("#join")).to_be_visible()
    browser.close()


def test_keyboard_alone_is_enough(fitting: Fitting, browser: Browser) -> None:
    page = fitting.open(browser)
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "join":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#leave:not([disabled])")
    page.locator("#garments button").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Dotted dress put on")
    page.context.close()


def test_everything_that_can_be_operated_has_a_name(fitting: Fitting, browser: Browser) -> None:
    page = fitting.open(browser)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a, canvas, dialog")].filter((element) =>
        !(element.ariaLabel || element.textContent.trim() || element.closest("label")?.textContent.trim()
          || element.getAttribute("aria-labelledby"))).map((element) => element.outerHTML)"""
    )
    assert nameless == []
    page.context.close()


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_phone_held_upright_shows_it_all_without_scrolling_sideways(
    fitting: Fitting, browser: Browser, width: int
) -> None:
    page = fitting.open(browser, viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#join").bounding_box()["y"] < 844  # type: ignore[index]
    page.context.close()
