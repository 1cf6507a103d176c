"""Finished frames for the tests of outputs: a person of known place, half top and half bottom, before grey."""

from __future__ import annotations

import numpy as np

from clothseg.classes import USUAL
from clothseg.labels import BOTTOM, CLASSES, TOP
from stream.message import CompositedFrame, Frame, Picture, Pixels

STEP_NS = 40_000_000


def composited_frame(
    camera: str = "front",
    seq: int = 0,
    size: tuple[int, int] = (64, 48),
    person: tuple[int, int, int, int] = (20, 12, 24, 30),
    epoch: int = 0,
) -> CompositedFrame:
    """A frame of `size` (width, height) with a person in the box (x, y, width, height); its pixels tell its `seq`."""
    width, height = size
    picture = _gradient(height, width, seq)
    x, y, wide, high = person
    alpha, parts = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    alpha[y : y + high, x : x + wide] = 255
    alpha[y : y + high, x : x + 1] = 100
    parts[y : y + high // 2, x : x + wide] = TOP
    parts[y + high // 2 : y + high, x : x + wide] = BOTTOM
    probabilities = np.zeros((len(CLASSES), 6, 8), np.uint8)
    probabilities[seq % len(CLASSES)] = 255
    composite = np.where(alpha[..., None] > 0, picture, 128).astype(np.uint8)
    frame = Frame(camera, epoch, seq, Picture(picture, seq * STEP_NS, seq))
    return CompositedFrame(frame, USUAL, probabilities, alpha, parts, picture, composite)


def _gradient(height: int, width: int, seq: int) -> Pixels:
    rows, columns = np.mgrid[0:height, 0:width]
    planes = (rows * 255 // height, columns * 255 // width, np.full((height, width), seq * 10 % 256))
    return np.stack(planes, axis=2).astype(np.uint8)
