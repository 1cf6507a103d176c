"""A drawn scene that moves: two people whose garments are known to the pixel, for tests and first trials."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import parse_qsl

import cv2
import numpy as np

from clothseg.labels import BOTTOM, DRESS, PERSON, TOP
from stream.message import Mode, Picture, Pixels
from stream.settings.config import Camera
from stream.sources.error import SourceError

DEFAULT_SIZE_PX = (640, 360)
DEFAULT_RATE_HZ = 30.0
DEFAULT_FRAMES = 300
"""Of a `synthetic:` played as a file; played live it goes on for ever."""

SKIN, HAIR, SHIRT, TROUSERS, GOWN = (130, 165, 215), (30, 40, 60), (170, 80, 40), (60, 50, 45), (60, 40, 190)
SWAY_HZ = 0.4


def figure(pts_ns: int, size_px: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """The scene at `pts_ns` as (H, W, 3) uint8 BGR, and its truth as (H, W) uint8 class indices.

    `size_px` is (width, height). On the left a person in top and trousers, on the right one in a
    dress; both sway, and swing an arm across what they wear. Nothing is blended, so the truth is exact.
    """
    width, height = size_px
    picture = _room(width, height).copy()
    parts = np.zeros((height, width), np.uint8)
    phase = 2 * math.pi * SWAY_HZ * pts_ns / 1e9
    for middle, gown, shift in ((0.3, False, 0.0), (0.7, True, 2.0)):
        sway = 0.05 * math.sin(phase + shift)
        swing = math.sin(1.7 * phase + shift)
        for shape, colour, label in _person(gown, swing):
            points = np.rint((np.array(shape) + np.array((sway, 0))) * height + np.array((middle * width, 0))).astype(
                np.int32
            )
            cv2.fillPoly(picture, [points], colour)
            cv2.fillPoly(parts, [points], label)
    return picture, parts


Shape = list[tuple[float, float]]


def _person(gown: bool, swing: float) -> Iterator[tuple[Shape, tuple[int, int, int], int]]:
    """The shapes of a person from back to front; x from its middle, y from the top, in picture heights."""
    hand = 0.12 * swing
    yield _oval(0, 0.17, 0.075, 0.10), HAIR, PERSON
    for side in (-1, 1):
        yield [(side * x, y) for x, y in ((0.01, 0.6), (0.07, 0.6), (0.06, 0.97), (0.02, 0.97))], SKIN, PERSON
    if gown:
        yield (
            [(-0.08, 0.28), (0.08, 0.28), (0.06, 0.48), (0.15, 0.85), (-0.15, 0.85), (-0.06, 0.48)],
            GOWN,
            DRESS,
        )
    else:
        for side in (-1, 1):
            yield (
                [(side * x, y) for x, y in ((0, 0.54), (0.09, 0.54), (0.07, 0.92), (0.01, 0.92))],
                TROUSERS,
                BOTTOM,
            )
        yield [(-0.11, 0.28), (0.11, 0.28), (0.09, 0.58), (-0.09, 0.58)], SHIRT, TOP
    yield _oval(0, 0.18, 0.055, 0.08), SKIN, PERSON
    yield [(-0.02, 0.24), (0.02, 0.24), (0.03, 0.30), (-0.03, 0.30)], SKIN, PERSON
    yield [(0.09, 0.30), (0.13, 0.32), (0.04 + hand, 0.52), (hand, 0.50)], SKIN, PERSON


def _oval(x: float, y: float, across: float, down: float) -> Shape:
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    return [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]


@lru_cache(4)
def _room(width: int, height: int) -> Pixels:
    """A wall with light falling from the left, and a floor."""
    light = np.linspace(215, 150, width, dtype=np.float32)
    shade = np.where(np.arange(height) < 0.8 * height, 1.0, 0.7).astype(np.float32)
    grey = (shade[:, None] * light).astype(np.uint8)
    return np.dstack((grey, grey, np.minimum(grey, 245) + 10)).astype(np.uint8)


def open_source(camera: Camera, on_packet: Callable[[], None]) -> SyntheticSource:
    """Open `synthetic:`, with options as in `synthetic:?frames=90&size=320x240&rate=15`."""
    query = camera.source.partition(":")[2].removeprefix("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := set(options) - {"frames", "size", "rate"}:
        raise SourceError(f"synthetic: knows frames, size and rate, not {', '.join(sorted(unknown))}")
    frames = _option(options, "frames", r"([1-9]\d{0,8})", "a number of at least 1")
    size = _option(options, "size", r"([1-9]\d{0,3})x([1-9]\d{0,3})", "width x height as 640x360, each under 10000")
    rate = _option(options, "rate", r"([1-9]\d{0,2}(?:\.\d+)?)", "frames a second from 1 to 999")
    endless = DEFAULT_FRAMES if camera.mode != "live" else None
    return SyntheticSource(
        size_px=(int(size[1]), int(size[2])) if size else camera.size_px or DEFAULT_SIZE_PX,
        rate_hz=float(rate[1]) if rate else camera.rate_hz or DEFAULT_RATE_HZ,
        frames=int(frames[1]) if frames else endless,
    )


def _option(options: dict[str, str], name: str, pattern: str, expected: str) -> re.Match[str] | None:
    if name not in options:
        return None
    found = re.fullmatch(pattern, options[name])
    if not found:
        raise SourceError(f"synthetic: expected {name} as {expected}, got {options[name]!r}")
    return found


class SyntheticSource:
    """The scene of `figure` at a steady rate."""

    address = "synthetic:"
    mode: Mode = "file"
    realtime = False
    skipped = 0

    def __init__(self, size_px: tuple[int, int], rate_hz: float, frames: int | None) -> None:
        self.rate_hz: float | None = rate_hz
        self.frames = frames
        self._size_px = size_px
        self._step_ns = 1e9 / rate_hz
        self._closed = False

    def __iter__(self) -> Iterator[Picture]:
        index = 0
        while not self._closed and (self.frames is None or index < self.frames):
            captured_ns = time.monotonic_ns()
            pts_ns = round(index * self._step_ns)
            yield Picture(figure(pts_ns, self._size_px)[0], pts_ns, captured_ns)
            index += 1

    def close(self) -> None:
        """End after the picture being drawn."""
        self._closed = True
