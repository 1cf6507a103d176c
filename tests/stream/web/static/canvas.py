"""What a page shows, read back from its canvas, and how to wait for it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

PATIENCE_S = 60
"""How long a loaded machine may take for anything: what is quick there is not tested here."""
PATIENCE_MS = 1000 * PATIENCE_S

Picture = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of the picture's width and height."""

WALL: Box = (0.02, 0.05, 0.12, 0.20)
"""Where only the room is seen."""
EDGE: Box = (0.20, 0.28, 0.29, 0.32)
"""Where the room has a sharp edge, of the blue panel."""
CHEST: Box = (0.44, 0.66, 0.54, 0.74)
"""Where only the shirt is seen, but for the moment in which the hands go down."""
FRONT: Box = (0.40, 0.40, 0.60, 0.62)
"""Where the hands are held in front of the shirt."""
GREEN = (0, 177, 64)
"""What the page calls chroma green."""


def pixels(page: Page) -> Picture:
    """What the canvas shows."""
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


def wait(page: Page, condition: str) -> None:
    """Until a condition in JavaScript holds (Playwright's own waiting is forbidden by the page's security policy)."""
    page.evaluate(
        f"""async () => {{ const until = performance.now() + {PATIENCE_MS};
        while (!({condition}) && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
        if (!({condition})) throw new Error("not in time"); }}"""
    )


def until(page: Page, holds: Callable[[Picture], bool], what: str) -> Picture:
    """The first picture for which something holds; each look waits for a new picture."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        shown = page.evaluate("fitting.meter.shown")
        picture = pixels(page)
        if holds(picture):
            return picture
        if time.monotonic() > end_s:
            raise AssertionError(f"not seen: {what}; {mean(picture, WALL)} on the wall, {mean(picture, CHEST)} on him")
        wait(page, f"fitting.meter.shown > {shown}")


def part(picture: Picture, box: Box) -> NDArray[np.int16]:
    """The pixels in a box."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    cut = picture[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return cut.astype(np.int16)


def mean(picture: Picture, box: Box) -> NDArray[np.float64]:
    """The mean colour in a box."""
    return np.asarray(part(picture, box).mean((0, 1)))


def near(picture: Picture, box: Box, colour: tuple[int, int, int], by: float = 14) -> bool:
    """Whether the mean colour in a box is this one."""
    return bool(np.abs(mean(picture, box) - colour).max() < by)


def sharpness(picture: Picture, box: Box) -> float:
    """The steepest step between two columns in a box, 0 to 255."""
    return float(np.abs(np.diff(part(picture, box).mean(0), axis=0)).max())


def changed(both: Picture, box: Box) -> NDArray[np.int16]:
    """How far the fitting, on the right, is from the camera's picture on the left: (h, w) 0 to 255."""
    raw, dressed = np.hsplit(both, 2)
    return np.asarray(np.abs(part(dressed, box) - part(raw, box)).max(axis=2))


def change(both: Picture, box: Box) -> float:
    """The median of what is `changed`."""
    return float(np.median(changed(both, box)))


def choose(page: Page, name: str, value: str) -> None:
    """Click one of the choices called `name`."""
    page.locator(f"input[name={name}][value={value}]").locator("xpath=..").click()


def green_wall(page: Page) -> None:
    """Put the page in front of a green wall, and see it."""
    choose(page, "background", "colour")
    page.get_by_label("Background: Chroma green").click()
    until(page, lambda now: near(now, WALL, GREEN, 25), "a green wall")
