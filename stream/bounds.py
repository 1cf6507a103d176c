"""Bounds of messages: every number, text and picture from another process is checked here."""

from __future__ import annotations

import re

import numpy as np

from clothseg.classes import Pixels
from clothseg.network.box import Box

MAX_SIDE_PX = 16_384
MAX_PIXELS = 64_000_000
MAX_MASK_SIDE_PX = 4096
"""Of the network's masks; ours have some 300."""
MAX_COUNT = 2**53 - 1
"""Of frames and epochs: what every client can count in, also those that know no integers (JavaScript)."""
MAX_SUPERSEDED = 1_000_000_000
"""Pictures overwritten unread since the last that was taken: a year at 30 a second."""
MAX_TIME_NS = 2**62
"""Of a clock on either side of zero: 146 years, so that differences fit into 64 bits."""
MAX_RATE_HZ = 1_000_000.0
MAX_TEXT_CHARS = 8192
MAX_NAME_CHARS = 64

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{MAX_NAME_CHARS - 1}}}")


class MessageError(ValueError):
    """A message that breaks a bound; the text says what was expected and what came."""


def require(fits: bool, expected: str, got: object) -> None:
    """MessageError where something does not fit."""
    if not fits:
        raise MessageError(f"expected {expected}, got {got}")


def require_camera(name: str) -> None:
    """A camera's name, which stands in topics, file names and logs."""
    require(
        _NAME.fullmatch(name) is not None,
        f"a camera's name of 1 to {MAX_NAME_CHARS} letters, digits, _ and -",
        repr(name[:MAX_NAME_CHARS]),
    )


def require_count(name: str, count: int, min_count: int = 0, max_count: int = MAX_COUNT) -> None:
    """A number of frames, epochs or pictures."""
    require(min_count <= count <= max_count, f"{name} of at least {min_count} and at most {max_count}", count)


def require_frame(camera: str, epoch: int, seq: int, min_seq: int = 0) -> None:
    """Which frame of which camera; `min_seq` −1 where there may have been none."""
    require_camera(camera)
    require_count("epoch", epoch)
    require_count("seq", seq, min_seq)


def require_time(name: str, time_ns: int) -> None:
    """A clock's reading."""
    require(-MAX_TIME_NS <= time_ns <= MAX_TIME_NS, f"{name} within {MAX_TIME_NS} of zero", time_ns)


def require_rate(rate_hz: float | None) -> None:
    """A nominal rate, where one is known."""
    if rate_hz is not None:
        require(0 < rate_hz <= MAX_RATE_HZ, f"a rate above 0 and at most {MAX_RATE_HZ:g} Hz", rate_hz)


def require_text(name: str, text: str | None) -> None:
    """A sentence or an address, where there is one."""
    if text is not None:
        require(len(text) <= MAX_TEXT_CHARS, f"{name} of at most {MAX_TEXT_CHARS} characters", len(text))


def require_picture(name: str, pixels: Pixels, channels: int) -> None:
    """Pixels (H, W) or (H, W, channels) uint8."""
    shape = (pixels.shape[2] if pixels.ndim == 3 else 1) if pixels.ndim in (2, 3) else 0
    require(
        pixels.dtype == np.uint8 and shape == channels and pixels.size > 0,
        f"{name} as uint8 (H, W{', ' + str(channels) if channels > 1 else ''})",
        f"{pixels.dtype} {pixels.shape}",
    )
    height, width = pixels.shape[:2]
    require(
        max(height, width) <= MAX_SIDE_PX and height * width <= MAX_PIXELS,
        f"{name} of at most {MAX_PIXELS} pixels, {MAX_SIDE_PX} a side",
        f"{width}x{height}",
    )


def require_probabilities(planes: Pixels, classes: int) -> None:
    """Class probabilities (K, h, w) uint8, K being `classes`."""
    require(
        planes.dtype == np.uint8 and planes.ndim == 3 and planes.size > 0,
        "probabilities as uint8 (K, h, w)",
        f"{planes.dtype} {planes.shape}",
    )
    require(planes.shape[0] == classes, f"{classes} classes", planes.shape[0])
    require(max(planes.shape[1:]) <= MAX_MASK_SIDE_PX, f"masks of at most {MAX_MASK_SIDE_PX} a side", planes.shape)


def require_box(box: Box | None) -> None:
    """Raise MessageError unless `box` lies within the picture, in shares of it."""
    if box is not None:
        inside = 0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1
        require(inside, "a box of shares that rise from 0 to 1", box)
