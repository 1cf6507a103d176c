"""Draws the garment library: flat garments with cloth, seams and soft folds, as PNG with alpha and a small YAML each.

python tools/draw_garments.py configs/garments
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 512  # of the finished picture; drawn twice as large and made smaller, which smooths every edge
CANVAS = 2 * SIDE
Image = NDArray[np.floating[Any]]
Line = list[tuple[float, float]]
"""Points x, y of the right half of a symmetric garment: x from the middle outwards, y downwards, −1 to 1."""


class Drawing(NamedTuple):
    """A garment as it is drawn.

    outline: its right half, from the middle of the neck or waist to the middle of the hem. seams: lines of stitches,
    drawn on both sides. bands: ribbing or hems, as lines with a width. cloth: x, y (CANVAS, CANVAS) → BGR 0 to 1.
    """

    title: str
    part: str
    outline: Line
    cloth: Callable[[Image, Image], Image]
    seams: tuple[Line, ...] = ()
    bands: tuple[tuple[Line, float], ...] = ()
    band_shade: float = 0.88


def bgr(colour: str) -> Image:
    """`#rrggbb` as BGR 0 to 1."""
    return np.array(list(bytes.fromhex(colour[1:]))[::-1], np.float32) / 255


def plain(colour: str) -> Callable[[Image, Image], Image]:
    """Cloth of one colour."""
    return lambda x, y: np.broadcast_to(bgr(colour), (*x.shape, 3)).copy()


def striped(ground: str, stripe: str, period: float, share: float) -> Callable[[Image, Image], Image]:
    """Stripes across, on the sleeves too."""

    def cloth(x: Image, y: Image) -> Image:
        phase = (y + 0.35 * np.maximum(np.abs(x) - 0.51, 0)) / period % 1
        return np.where((phase < share)[..., None], bgr(stripe), bgr(ground)).astype(np.float32)

    return cloth


def checked(ground: str, wide: str, narrow: str) -> Callable[[Image, Image], Image]:
    """Flannel checks: bands both ways, darker where they cross."""

    def cloth(x: Image, y: Image) -> Image:
        colour = np.broadcast_to(bgr(ground), (*x.shape, 3)).copy()
        for along in (x, y):
            phase = (along + 10.04) / 0.16 % 1
            colour = np.where((phase < 0.5)[..., None], 0.55 * colour + 0.45 * bgr(wide), colour)
            colour = np.where((np.abs(phase - 0.75) < 0.03)[..., None], 0.4 * colour + 0.6 * bgr(narrow), colour)
        return colour.astype(np.float32)

    return cloth


def dotted(ground: str, dot: str, period: float) -> Callable[[Image, Image], Image]:
    """Dots in staggered rows."""

    def cloth(x: Image, y: Image) -> Image:
        row = np.floor(y / period)
        across = (x / period + 0.5 * (row % 2)) % 1 - 0.5
        inside = across**2 + (y / period % 1 - 0.5) ** 2 < 0.055
        return np.where(inside[..., None], bgr(dot), bgr(ground)).astype(np.float32)

    return cloth


def chest_print(cloth: Callable[[Image, Image], Image], colour: str) -> Callable[[Image, Image], Image]:
    """`cloth` with a sun over waves printed on the chest."""

    def printed(x: Image, y: Image) -> Image:
        radius = np.hypot(x, y + 0.27)
        wave = (y + 0.27 + 0.012 * np.sin(40 * x)) / 0.05 % 1 < 0.5
        sun = (radius < 0.20) & ((y < -0.27) | wave)
        ring = np.abs(radius - 0.245) < 0.010
        return np.where((sun | ring)[..., None], bgr(colour), cloth(x, y)).astype(np.float32)

    return printed


TEE = [
    (0, -0.70),
    (0.10, -0.705),
    (0.18, -0.76),
    (0.22, -0.83),
    (0.36, -0.79),
    (0.52, -0.70),
    (0.64, -0.55),
    (0.86, -0.20),
    (0.85, -0.15),
    (0.62, -0.04),
    (0.58, -0.06),
    (0.52, -0.24),
    (0.51, 0.2),
    (0.53, 0.80),
    (0.52, 0.83),
    (0.2, 0.845),
    (0, 0.845),
]
LONG = [
    (0, -0.72),
    (0.10, -0.725),
    (0.18, -0.77),
    (0.22, -0.83),
    (0.36, -0.79),
    (0.52, -0.71),
    (0.63, -0.53),
    (0.76, -0.05),
    (0.90, 0.60),
    (0.88, 0.64),
    (0.75, 0.67),
    (0.72, 0.65),
    (0.61, 0.15),
    (0.52, -0.22),
    (0.51, 0.2),
    (0.52, 0.80),
    (0.50, 0.83),
    (0.2, 0.84),
    (0, 0.84),
]
TROUSERS = [
    (0, -0.92),
    (0.2, -0.925),
    (0.31, -0.92),
    (0.35, -0.70),
    (0.39, -0.45),
    (0.375, 0),
    (0.34, 0.5),
    (0.31, 0.92),
    (0.2, 0.93),
    (0.10, 0.92),
    (0.085, 0.4),
    (0.05, -0.15),
    (0, -0.36),
]
SKIRT = [
    (0, -0.78),
    (0.2, -0.785),
    (0.31, -0.78),
    (0.40, -0.45),
    (0.50, 0.1),
    (0.60, 0.72),
    (0.4, 0.77),
    (0.2, 0.79),
    (0, 0.795),
]
DRESS = [
    (0, -0.74),
    (0.07, -0.75),
    (0.13, -0.83),
    (0.16, -0.93),
    (0.21, -0.93),
    (0.27, -0.92),
    (0.29, -0.75),
    (0.31, -0.55),
    (0.28, -0.30),
    (0.265, -0.14),
    (0.34, 0.12),
    (0.44, 0.5),
    (0.52, 0.88),
    (0.3, 0.92),
    (0, 0.935),
]
COLLAR = [(0, -0.685), (0.105, -0.69), (0.19, -0.75), (0.23, -0.825)]
SHOULDER_SEAM = [(0.52, -0.70), (0.525, -0.45), (0.52, -0.24)]


def pleats(x: Image, y: Image) -> Image:
    """Plum cloth in pleats that open towards the hem."""
    angle = np.arctan2(x, y + 2.2) / 0.047
    shade = 0.82 + 0.18 * np.abs(np.sin(math.pi * angle / 2)) - 0.10 * ((angle % 2) < 0.25)
    return np.asarray(bgr("#7d3a66") * shade[..., None], np.float32)


def melange(colour: str) -> Callable[[Image, Image], Image]:
    """Sweatshirt cloth: fine light and dark threads."""

    def cloth(x: Image, y: Image) -> Image:
        threads = np.random.default_rng(3).normal(0, 1, x.shape).astype(np.float32)
        fine = cv2.GaussianBlur(threads, (0, 0), 1.6) * 0.10
        return np.asarray(bgr(colour) * (1 + fine)[..., None], np.float32)

    return cloth


DRAWINGS = {
    "tshirt-sun": Drawing(
        "T-shirt with a sun",
        "top",
        TEE,
        chest_print(plain("#f4f1e8"), "#d9622b"),
        seams=(SHOULDER_SEAM, [(0, 0.79), (0.53, 0.775)], [(0.835, -0.25), (0.58, -0.12)]),
        bands=((COLLAR, 0.035),),
        band_shade=0.93,
    ),
    "tshirt-navy": Drawing(
        "Navy T-shirt",
        "top",
        TEE,
        plain("#1f2f4d"),
        seams=(SHOULDER_SEAM, [(0, 0.79), (0.53, 0.775)], [(0.835, -0.25), (0.58, -0.12)]),
        bands=((COLLAR, 0.035),),
    ),
    "striped-top": Drawing(
        "Breton top",
        "top",
        LONG,
        striped("#f1eee6", "#24365c", 0.105, 0.42),
        seams=(SHOULDER_SEAM, [(0, 0.79), (0.52, 0.78)]),
        bands=((COLLAR, 0.03),),
        band_shade=0.95,
    ),
    "hoodie": Drawing(
        "Hoodie",
        "top",
        LONG,
        melange("#5f7f6b"),
        seams=(SHOULDER_SEAM, [(0, 0.22), (0.22, 0.22), (0.34, 0.50), (0.34, 0.72)]),
        bands=(
            ([(0, 0.795), (0.52, 0.785)], 0.06),
            ([(0.885, 0.575), (0.70, 0.61)], 0.055),
            ([(0, -0.64), (0.12, -0.67), (0.24, -0.82)], 0.09),
        ),
    ),
    "flannel": Drawing(
        "Flannel shirt",
        "top",
        LONG,
        checked("#b5443c", "#3a2a2e", "#e8d9b8"),
        seams=(
            SHOULDER_SEAM,
            [(0.03, -0.70), (0.03, 0.84)],
            [(0.14, -0.30), (0.36, -0.30)],
            [(0.14, -0.30), (0.14, 0.0), (0.36, 0.0), (0.36, -0.30)],
        ),
        bands=(([(0.03, -0.67), (0.12, -0.69), (0.225, -0.81)], 0.05), ([(0.885, 0.575), (0.70, 0.61)], 0.04)),
    ),
    "chinos": Drawing(
        "Chinos",
        "bottom",
        TROUSERS,
        plain("#b79b6c"),
        seams=(
            [(0.24, -0.84), (0.345, -0.62)],
            [(0, -0.84), (0, -0.36)],
            [(0.23, -0.84), (0.22, 0.0), (0.205, 0.92)],
            [(0.11, 0.87), (0.31, 0.87)],
        ),
        bands=(([(0, -0.885), (0.31, -0.885)], 0.055),),
        band_shade=0.95,
    ),
    "jeans": Drawing(
        "Jeans",
        "bottom",
        TROUSERS,
        melange("#35517a"),
        seams=(
            [(0.16, -0.84), (0.22, -0.70), (0.35, -0.66)],
            [(0, -0.84), (0, -0.36)],
            [(0.03, -0.84), (0.03, -0.5), (0, -0.42)],
            [(0.11, 0.87), (0.31, 0.87)],
            [(0.325, -0.6), (0.365, -0.3), (0.35, 0.1)],
        ),
        bands=(([(0, -0.885), (0.31, -0.885)], 0.055),),
    ),
    "pleated-skirt": Drawing("Pleated skirt", "bottom", SKIRT, pleats, bands=(([(0, -0.74), (0.315, -0.735)], 0.06),)),
    "dotted-dress": Drawing(
        "Dotted dress",
        "dress",
        DRESS,
        dotted("#1d5c63", "#f2ead8", 0.085),
        seams=([(0.24, -0.50), (0.20, -0.14)],),
        bands=(
            ([(0, -0.13), (0.27, -0.13)], 0.045),
            ([(0, -0.725), (0.075, -0.735), (0.14, -0.82), (0.165, -0.92)], 0.022),
        ),
    ),
}


def smooth(points: Line) -> NDArray[np.float64]:
    """`points` (N, 2) joined by straight lines whose corners are rounded over at most 0.12."""
    known = np.array(points, float)
    t = np.linspace(0, 1, 12)[:, None]
    curve = [known[:1]]
    for before, corner, after in zip(known, known[1:], known[2:], strict=False):
        start, end = (
            corner + (other - corner) * min(0.5, 0.12 / float(np.hypot(*(other - corner)))) for other in (before, after)
        )
        curve.append((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end)
    return np.vstack([*curve, known[-1:]])


def pixels(points: NDArray[np.float64], side: int) -> NDArray[np.int32]:
    """Points −1 to 1 as canvas pixels × 16, mirrored for `side` −1."""
    return ((points * (side, 1) + 1) / 2 * CANVAS * 16).round().astype(np.int32)


def silhouette(outline: Line) -> Image:
    """The whole garment (CANVAS, CANVAS), 0 to 1."""
    right = smooth(outline)
    both = np.vstack([pixels(right, 1), pixels(right, -1)[::-1]])
    mask = np.zeros((CANVAS, CANVAS), np.uint8)
    cv2.fillPoly(mask, [both], 255, cv2.LINE_AA, shift=4)
    return mask.astype(np.float32) / 255


def lines(curves: list[Line], width: float) -> Image:
    """Lines on both sides of the middle, `width` of the canvas wide: (CANVAS, CANVAS), 0 to 1."""
    drawn = np.zeros((CANVAS, CANVAS), np.uint8)
    for curve in curves:
        for side in (1, -1):
            points = pixels(smooth(curve) if len(curve) > 2 else np.array(curve, float), side)
            cv2.polylines(drawn, [points], False, 255, max(round(width * CANVAS / 2), 1), cv2.LINE_AA, shift=4)
    return drawn.astype(np.float32) / 255


def soft_folds(x: Image, y: Image, mask: Image) -> Image:
    """Brightness 0 to 1 of cloth lying flat: rounded towards its edge, with long shallow folds and a fine weave."""
    rng = np.random.default_rng(7)
    edge = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / CANVAS
    rounded = 0.80 + 0.20 * (1 - np.exp(-edge / 0.022))
    broad = cv2.resize(rng.normal(0, 1, (5, 14)).astype(np.float32), (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
    weave = cv2.GaussianBlur(rng.normal(0, 1, x.shape).astype(np.float32), (0, 0), 0.8)
    return np.asarray(rounded * (1 + 0.035 * broad + 0.006 * weave), np.float32)


def draw(drawing: Drawing) -> NDArray[np.uint8]:
    """The finished picture (SIDE, SIDE, 4) uint8 BGRA."""
    axis = (np.arange(CANVAS, dtype=np.float32) + 0.5) / CANVAS * 2 - 1
    x, y = np.meshgrid(axis, axis)
    mask = silhouette(drawing.outline)
    colour = drawing.cloth(x, y)
    for line, width in drawing.bands:
        band = lines([line], 2 * width)
        ribs = 1 - 0.06 * (np.sin(x * 420) > 0)
        colour *= (1 - band * (1 - drawing.band_shade * ribs))[..., None]
        rim = cv2.GaussianBlur(np.abs(band - cv2.erode(band, np.ones((5, 5), np.uint8))), (0, 0), 1.5)
        colour *= (1 - 0.35 * rim)[..., None]
    seam = lines(list(drawing.seams), 0.006)
    colour *= (1 - 0.32 * cv2.GaussianBlur(seam, (0, 0), 1.6))[..., None]
    colour *= soft_folds(x, y, mask)[..., None]
    large = np.dstack([np.clip(colour, 0, 1), mask]) * 255
    return np.asarray(cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA).round(), np.uint8)


def main() -> None:
    """Write every garment of `DRAWINGS` into a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in DRAWINGS.items():
        cv2.imwrite(str(folder / f"{name}.png"), draw(drawing), [cv2.IMWRITE_PNG_COMPRESSION, 9])
        (folder / f"{name}.yaml").write_text(
            f"title: {drawing.title}\npart: {drawing.part}\nimage: {name}.png\nlicence: Apache-2.0\n"
        )


if __name__ == "__main__":
    main()
