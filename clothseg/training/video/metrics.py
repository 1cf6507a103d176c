"""Metrics of masks in a video: match with truth, stability along the motion, lag, ghosts, flips."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import Pixels
from clothseg.labels import BACKGROUND, CLASSES, PERSON
from clothseg.training.boundary import boundary_hits, f_measure
from clothseg.training.video.flips import FlipCounter
from clothseg.training.video.warp import FrameWarp

_MIN_SHARE: Final = 0.001  # of the picture: classes smaller than this have no steadiness to speak of
_SHIFTS: Final = range(-2, 5)  # frames of lag tried
_JUST_LEFT: Final = 3  # frames


class Scores(msgspec.Struct, frozen=True):
    """One class over one clip. None: unknown, without truth or because the class never shows.

    iou: intersection over union of the masks (share ≥ half), pixels pooled over the clip.
    dtssd: mean over t of √mean(((aₜ − aₜ₋₁) − (gₜ − gₜ₋₁))²), a and truth g in 0..1 (Lin et al. 2021,
    "Robust High-Resolution Video Matting").
    warp_disagreement: mean over t of Σ|W(pₜ₋₁) − pₜ| / Σpₜ where the warp explains the picture.
    boundary_f: F of boundary pixels within 2 px of the other's, pooled over the clip.
    lag_frames: the shift that best aligns masks with truth, positive when they come late.
    flips_per_minute: garment regions whose class changes for at least 3 frames.
    ghost: mean share, 0..1, where truth left within the last 3 frames.
    ms_per_frame: time spent making the masks.
    """

    iou: float | None
    dtssd: float | None
    warp_disagreement: float | None
    boundary_f: float | None
    lag_frames: float | None
    flips_per_minute: float | None
    ghost: float | None
    ms_per_frame: float | None


class Scorer:
    """Gathers one clip's scores, frame after frame: each class of `CLASSES`, `person` standing for everybody.

    Remembers the frame before, some truths and the class each garment region settled on.
    """

    def __init__(self) -> None:
        self._classes = [_ClassScore() for _ in CLASSES]
        self._flips = FlipCounter()
        self._frames = 0
        self._milliseconds = 0.0
        self.curves: dict[str, list[tuple[float | None, ...]]] = {name: [] for name in CLASSES[1:]}

    def add(self, shares: Pixels, truth: Pixels | None, warp: FrameWarp | None, milliseconds: float) -> None:
        """Score one frame: `shares` and `truth` (K, H, W) uint8, each class's share of each pixel.

        `warp` maps the frame before onto this one, None on the first.
        """
        labels = shares.argmax(0).astype(np.uint8)
        labels_true = None if truth is None else truth.argmax(0).astype(np.uint8)
        for k in range(1, len(CLASSES)):
            score = self._classes[k]
            score.add(
                _plane(shares, k),
                _mask(shares, labels, k),
                None if truth is None else _plane(truth, k),
                None if truth is None or labels_true is None else _mask(truth, labels_true, k),
                warp,
            )
            self.curves[CLASSES[k]].append(score.now)
        self._flips.add(labels, warp)
        self._frames += 1
        self._milliseconds += milliseconds

    def scores(self, duration_s: float) -> dict[str, Scores]:
        """Scores by class name for the frames so far, which took `duration_s` to happen."""
        minutes = max(duration_s, 1e-9) / 60
        return {
            CLASSES[k]: self._classes[k].scores(
                self._flips.count(k) / minutes, self._milliseconds / max(self._frames, 1)
            )
            for k in range(1, len(CLASSES))
        }


def _plane(shares: Pixels, k: int) -> Pixels:
    """Share of class k; of everybody for the person."""
    plane: Pixels = cv2.bitwise_not(shares[BACKGROUND]) if k == PERSON else shares[k]
    return plane


def _mask(shares: Pixels, labels: Pixels, k: int) -> NDArray[np.bool_]:
    return np.asarray(shares[BACKGROUND] < 128 if k == PERSON else labels == k)


class _ClassScore:
    """One class's sums over a clip."""

    def __init__(self) -> None:
        self.both = self.either = 0
        self.hits = np.zeros(4, np.int64)  # as `boundary_hits` counts
        self.steps: list[float] = []
        self.disagreements: list[float] = []
        self.ghosts: list[float] = []
        self.errors = np.zeros(len(_SHIFTS))
        self.before: tuple[Pixels, Pixels | None] | None = None
        self.planes: deque[Pixels] = deque(maxlen=1 - _SHIFTS.start)
        self.truths: deque[Pixels] = deque(maxlen=len(_SHIFTS))
        self.now: tuple[float | None, ...] = ()

    def add(
        self,
        plane: Pixels,
        mask: NDArray[np.bool_],
        truth: Pixels | None,
        mask_true: NDArray[np.bool_] | None,
        warp: FrameWarp | None,
    ) -> None:
        disagreement = None
        if self.before is not None and warp is not None:
            disagreement = _disagreement(self.before[0], plane, warp)
            if disagreement is not None:
                self.disagreements.append(disagreement)
        overlap = None
        if truth is not None and mask_true is not None:
            both, either = int((mask & mask_true).sum()), int((mask | mask_true).sum())
            overlap = both / either if either else None
            self.both, self.either = self.both + both, self.either + either
            self.hits += boundary_hits(mask_true, mask)
            self._follow(plane, truth)
        self.now = (disagreement, overlap, float(plane.mean()) / 255)
        self.before = (plane, truth)

    def _follow(self, plane: Pixels, truth: Pixels) -> None:
        """Score what needs the frames before: steps, ghosts, lag."""
        if self.before is not None and self.before[1] is not None:
            step = np.subtract(plane, self.before[0], dtype=np.int16)
            step -= np.subtract(truth, self.before[1], dtype=np.int16)
            self.steps.append(float(cv2.norm(step, cv2.NORM_L2)) / 255 / step.size**0.5)
        if self.truths:
            was = np.maximum.reduce(list(self.truths)[-_JUST_LEFT:]) > 229
            left = was & (truth < 26)
            if left.any():
                self.ghosts.append(float(plane[left].mean()) / 255)
        self.planes.append(plane)
        self.truths.append(truth)
        if len(self.truths) == len(_SHIFTS):
            # The oldest plane kept is compared with truths of its future and of its past.
            for number, true in enumerate(reversed(self.truths)):
                self.errors[number] += cv2.norm(self.planes[0], true, cv2.NORM_L1)

    def scores(self, flips_per_minute: float, ms_per_frame: float) -> Scores:
        seen = self.either > 0
        return Scores(
            iou=self.both / self.either if seen else None,
            dtssd=float(np.mean(self.steps)) if self.steps and seen else None,
            warp_disagreement=float(np.mean(self.disagreements)) if self.disagreements else None,
            boundary_f=f_measure(self.hits) or 0.0 if seen else None,
            lag_frames=lag(self.errors),
            flips_per_minute=flips_per_minute,
            ghost=float(np.mean(self.ghosts)) if self.ghosts else None,
            ms_per_frame=ms_per_frame,
        )


