"""A drawn person in a T-shirt and trousers, with the matte that a perfect network would give."""

import cv2
import numpy as np

from clothseg.classes import USUAL
from clothseg.labels import BOTTOM, PERSON, TOP
from clothseg.matting.matting import Matte
from clothseg.tryon.blend import Image

HEIGHT, WIDTH = 360, 480
MS = 1_000_000
SKIN = (140, 170, 220)


def wearer(
    *,
    shirt: tuple[int, int, int] = (40, 40, 40),
    middle_px: int = 240,
    down_px: int = 0,
    hand_at: tuple[int, int] | None = None,
    wall: int = 200,
    fold_depth: float = 0.3,
    garment: int = TOP,
) -> tuple[Image, Matte]:
    """Picture (HEIGHT, WIDTH, 3) and matte of one person; the shirt has upright folds and fine specks to hold on to."""
    parts = np.zeros((HEIGHT, WIDTH), np.uint8)
    at = np.array([middle_px, 60 + down_px])

    def fill(points: list[tuple[int, int]], label: int) -> None:
        cv2.fillPoly(parts, [np.array(points) + at], label)

    fill([(-62, 40), (-85, 200), (-70, 205), (-48, 60)], PERSON)
    fill([(62, 40), (85, 200), (70, 205), (48, 60)], PERSON)
    fill([(-50, 160), (50, 160), (56, 400), (8, 400), (0, 220), (-8, 400), (-56, 400)], BOTTOM)
    fill([(-20, -4), (20, -4), (56, 14), (92, 90), (66, 102), (52, 66), (52, 190), (-52, 190), (-52, 66), (-66, 102),
          (-92, 90), (-56, 14)], garment)  # fmt: skip
    cv2.ellipse(parts, (int(at[0]), int(at[1]) - 22), (24, 32), 0, 0, 360, PERSON, -1)
    if hand_at is not None:
        cv2.circle(parts, hand_at, 18, PERSON, -1)
    x = np.arange(WIDTH)[None, :]
    colours = np.array([(wall,) * 3, SKIN, shirt, (110, 70, 40), shirt], float)
    specks = np.roll(np.random.default_rng(1).normal(0, 1, (HEIGHT, WIDTH)), tuple(at[::-1]), axis=(0, 1))
    folds = 1 + fold_depth * np.sin((x - at[0]) / 9) + 0.15 * cv2.GaussianBlur(specks, (0, 0), 2)
    picture = colours[parts] * np.where(parts >= TOP, folds, 1)[..., None]
    bgr = np.clip(picture, 0, 255).astype(np.uint8)
    alpha = cv2.GaussianBlur(np.where(parts > 0, 255, 0).astype(np.uint8), (5, 5), 0)
    parts[alpha < 128] = 0
    return bgr, Matte(alpha, parts, bgr, USUAL)
