"""Pacing: how often and how finely a live camera is segmented, no more than its motion and the time budget need.

A picture that has not changed keeps its masks. Between two masks of the network the last one is propagated along the
motion, instead of dropping the picture. Where frames are late they no longer wait for the network: all go ahead with
propagated masks, and its answer corrects the frames after it. Where that is not enough, masks are made more rarely and
then from a smaller picture, until frames are in time. Where none of that helps, the masks are not what is slow, and
the level is restored.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import cv2
import numpy as np

from stream.message import Picture, Pixels
from stream.process.status import MaskSource, MaskTiming
from stream.settings.pace import Pace

_MAX_PROPAGATION_NS: Final = 250_000_000
_THUMBNAIL_PX: Final = (32, 18)
_WINDOW_NS: Final = 1_000_000_000
_MIN_WINDOW_FRAMES: Final = 8  # frames in a window that is judged
_SPARE_LATENCY_SHARE: Final = 0.6  # of the target: there is time to spare
_STEP_UP_WINDOWS: Final = 4  # so many in a row before a step up
_MAX_STEP_UP_WINDOWS: Final = 60
_MAX_SKIPPED_SHARE: Final = 0.1  # share of pictures that may be overwritten unread
_WORTHWHILE: Final = 0.9  # of the age, or of the pictures missed, is left where fewer masks were worth it
_HOLD_WINDOWS: Final = 15  # without another try, after the first that was in vain


class Level(NamedTuple):
    """A mask of the network on every so many frames, from a picture of this share of the model's own pixels, for which
    the frame waits (`network`) or not (`ahead`)."""

    timing: MaskTiming
    every: int
    detail: float


LEVELS: Final = (
    Level("network", 1, 1.0),
    Level("ahead", 1, 1.0),
    Level("ahead", 2, 1.0),
    Level("ahead", 3, 1.0),
    Level("ahead", 3, 0.5),
    Level("ahead", 4, 0.5),
)
"""From all there is to the least; from the second on a step saves about a third of the network's work."""


class _KeyFrame(NamedTuple):
    """The last picture the network saw: its time, its thumbnail, and how many frames ago."""

    pts_ns: int
    thumbnail: Pixels
    frames_since: int


class _Baseline(NamedTuple):
    """Latency and skip rate when a step down last helped, or before the first."""

    level: int
    late_ms: float
    skipped: float


