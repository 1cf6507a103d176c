"""A time stamp drawn below a picture as a row of black and white blocks: it survives encoding and scaling.

The page draws it before it sends a picture, and reads it from the picture that comes back, so that the delay it
shows is the delay of that picture: encoding, both ways over the network, every stage and every queue included.
The server removes the row, so no stage ever sees it, and keeps the time as the picture's `pts_ns`.

The row is the last 1/31 of the stamped picture's height, an even number of pixels, and has 32 blocks, white for 1:
24 bits milliseconds of the writer's clock, modulo 2**24 (4.7 hours), 2 bits how many panels side by side the
picture shows, 6 bits check. `static/stamp.js` does the same in the page.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stream.message import Pixels

CLOCK_BITS = 24
CLOCK_MS = 1 << CLOCK_BITS
_BLOCKS = 32
_SHARE = 31


class Stamp(NamedTuple):
    """Content of the row: milliseconds modulo `CLOCK_MS`, and the number of panels, 1 to 3."""

    clock_ms: int
    panels: int = 1


def strip_px(stamped_height_px: int) -> int:
    """Height of the row in a stamped picture of that height."""
    return 2 * -(-stamped_height_px // (2 * _SHARE))


def stamped_px(picture_px: int) -> int:
    """An upper bound of the pixels of a stamped picture of so many."""
    return picture_px * (_SHARE + 2) // (_SHARE - 1)


def split_stamp(stamped: Pixels) -> tuple[Pixels, Stamp | None]:
    """Split off the row: the picture (H, W, 3) above it, and its stamp; None where it is not a valid stamp."""
    strip = strip_px(stamped.shape[0])
    picture, row = stamped[:-strip], stamped[-strip:]
    if picture.size == 0 or stamped.shape[1] < _BLOCKS:
        return stamped, None
    middles = ((np.arange(_BLOCKS) + 0.5) * stamped.shape[1] / _BLOCKS).astype(int)
    levels = row[strip // 4 : -(strip // 4) or None, middles].mean(axis=(0, 2))
    code = int("".join("1" if level > 127 else "0" for level in levels), 2)
    value, check = code >> 6, code & 63
    return picture, Stamp(value >> 2, value & 3) if check == _check(value) else None


def add_stamp(picture: Pixels, stamp: Stamp) -> Pixels:
    """The picture (H, W, 3) uint8 with the row below it, a new array."""
    height, width = picture.shape[:2]
    strip = strip_px(height + strip_px(height))
    value = stamp.clock_ms % CLOCK_MS << 2 | stamp.panels
    code = value << 6 | _check(value)
    bits = np.array([code >> bit & 1 for bit in range(_BLOCKS - 1, -1, -1)], np.uint8)
    row = 255 * bits[np.arange(width) * _BLOCKS // width]
    stamped = np.empty((height + strip, width, 3), np.uint8)
    stamped[:height] = picture
    stamped[height:] = row[None, :, None]
    return stamped


def _check(value: int) -> int:
    """Six bits that are right by chance once in 64 pictures; all black and all white are both wrong."""
    return (value ^ value >> 6 ^ value >> 12 ^ value >> 18 ^ value >> 24 ^ 0b101101) & 63