def _disagreement(before: Pixels, now: Pixels, warp: FrameWarp) -> float | None:
    """Σ|W(pₜ₋₁) − pₜ| / Σpₜ over what the warp explains; None where the class hardly shows."""
    warped = cv2.remap(before, warp.points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    where = warp.valid.view(np.uint8)
    share = float(cv2.norm(now, cv2.NORM_L1, where)) / 255
    if share < _MIN_SHARE * now.size:
        return None
    return float(cv2.norm(warped, now, cv2.NORM_L1, where)) / 255 / share


def lag(errors: Sequence[float] | NDArray[np.float64]) -> float | None:
    """The lag in frames at which `errors`, one for each shift of −2 … 4 frames, would be least.

    Errors of shifted masks fall and rise in straight lines, so two lines of equal steepness through the least
    and its neighbours meet at the lag (Shimizu and Okutomi 2001); a parabola would be drawn to whole frames.
    None where nothing moved.
    """
    values = np.asarray(errors, np.float64)
    at = int(values.argmin())
    if not values.any() or at in (0, len(values) - 1):
        return None if not values.any() else float(_SHIFTS[at])
    left, smallest, right = values[at - 1 : at + 2]
    steepest = max(left, right) - smallest
    if steepest < 0.02 * smallest:
        return None
    return float(_SHIFTS[at] + (left - right) / (2 * steepest))
