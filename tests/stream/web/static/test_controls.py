"""Every control of the page is clicked, and what it does read back from the canvas."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tests.stream.web.static.canvas import (
    CHEST,
    EDGE,
    FRONT,
    GREEN,
    WALL,
    Picture,
    change,
    changed,
    choose,
    green_wall,
    mean,
    near,
    part,
    pixels,
    sharpness,
    until,
    wait,
)

pytestmark = pytest.mark.timeout(200)


def hands(both: Picture) -> NDArray[np.bool_]:
    """Where there is skin in front of the shirt, of two panels: (h, w)."""
    raw = part(np.hsplit(both, 2)[0], FRONT)
    return np.asarray(cv2.erode(np.uint8(raw[..., 0] - raw[..., 2] > 30), np.ones((5, 5), np.uint8)) > 0)


def test_one_click_and_another_shows_oneself_in_another_garment(visitor: Page) -> None:
    choose(visitor, "layout", "beside")
    until(visitor, lambda now: now.shape[1] == 1280 and change(now, CHEST) < 8, "one's own clothes")
    visitor.click("#garments button[data-name=hoodie]")
    expect(visitor.locator("#announcement")).to_have_text("Hoodie put on")
    until(visitor, lambda now: change(now, CHEST) > 25 and change(now, WALL) < 8, "the hoodie, in the same room")

    def hands_in_front(both: Picture) -> bool:
        skin = hands(both)
        return bool(skin.sum() > 500 and change(both, CHEST) > 25 and np.median(changed(both, FRONT)[skin]) < 15)

    until(visitor, hands_in_front, "the hands in front of the hoodie")
    visitor.click("#undress")
    until(visitor, lambda now: change(now, CHEST) < 8, "one's own clothes again")


def test_backgrounds(visitor: Page) -> None:
    before = pixels(visitor)
    room, sharp = mean(before, WALL), sharpness(before, EDGE)
    green_wall(visitor)
    until(visitor, lambda now: near(now, WALL, GREEN) and mean(now, CHEST)[1] < 150, "green, but not on the person")
    choose(visitor, "background", "image")
    visitor.locator("#background-choice [data-name=terrace]").click()
    until(visitor, lambda now: mean(now, WALL)[2] > mean(now, WALL)[0] + 40, "a blue sky")

    def at_home(now: Picture) -> bool:
        return bool(np.abs(mean(now, WALL) - room).max() < 20)

    choose(visitor, "background", "blur")
    until(visitor, lambda now: at_home(now) and sharpness(now, EDGE) < sharp / 3, "the room again, blurred")
    choose(visitor, "background", "none")
    until(visitor, lambda now: at_home(now) and sharpness(now, EDGE) > sharp * 2 / 3, "the room as it is")


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
    until(visitor, lambda now: mean(now, CHEST)[0] < 1.3 * mean(now, CHEST)[2], "one's own shirt")
    expect(visitor.locator("#alert")).to_be_empty()


def test_masks_and_layouts(visitor: Page) -> None:
    visitor.locator("#masks").get_by_label("top").check()
    until(visitor, lambda now: float(np.ptp(mean(now, CHEST))) > 60, "the top is tinted")
    visitor.locator("#masks").get_by_label("top").uncheck()
    until(visitor, lambda now: float(np.ptp(mean(now, CHEST))) < 60, "no tint")
    green_wall(visitor)
    choose(visitor, "layout", "beside")
    until(
        visitor,
        lambda now: (
            now.shape[1] == 1280 and near(now[:, 640:], WALL, GREEN) and not near(now[:, :640], WALL, GREEN, 30)
        ),
        "left the camera, right the fitting",
    )
    choose(visitor, "layout", "wipe")
    visitor.get_by_label("How much of the picture is dressed").focus()
    visitor.keyboard.press("Home")
    until(visitor, lambda now: now.shape[1] == 640 and not near(now, WALL, GREEN, 30), "all camera")
    visitor.keyboard.press("End")
    until(visitor, lambda now: near(now, WALL, GREEN), "all dressed")
    choose(visitor, "layout", "raw")
    until(visitor, lambda now: not near(now, WALL, GREEN, 30), "the camera alone")


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
    cut_out = visitor.evaluate("document.querySelector('#photo-image').src")
    choose(visitor, "photo-kind", "whole")
    wait(visitor, f"document.querySelector('#photo-image').src !== '{cut_out}'")
    choose(visitor, "photo-kind", "cutout")
    visitor.click("#photo button[value=close]")
    shown = visitor.evaluate("fitting.meter.shown")
    wait(visitor, f"fitting.meter.shown > {shown + 3}")
    expect(visitor.locator("#photo")).to_be_hidden()  # though the last snapshot came after it was closed
    visitor.click("#record")
    expect(visitor.locator("#rolling")).to_be_visible()
    shown = visitor.evaluate("fitting.meter.shown")
    wait(visitor, f"fitting.meter.shown > {shown + 8}")
    visitor.click("#record")
    visitor.wait_for_selector("#film[open]")
    with visitor.expect_download() as download:
        visitor.click("#film-save")
    film = tmp_path / download.value.suggested_filename
    download.value.save_as(film)
    capture = cv2.VideoCapture(str(film))
    filmed = capture.read()[1]
    capture.release()
    assert filmed.shape == (480, 640, 3)
    assert near(np.asarray(filmed[..., ::-1], np.uint8), WALL, tuple(mean(pixels(visitor), WALL)), 20)
    visitor.click("#film button[value=close]")


def test_the_mirror(visitor: Page) -> None:
    left, right = (0.0, 0.3, 0.2, 0.6), (0.8, 0.3, 1.0, 0.6)
    mirrored = pixels(visitor)
    assert np.abs(mean(mirrored, left) - mean(mirrored, right)).max() > 8, "the room looks the same on both sides"
    visitor.click("#mirror")
    until(visitor, lambda now: np.abs(mean(now, right) - mean(mirrored, left)).max() < 8, "left is right")


def test_frames_and_delay_of_the_last_minute_are_shown(visitor: Page) -> None:
    shown = visitor.evaluate("fitting.meter.shown")
    wait(visitor, f"fitting.meter.shown > {shown + 20}")
    figures = visitor.evaluate("fitting.meter.figures")
    assert 5 < figures["median"] <= figures["worst"] < 5000
    for name in ("rate", "median", "worst"):
        expect(visitor.locator(f"#{name}")).not_to_have_text("–")
    assert "frames a second" in (visitor.locator("#graph").get_attribute("aria-label") or "")
    drawn = visitor.evaluate(
        """() => { const { width, height } = document.querySelector("#graph");
        const { data } = document.querySelector("#graph").getContext("2d").getImageData(0, 0, width, height);
        let reddish = 0;
        for (let i = 0; i < data.length; i += 4) reddish += data[i + 3] > 100 && data[i] > 2 * data[i + 1];
        return reddish; }"""
    )
    assert drawn > 20, "no picture is in the graph"
