"""Metrics of masks in a video: match with truth, stability along the motion, lag, ghosts, flips."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, CLASSES, GARMENTS, PERSON

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]

VALID_BELOW: Final = 12.0  # grey levels of 255: a warp that is further off does not explain the picture
TOLERANCE_PX: Final = 2  # of the boundary F
_MIN_SHARE: Final = 0.001  # of the picture: classes smaller than this have no steadiness to speak of
_SHIFTS: Final = range(-2, 5)  # frames of lag tried
_JUST_LEFT: Final = 3  # frames
_FLIP_AFTER: Final = 3  # frames a region must keep another class to have flipped
_FLIP_SHARE: Final = 0.02  # of the person's area: the least region that can flip


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


class FrameWarp(NamedTuple):
    """Warp of the frame before onto this one.

    points: (H, W, 2) float32, where each pixel was in the frame before; valid: (H, W) bool, where the
    warped picture is the current one.
    """

    points: Points
    valid: NDArray[np.bool_]


def warp(before: Pixels, now: Pixels, motion: Points | None) -> FrameWarp:
    """The warp between two pictures (H, W, 3) uint8, by exact `motion` (H, W, 2), NaN where unknown.

    Where there is none, by Farnebäck's flow (2003), which is not what the smoother uses.
    """
    grey, grey_before = cv2.cvtColor(now, cv2.COLOR_BGR2GRAY), cv2.cvtColor(before, cv2.COLOR_BGR2GRAY)
    motion = _farneback(grey_before, grey) if motion is None else motion
    height, width = grey.shape
    points = _grid(grey.shape) + np.nan_to_num(motion, nan=-1e6)
    inside = ((points >= 0) & (points <= np.array([width - 1, height - 1]))).all(2)
    warped = cv2.remap(grey_before, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return FrameWarp(points, inside & (cv2.absdiff(warped, grey) < VALID_BELOW))


def _grid(size: tuple[int, ...]) -> Points:
    """Return the position of each pixel of a plane of `size` (H, W): (H, W, 2) float32, x and y."""
    height, width = size
    return np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), 2)


def _farneback(before: Pixels, now: Pixels) -> Points:
    """Motion (H, W, 2) from now back to before, seen at half size: it is smooth, and four times quicker so."""
    half = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in (now, before)]
    flow = cv2.calcOpticalFlowFarneback(*half, None, 0.5, 4, 15, 3, 5, 1.2, 0)
    motion: Points = cv2.resize(flow, now.shape[::-1], interpolation=cv2.INTER_LINEAR) * np.float32(2)
    return motion


class Scorer:
    """Gathers one clip's scores, frame after frame: each class of `CLASSES`, `person` standing for everybody.

    Remembers the frame before, some truths and the class each garment region settled on.
    """

    def __init__(self) -> None:
        self._classes = [_ClassScore() for _ in CLASSES]
        self._flips = _Flips()
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
        self.hits = np.zeros(4)  # boundary pixels of ours that match, of ours, of truth that match, of truth
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
            self.hits += boundary_hits(mask, mask_true)
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
        precision, true = (hit / max(n, 1) for hit, n in (self.hits[:2], self.hits[2:]))
        seen = self.either > 0
        return Scores(
            iou=self.both / self.either if seen else None,
            dtssd=float(np.mean(self.steps)) if self.steps and seen else None,
            warp_disagreement=float(np.mean(self.disagreements)) if self.disagreements else None,
            boundary_f=float(2 * precision * true / max(precision + true, 1e-9)) if seen else None,
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


def boundary_hits(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Boundary pixels of `mask` near truth's, all, of `truth` near ours, all; masks (H, W)."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * TOLERANCE_PX + 1,) * 2)
    edges = [_boundary(side.view(np.uint8)) for side in (mask, truth)]
    near = [cv2.dilate(edge, disc) for edge in edges]
    counts = (edges[0] & near[1], edges[0], edges[1] & near[0], edges[1])
    return np.array([cv2.countNonZero(count) for count in counts], np.float64)


def _boundary(mask: Pixels) -> Pixels:
    """Pixels of a mask that touch its outside; the picture's frame is no boundary."""
    inside: Pixels = cv2.erode(mask, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return mask & ~inside


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


class _Flips:
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
        moved = cv2.resize(warp.points - _grid(labels.shape), size, interpolation=cv2.INTER_NEAREST)
        points = _grid(small.shape) + moved / 4
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
