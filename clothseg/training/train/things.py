"""Things that are no people, cut out or drawn: what a crowd stands among, so that shape alone makes no person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from clothseg.labels import BACKGROUND
from clothseg.training.samples import read_index_mask, read_picture
from clothseg.training.train.figures import Cutout

Pixels = npt.NDArray[np.uint8]

_KEPT_PX: Final = 220  # the longer side of a thing that is kept in memory
_DRAWN_PX: Final = 160  # height of a thing that is drawn


def read_things(folder: Path, masks: str) -> Iterator[tuple[str, Cutout]]:
    """Read things cut out of the pictures in `folder/images`, by name; `folder/masks` holds their alpha.

    Raises ValueError where the folder shows none.
    """
    paths = sorted((folder / masks).glob("*.png"))
    if not paths:
        raise ValueError(f"{folder / masks}: expected masks NAME.png of the things in {folder / 'images'}, found none")
    for path in paths:
        alpha, picture = read_index_mask(path), read_picture(folder / "images" / f"{path.stem}.jpg")
        left, top, width, height = cv2.boundingRect(alpha)
        if width * height == 0:
            continue
        box = np.s_[top : top + height, left : left + width]
        yield path.stem, _small(picture[box], alpha[box])


def _small(picture: Pixels, alpha: Pixels) -> Cutout:
    scale = min(_KEPT_PX / max(alpha.shape), 1.0)
    size = (max(round(alpha.shape[1] * scale), 1), max(round(alpha.shape[0] * scale), 1))
    planes = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (picture, alpha)]
    return thing(np.asarray(planes[0], np.uint8), np.asarray(planes[1], np.uint8))


def thing(picture: Pixels, alpha: Pixels) -> Cutout:
    """A cutout of something that is background however it looks."""
    return Cutout(picture, alpha, np.full(alpha.shape, BACKGROUND, np.uint8))


def draw_thing(cloth: Pixels, rng: Generator) -> Cutout:
    """A thing drawn by chance: turned on a lathe, a box, or a ball, perhaps in the pattern `cloth` (h, w, 3)."""
    kind = rng.random()
    if kind < 0.6:
        return _turned(cloth, rng)
    return _ball(cloth, rng) if kind < 0.75 else _box(cloth, rng)


def _turned(cloth: Pixels, rng: Generator) -> Cutout:
    """A bottle, a vase, a column, a lamp: a profile turned about an upright axis, lit from one side.

    Some have a handle; half of them are as slim as a standing person, with a waist and a head as likely as not.
    """
    height = _DRAWN_PX
    slim = rng.uniform(0.12, 0.5) if rng.random() < 0.7 else rng.uniform(0.5, 1.1)
    knots = int(rng.integers(3, 9))
    radii = rng.uniform(0.25, 1.0, knots)
    steps = np.linspace(0, knots - 1, height)
    profile = np.interp(steps, np.arange(knots), radii)
    if rng.random() < 0.6:  # rounded; the others are made of cones
        profile = cv2.GaussianBlur(profile[:, None], (1, 0), sigmaX=0.1, sigmaY=float(rng.uniform(2, 12)))[:, 0]
    profile *= slim * height / 2 / profile.max()
    width = max(int(2 * profile.max()) + 4, 8)
    across = (np.arange(width) - (width - 1) / 2)[None] / np.maximum(profile, 1)[:, None]
    alpha = np.clip((1 - np.abs(across)) * profile[:, None] + 0.5, 0, 1)
    picture = _surface(cloth, (height, width), rng) * _turned_light(across, rng)[..., None]
    if rng.random() < 0.3:
        return _with_handle(picture, alpha, rng)
    return thing(_bytes(picture), _bytes(alpha * 255))


def _turned_light(across: npt.NDArray[np.float64], rng: Generator) -> npt.NDArray[np.float64]:
    """Return how bright a round surface is at `across`, -1 to 1 from its left to its right."""
    slope = np.clip(across, -1, 1)
    from_left = rng.uniform(-0.8, 0.8)
    lit = 0.55 + 0.45 * np.clip(np.sqrt(1 - slope**2) * np.sqrt(1 - from_left**2) + slope * from_left, 0, 1)
    gloss = rng.uniform(0, 0.9) * np.exp(-(((slope - from_left) / rng.uniform(0.05, 0.3)) ** 2))
    return np.asarray(lit + gloss)


def _with_handle(picture: npt.NDArray[np.float64], alpha: npt.NDArray[np.float64], rng: Generator) -> Cutout:
    """A jug: a ring of the same stuff beside it."""
    height, width = alpha.shape
    reach, tall = max(width // 2, 8), int(rng.uniform(0.15, 0.35) * height)
    wide = np.pad(alpha, ((0, 0), (0, reach)))
    ring = np.zeros(wide.shape, np.uint8)
    centre = (width - int(0.2 * width), int(rng.uniform(0.3, 0.7) * height))
    cv2.ellipse(ring, centre, (reach, tall), 0, -90, 90, 255, max(3, width // 12), cv2.LINE_AA)
    stuff = np.pad(picture, ((0, 0), (0, reach), (0, 0)), mode="edge")
    return thing(_bytes(stuff), _bytes(np.maximum(wide * 255, ring)))


def _box(cloth: Pixels, rng: Generator) -> Cutout:
    """A crate, a cupboard, a chair's back: a front, panels and edges, on legs or not."""
    height = _DRAWN_PX
    width = int(height * rng.uniform(0.2, 1.6))
    picture = _surface(cloth, (height, width), rng)
    for _ in range(int(rng.integers(0, 5))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        far = (x + int(rng.integers(4, width)), y + int(rng.integers(4, height)))
        cv2.rectangle(picture, (x, y), far, tuple(rng.uniform(10, 245, 3)), -1 if rng.random() < 0.4 else 2)
    alpha = np.full((height, width), 255, np.uint8)
    if rng.random() < 0.4:
        leg, above = max(width // 12, 2), int(height * rng.uniform(0.4, 0.85))
        alpha[above:, leg:-leg] = 0
    slope = np.linspace(rng.uniform(0.6, 1), rng.uniform(0.6, 1), width)[None, :, None]
    return thing(_bytes(picture * slope), alpha)


def _ball(cloth: Pixels, rng: Generator) -> Cutout:
    """A ball, a fruit, a plate: round, lit from above."""
    side = _DRAWN_PX
    y, x = (np.mgrid[:side, :side] - (side - 1) / 2) / (side / 2 - 1)
    radius = np.sqrt(x**2 + (y * rng.uniform(1, 1.5)) ** 2)
    alpha = np.clip((1 - radius) * side / 2 + 0.5, 0, 1)
    light = np.array([rng.uniform(-0.6, 0.6), -0.6, 0.6])
    lit = x * light[0] + y * light[1] + np.sqrt(np.clip(1 - radius**2, 0, 1)) * light[2]
    picture = _surface(cloth, (side, side), rng) * (0.45 + 0.6 * np.clip(lit, 0, 1))[..., None]
    return thing(_bytes(picture), _bytes(alpha * 255))


def _surface(cloth: Pixels, size: tuple[int, int], rng: Generator) -> npt.NDArray[np.float64]:
    """Make a thing's surface (h, w, 3) float64: one colour, bands of some, or a pattern of cloth or scenery."""
    h, w = size
    kind = rng.random()
    if kind < 0.4:
        plain = np.broadcast_to(rng.uniform(8, 247, 3), (h, w, 3)).astype(np.float64).copy()
        return plain + rng.normal(0, rng.uniform(0, 6), (h, w, 1))
    if kind < 0.7:
        colours = rng.uniform(8, 247, (int(rng.integers(2, 6)), 3))
        edges = np.sort(rng.integers(0, h, len(colours) - 1))
        return np.asarray(np.repeat(colours[np.searchsorted(edges, np.arange(h))][:, None], w, axis=1))
    return np.asarray(cv2.resize(cloth, (w, h), interpolation=cv2.INTER_AREA), np.float64)


def _bytes(values: npt.NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(values, 0, 255), np.uint8)