class Pacer:
    """One live camera's pace; takes the time as an argument."""

    def __init__(self, settings: Pace, *, can_propagate: bool) -> None:
        """Start at the first level. `can_propagate`: smoothing is on, so masks can be propagated along the motion."""
        self._settings = settings
        self._can_propagate = can_propagate
        self._key_frame: _KeyFrame | None = None
        self._level = 0
        self._window: deque[float] = deque()
        self._since_ns: int | None = None
        self._skipped = 0
        self._windows_in_budget = 0
        self._windows_to_step_up = _STEP_UP_WINDOWS
        self._baseline: _Baseline | None = None
        self._hold_windows = 0
        self._next_hold_windows = _HOLD_WINDOWS
        self._thumbnail_cache: tuple[Picture, Pixels] | None = None

    @property
    def level(self) -> Level:
        """The current level: how often and how finely masks are made."""
        return LEVELS[self._level]

    def choose_mask_source(self, picture: Picture, *, worker_idle: bool) -> MaskSource | None:
        """Choose the source of the picture's masks; None: it waits for a worker. `worker_idle`: one is free."""
        key, seen = self._key_frame, self._thumbnail(picture)
        if key is not None:
            age_ns = picture.pts_ns - key.pts_ns
            if (
                age_ns < self._settings.still_ms * 1e6
                and max_difference(seen, key.thumbnail) < self._settings.still_levels
            ):
                return "still"
            soon = not worker_idle or key.frames_since + 1 < self.level.every
            if self._can_propagate and soon and age_ns < _MAX_PROPAGATION_NS:
                self._key_frame = key._replace(frames_since=key.frames_since + 1)
                return "warped"
        if not worker_idle:
            return None
        self._key_frame = _KeyFrame(picture.pts_ns, seen, 0)
        return self.level.timing if self._can_propagate and key is not None else "network"

    def _thumbnail(self, picture: Picture) -> Pixels:
        """Return the picture's thumbnail, cached: a pending picture is judged again and again."""
        if self._thumbnail_cache is None or self._thumbnail_cache[0] is not picture:
            self._thumbnail_cache = picture, thumbnail(picture.pixels)
        return self._thumbnail_cache[1]

    def reset(self) -> None:
        """There are no masks to go on from: a new epoch, or the frame they were to come from was lost."""
        self._key_frame = None

    def count_skipped(self, pictures: int) -> None:
        """Pictures were overwritten unread."""
        self._skipped += pictures

    def record_latency(self, age_ms: float, now_ns: int) -> None:
        """A frame was taken by the outputs, so old. Each second the level is judged anew."""
        self._window.append(age_ms)
        if self._since_ns is None:
            self._since_ns = now_ns
        if now_ns - self._since_ns < _WINDOW_NS or len(self._window) < _MIN_WINDOW_FRAMES:
            return
        late_ms = float(np.percentile(self._window, 95))
        skipped = self._skipped / (self._skipped + len(self._window))
        self._window.clear()
        self._since_ns, self._skipped = now_ns, 0
        self._adjust(late_ms, skipped)

    def _adjust(self, late_ms: float, skipped: float) -> None:
        target_ms = self._settings.latency_ms
        if late_ms > target_ms or skipped > _MAX_SKIPPED_SHARE:
            self._step_down(late_ms, skipped)
            return
        self._baseline, self._hold_windows, self._next_hold_windows = None, 0, _HOLD_WINDOWS
        if late_ms < _SPARE_LATENCY_SHARE * target_ms and skipped == 0:
            self._windows_in_budget += 1
            if self._windows_in_budget == 0:
                self._windows_to_step_up = _STEP_UP_WINDOWS
            if self._windows_in_budget >= self._windows_to_step_up and self._level > 0:
                self._level, self._windows_in_budget = self._level - 1, -self._windows_to_step_up
        else:
            self._windows_in_budget = min(self._windows_in_budget, 0)

    def _step_down(self, late_ms: float, skipped: float) -> None:
        """A level lower; from the last one back to where a step last bought something, if the rest bought nothing."""
        # What was tried and did not hold is tried again later, each time twice as late.
        if self._windows_in_budget < 0:
            self._windows_to_step_up = min(2 * self._windows_to_step_up, _MAX_STEP_UP_WINDOWS)
        self._windows_in_budget = 0
        now, before = _Baseline(self._level, late_ms, skipped), self._baseline
        if before is not None and (late_ms <= _WORTHWHILE * before.late_ms or skipped < _WORTHWHILE * before.skipped):
            before = self._baseline = now
        if self._hold_windows:
            self._hold_windows -= 1
        elif self._level < len(LEVELS) - 1:
            self._baseline = before or now
            self._level += 1
        elif before is not None:
            self._level, self._hold_windows, self._baseline = before.level, self._next_hold_windows, None
            self._next_hold_windows = min(2 * self._next_hold_windows, _MAX_STEP_UP_WINDOWS)


def thumbnail(pixels: Pixels) -> Pixels:
    """The picture (H, W, 3) as 32 × 18 averages of green, (18, 32) uint8: noise is gone, motion is not."""
    green = np.ascontiguousarray(pixels[::2, ::2, 1])
    return np.asarray(cv2.resize(green, _THUMBNAIL_PX, interpolation=cv2.INTER_AREA), np.uint8)


def max_difference(now: Pixels, then: Pixels) -> float:
    """The largest difference of two glances, in grey levels."""
    return float(cv2.norm(now, then, cv2.NORM_INF))
