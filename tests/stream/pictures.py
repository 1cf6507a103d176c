"""Small messages for the tests of the stream."""

from __future__ import annotations

import numpy as np

from clothseg.classes import USUAL
from stream.message import CompositedFrame, Frame, Picture, SegmentedFrame

CLASSES = USUAL.names


def picture(number: int = 0, height: int = 6, width: int = 8) -> Picture:
    """A grey picture told apart by its level, a thirtieth of a second after the one before."""
    return Picture(np.full((height, width, 3), number % 256, np.uint8), number * 33_333_333, number * 1_000_000)


def frame(seq: int = 0, camera: str = "front", epoch: int = 0) -> Frame:
    return Frame(camera, epoch, seq, picture(seq))


def segmented(seq: int = 0, camera: str = "front", epoch: int = 0) -> SegmentedFrame:
    planes = np.zeros((len(CLASSES), 2, 2), np.uint8)
    planes[1] = 255
    return SegmentedFrame(frame(seq, camera, epoch), USUAL, planes)


def composited(seq: int = 0, camera: str = "front", epoch: int = 0) -> CompositedFrame:
    made = segmented(seq, camera, epoch)
    pixels = made.frame.picture.pixels
    alpha = np.full(pixels.shape[:2], 200, np.uint8)
    return CompositedFrame(made.frame, USUAL, made.probabilities, alpha, (alpha > 0).astype(np.uint8), pixels, pixels)
