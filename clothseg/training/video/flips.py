"""Garments that change class: regions of a map of settled classes, propagated along the motion."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import Pixels
from clothseg.labels import BACKGROUND, CLASSES, GARMENTS, PERSON
from clothseg.training.video.warp import FrameWarp, pixel_grid

Points = NDArray[np.float32]

_FLIP_AFTER: Final = 3  # frames a region must keep another class to have flipped
_FLIP_SHARE: Final = 0.02  # of the person's area: the least region that can flip


class FlipCounter:
    """Count garment regions that change class, on a map of settled classes warped along the motion.

    The map is shares, not labels: rounded from frame to frame, what moves by less than half a pixel would stay behind.
    """

    def __init__(self) -> None:
        self._shares: Points | None = None
        self._contrary: Pixels | None = None
        self._worn: Pixels | None = None
        self._counts = np.zeros(len(CLASSES), np.intp)

    def count(self, k: int) -> int:
        """Flips into or out of class k; all of them for the person."""
        return int(self._counts[k])

    def add(self, labels: Pixels, warp: FrameWarp | None) -> None:
        size = (max(labels.shape[1] // 4, 1), max(labels.shape[0] // 4, 1))
        small = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        garments = np.where(np.isin(small, GARMENTS), small, np.uint8(0))
        if self._shares is None or self._contrary is None or self._worn is None or warp is None:
            self._shares, self._contrary, self._worn = _one_hot(garments), np.zeros_like(garments), garments
            return
        # In the small map's own pixels; of the motion, not of the points, or the map would creep by their rounding.
        moved = cv2.resize(warp.points - pixel_grid(labels.shape), size, interpolation=cv2.INTER_NEAREST)
        points = pixel_grid(small.shape) + moved / 4
        was = cv2.remap(self._shares, points, None, cv2.INTER_LINEAR, borderValue=0)
        contrary, worn = (
            cv2.remap(plane, points, None, cv2.INTER_NEAREST, borderValue=0) for plane in (self._contrary, self._worn)
        )
        # What a hand hides stays where it is: it is the hand that moves. Where the motion does not explain what is
        # seen, as where the hand was, nothing is known of it yet; nor where the background is seen.
        kept = np.where((worn == 0)[..., None], self._shares, was)
        settled = _likeliest(kept)
        explained = cv2.resize(warp.valid.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        seen_first = (settled == 0) | (~explained & (garments != 0)) | (small == BACKGROUND)
        other = (garments != 0) & (garments != settled) & ~seen_first
        contrary = np.where(other, np.minimum(contrary, 250) + 1, 0).astype(np.uint8)
        known = seen_first | (garments == settled)  # sharp again, or the map would blur with every frame
        self._shares = np.where(known[..., None], _one_hot(garments), kept).astype(np.float32)
        self._contrary, self._worn = contrary, garments
        self._judge(garments, np.where(seen_first, garments, settled), int(np.count_nonzero(small)))

    def _judge(self, garments: Pixels, settled: Pixels, person_area: int) -> None:
        """Count and settle each region, large and not thin, that has been contrary long enough."""
        assert self._shares is not None
        assert self._contrary is not None
        changed = np.where(self._contrary >= _FLIP_AFTER, garments, np.uint8(0))
        thick = max(round(0.08 * person_area**0.5), 3)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick))
        for k in GARMENTS:
            region = cv2.morphologyEx(np.uint8(changed == k), cv2.MORPH_OPEN, disc)
            _, parts, stats, _ = cv2.connectedComponentsWithStats(region)
            for number in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= max(_FLIP_SHARE * person_area, 1)) + 1:
                flipped = parts == number
                was = int(np.bincount(settled[flipped], minlength=len(CLASSES)).argmax())
                self._counts[[PERSON, was, k]] += 1
                self._shares[flipped], self._contrary[flipped] = _one_hot(garments)[flipped], 0


def _one_hot(garments: Pixels) -> Points:
    """Garment labels (h, w), 0 elsewhere, as shares (h, w, 3) float32."""
    return np.stack([garments == k for k in GARMENTS], axis=2).astype(np.float32)


def _likeliest(shares: Points) -> Pixels:
    """The kind with the largest share (h, w), 0 where all together have less than half."""
    kinds = np.asarray(GARMENTS, np.uint8)[shares.argmax(2)]
    return np.where(shares.sum(2) >= 0.5, kinds, np.uint8(0))
