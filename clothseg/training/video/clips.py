"""Clips to be scored: pictures in time with what is true of them, recorded or animated."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, CLASSES, PERSON
from clothseg.training.samples import Sample, read_index_mask
from clothseg.training.video.animate import animate
from clothseg.training.video.scene import SCENES, LabelledPhoto

Pixels = NDArray[np.uint8]


class ClipFrame(NamedTuple):
    """A picture (H, W, 3) uint8 BGR at `pts_ns` with its truth, shares (K, H, W) uint8, and exact motion, if known."""

    picture: Pixels
    pts_ns: int
    truth: Pixels | None = None
    motion: NDArray[np.float32] | None = None


def animated(name: str, stills: Mapping[int, Sample], duration_s: float | None) -> Iterator[ClipFrame]:
    """The clip `animated:SCENE:SEED` over stills by number. Raises ValueError for any other name."""
    scene, seed = _scene_and_seed(name)
    settings = SCENES[scene] if duration_s is None else structs.replace(SCENES[scene], duration_s=duration_s)
    count = len(stills)
    chosen = (stills[seed * 7 % count], stills[(seed * 7 + count // 2) % count])
    person, room = (LabelledPhoto(sample.picture, sample.mask) for sample in chosen)
    for frame in animate(person, room, settings, seed):
        yield ClipFrame(frame.picture, frame.pts_ns, frame.coverage, frame.motion)


def _scene_and_seed(name: str) -> tuple[str, int]:
    words = name.split(":")
    if len(words) != 3 or words[0] != "animated" or words[1] not in SCENES or not words[2].isdecimal():
        raise ValueError(f"expected animated:SCENE:SEED with a scene of {', '.join(SCENES)}, got {name}")
    return words[1], int(words[2])


def with_truth(frames: Iterable[ClipFrame], folder: Path) -> Iterator[ClipFrame]:
    """Join masks of a folder, one PNG a frame in the order of their names, to the frames.

    Raises ValueError where there are fewer masks than frames or they differ in size.
    """
    paths = sorted(folder.glob("*.png"))
    for path, frame in itertools.zip_longest(paths, frames):
        if path is None:
            raise ValueError(f"{folder}: {len(paths)} masks, but the clip has more frames; one PNG a frame is needed")
        if frame is None:
            return
        truth = mask_shares(read_index_mask(path))
        if truth.shape[1:] != frame.picture.shape[:2]:
            raise ValueError(f"{path}: a mask of {truth.shape[1:]}, but the picture is {frame.picture.shape[:2]}")
        yield frame._replace(truth=truth)


def mask_shares(mask: Pixels) -> Pixels:
    """A mask (H, W) uint8 as shares (K, H, W): class indices, or where a value is higher, a person's matte."""
    if mask.max(initial=0) < len(CLASSES):
        return np.stack([np.where(mask == k, np.uint8(255), np.uint8(0)) for k in range(len(CLASSES))])
    shares = np.zeros((len(CLASSES), *mask.shape), np.uint8)
    shares[PERSON], shares[BACKGROUND] = mask, 255 - mask
    return shares


def near(truth: Pixels, margin_px: int) -> NDArray[np.bool_]:
    """Return the box around all people in `truth` (K, H, W) and `margin_px` more: (H, W); all where there are none."""
    x, y, wide, tall = cv2.boundingRect(cv2.compare(truth[BACKGROUND], 128, cv2.CMP_LT))
    inside = np.full(truth.shape[1:], wide == 0, np.bool_)
    inside[max(y - margin_px, 0) : y + tall + margin_px, max(x - margin_px, 0) : x + wide + margin_px] = True
    return inside
