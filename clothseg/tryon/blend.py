"""Lays one picture over another by an alpha."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(H, W, 3) uint8 BGR."""

Slices = tuple[slice, slice]
"""Rows and columns of a part of a picture."""

_STRIP_PX = 64  # a strip of this height stays in the cache: three times faster than the whole picture at once


def over(front: Image, back: Image, alpha: NDArray[np.uint8]) -> Image:
    """`front` over `back`, both (H, W, 3) uint8 BGR, by `alpha` (H, W) uint8; a new picture.

    Where alpha is 0 or 255 the result is bit for bit one of the two. Blended as displayed, not in linear
    light, because mattes are estimated that way.
    """
    blended = back.copy()
    for box in strips(alpha):
        share = cv2.cvtColor(alpha[box], cv2.COLOR_GRAY2BGR)
        shown = cv2.multiply(front[box], share, scale=1 / 255)
        cv2.bitwise_not(share, dst=share)
        cv2.multiply(back[box], share, dst=share, scale=1 / 255)
        cv2.add(shown, share, dst=blended[box])
    return blended


def strips(alpha: NDArray[np.uint8]) -> Iterator[Slices]:
    """`alpha` (H, W) from top to bottom in low strips, each only as wide as what is not 0 in it."""
    for top in range(0, alpha.shape[0], _STRIP_PX):
        x, y, width, height = cv2.boundingRect(alpha[top : top + _STRIP_PX])
        if width:
            yield slice(top + y, top + y + height), slice(x, x + width)


def replace_colour(canvas: Image, alpha: NDArray[np.uint8], old: Image, new: Image) -> None:
    """Put the colours `new` in the place of `old`, which are `alpha` (H, W) of each pixel of `canvas`; all (H, W, 3).

    In place: I + α (F′ − F). What shows through at soft edges stays, and no rim of the old colour is left. Where
    alpha is 255, `canvas` is `old` and becomes `new`, bit for bit.
    """
    share = cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)
    brighter = cv2.multiply(cv2.subtract(new, old), share, scale=1 / 255)
    darker = cv2.multiply(cv2.subtract(old, new), share, dst=share, scale=1 / 255)
    cv2.subtract(cv2.add(canvas, brighter, dst=brighter), darker, dst=canvas)


def halve_until(picture: Image, longest_px: int) -> Image:
    """`picture` halved until its longer side is under twice `longest_px`: a mean over squares, the fastest
    there is."""
    while max(picture.shape) >= 2 * longest_px:
        size = (max(picture.shape[1] // 2, 1), max(picture.shape[0] // 2, 1))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return picture
