"""Scores on webcam clips without labels: agreement with a strong person segmenter, and impossible garments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, DRESS, IGNORE, PERSON, TOP
from clothseg.training.eval.metrics import confusion, person_iou
from clothseg.training.eval.predictors import Predictor
from clothseg.training.samples import Sample, read_index_mask

_SURE: Final = 230  # of 255: above it, or as far below the other end, a peer's matte is believed
_SEEN: Final = 0.02  # share of the frame from which a garment counts as seen
_MAX_ERROR_SHARE: Final = 0.005  # share of the frame under which a wrong garment is a speck
_FRAME_STRIDE: Final = 5  # one frame in so many: the others look the same


class WebcamReport(msgspec.Struct, frozen=True):
    """The measures of clips in which everyone wears a top and no dress; shares in 0..1."""

    frames: int
    person_iou: float | None  # on the pixels where the peer is sure; none without a peer
    top_and_no_dress: float  # share of the frames with at least 2 % top and under 0.5 % dress


def read_clip(path: Path, every: int = _FRAME_STRIDE) -> Iterator[Sample]:
    """One frame in `every` of a clip, named CLIP_NNN; nothing is judged in its mask."""
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise ValueError(f"{path}: not a video that can be opened")
    number = 0
    try:
        while True:
            more, frame = video.read()
            if not more:
                return
            if number % every == 0:
                picture = np.asarray(frame, np.uint8)
                yield Sample(f"{path.stem}_{number:03d}", picture, np.full(picture.shape[:2], IGNORE, np.uint8))
            number += 1
    finally:
        video.release()


def sure_person(matte: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A mask from a peer's matte (H, W) uint8: person, background, and not judged where the peer is unsure."""
    mask = np.full(matte.shape, IGNORE, np.uint8)
    mask[matte >= _SURE] = PERSON
    mask[matte <= 255 - _SURE] = BACKGROUND
    return mask


def score_clips(clips: list[Path], predict: Predictor, mattes: Path | None) -> WebcamReport:
    """Score clips; `mattes` holds a peer's `CLIP_NNN.png`. Raises ValueError where there is no frame."""
    table = np.zeros((5, 5), np.int64)
    frames = good = 0
    for clip in clips:
        for sample in read_clip(clip):
            parts = predict(sample).parts
            shares = np.bincount(parts.ravel(), minlength=DRESS + 1) / parts.size
            frames += 1
            good += bool(shares[TOP] >= _SEEN and shares[DRESS] < _MAX_ERROR_SHARE)
            if mattes is not None:
                table += confusion(sure_person(read_index_mask(mattes / f"{sample.name}.png")), parts)
    if not frames:
        raise ValueError("no frame in the clips; is the folder empty?")
    return WebcamReport(frames, person_iou(table), good / frames)
