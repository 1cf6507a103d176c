"""Turns network-size probabilities and the full-size picture into an alpha and part masks with true edges."""

from typing import Annotated, NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray


class Matting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How masks are fitted to the picture's edges.

    radius_px: 1 to 32 px of the full picture; how far an edge may move. Too high: things of like colour leak in.
    softness: 1 to 64 grey levels; contrast below this says nothing. Too high: edges are blurred.
    """

    radius_px: Annotated[int, msgspec.Meta(ge=1, le=32)] = 8
    softness: Annotated[float, msgspec.Meta(ge=1, le=64)] = 8.0


class Matte(NamedTuple):
    """Full-size masks of one picture.

    alpha: (H, W) uint8, the person's share of each pixel, 0 to 255.
    parts: (H, W) uint8, class index; 0 exactly where alpha is under 128.
    foreground: (H, W, 3) uint8 BGR, the person's own colour, without the background at its edges.
    """

    alpha: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    foreground: NDArray[np.uint8]


def matte(probabilities: NDArray[np.uint8], picture: NDArray[np.uint8], settings: Matting) -> Matte:
    """Lift `probabilities` (K, h, w) uint8 (class 0 is the background) to `picture` (H, W, 3) uint8 BGR.

    Alpha comes from a guided filter (He, Sun, Tang 2010) at quarter size (He and Sun 2015).
    """
    guide = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    height, width = guide.shape
    quarter = (max(width // 4, 1), max(height // 4, 1))
    person = cv2.resize(cv2.bitwise_not(probabilities[0]), quarter, interpolation=cv2.INTER_LINEAR)
    slope, offset = _guided(person, cv2.resize(guide, quarter, interpolation=cv2.INTER_AREA), settings)
    lifted = cv2.multiply(cv2.resize(slope, (width, height)), guide, dtype=cv2.CV_32F)
    alpha = cv2.add(lifted, cv2.resize(offset, (width, height)), dtype=cv2.CV_8U)
    parts = _strongest(probabilities, (width, height))
    parts[alpha < 128] = 0
    return Matte(alpha, parts, picture)


def upsample(probabilities: NDArray[np.uint8], picture: NDArray[np.uint8]) -> Matte:
    """Lift `probabilities` (K, h, w) uint8 to the size of `picture` by bilinear interpolation: matting off."""
    height, width = picture.shape[:2]
    alpha = cv2.resize(cv2.bitwise_not(probabilities[0]), (width, height), interpolation=cv2.INTER_LINEAR)
    parts = _strongest(probabilities, (width, height))
    parts[alpha < 128] = 0
    return Matte(alpha, parts, picture)


def _guided(
    mask: NDArray[np.uint8], guide: NDArray[np.uint8], settings: Matting
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slope and offset (float32) of the line mask = slope · guide + offset fitted around each pixel."""
    window = (2 * max(round(settings.radius_px / 4), 1) + 1,) * 2
    mask32, guide32 = np.float32(mask), np.float32(guide)
    mean_mask, mean_guide = cv2.blur(mask32, window), cv2.blur(guide32, window)
    covariance = cv2.blur(mask32 * guide32, window) - mean_mask * mean_guide
    variance = cv2.blur(guide32 * guide32, window) - mean_guide * mean_guide
    slope = covariance / (variance + settings.softness**2)
    offset = mean_mask - slope * mean_guide
    return cv2.blur(slope, window), cv2.blur(offset, window)


def _strongest(probabilities: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The strongest class but the background at each pixel of `size` (W, H): (H, W) uint8, never 0."""
    parts = np.full((size[1], size[0]), 1, np.uint8)
    best = cv2.resize(probabilities[1], size, interpolation=cv2.INTER_LINEAR)
    for index in range(2, len(probabilities)):
        plane = cv2.resize(probabilities[index], size, interpolation=cv2.INTER_LINEAR)
        cv2.copyTo(np.full_like(parts, index), cv2.compare(plane, best, cv2.CMP_GT), parts)
        best = cv2.max(plane, best)
    return parts
