"""How often and how finely a live camera is segmented: no more than its motion and the time at hand ask for.

A picture that has not changed keeps its masks. Between two masks of the network the last one is carried along the
motion, instead of dropping the picture. Where frames come out too late they no longer wait for the network: all go
ahead with what is carried along, and its answer corrects those after it. Where that is not enough, masks are made more
rarely and then from a smaller picture, until frames come in time; where all of that buys nothing, it is not the masks
that are slow, and they are made as before.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import cv2
import numpy as np

from stream.message import Picture, Pixels
from stream.process.status import MasksFrom, MaskWay
from stream.settings.pace import Pace

_CARRIED_AT_MOST_NS: Final = 250_000_000
_GLANCE_PX: Final = (32, 18)
_WINDOW_NS: Final = 1_000_000_000
_FEWEST: Final = 8  # frames in a window that is judged
_EASY: Final = 0.6  # of the target: there is time to spare
_EASY_WINDOWS: Final = 4  # so many in a row before it is asked for more
_MOST_EASY_WINDOWS: Final = 60
_MISSED: Final = 0.1  # share of pictures that may be overwritten unread
_GAIN: Final = 0.9  # of the age, or of the pictures missed, is left where fewer masks were worth it
_FUTILE_WINDOWS: Final = 15  # without another try, after the first that was in vain


class Level(NamedTuple):
    """A mask of the network on every so many frames, from a picture of this share of the model's own pixels, for which
    the frame waits (`network`) or not (`ahead`)."""

    way: MaskWay
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


class _Key(NamedTuple):
    """The picture that the network saw last: when, at a glance, and how many frames ago."""

    pts_ns: int
    glance: Pixels
    frames: int


class _Late(NamedTuple):
    """How it stood when a step to fewer masks last bought something, or before the first."""

    level: int
    late_ms: float
    missed: float


class Pacer:
    """One live camera's pace; knows no clock, is told the time."""

    def __init__(self, settings: Pace, *, carries: bool) -> None:
        """`carries`: masks can be carried along the motion, which is smoothing's art."""
        self._settings = settings
        self._carries = carries
        self._key: _Key | None = None
        self._level = 0
        self._window: deque[float] = deque()
        self._since_ns: int | None = None
        self._missed = 0
        self._easy = 0
        self._patience = _EASY_WINDOWS
        self._before: _Late | None = None
        self._rest = 0
        self._futile = _FUTILE_WINDOWS
        self._seen: tuple[Picture, Pixels] | None = None

    @property
    def level(self) -> Level:
        """How often and how finely masks are made now."""
        return LEVELS[self._level]

    def choose(self, picture: Picture, *, idle: bool) -> MasksFrom | None:
        """What the picture's masks are to come from; None: it waits. `idle`: a worker is free."""
        key, seen = self._key, self._glance(picture)
        if key is not None:
            age_ns = picture.pts_ns - key.pts_ns
            if age_ns < self._settings.still_ms * 1e6 and difference(seen, key.glance) < self._settings.still_levels:
                return "still"
            soon = not idle or key.frames + 1 < self.level.every
            if self._carries and soon and age_ns < _CARRIED_AT_MOST_NS:
                self._key = key._replace(frames=key.frames + 1)
                return "moved"
        if not idle:
            return None
        self._key = _Key(picture.pts_ns, seen, 0)
        return self.level.way if self._carries and key is not None else "network"

    def _glance(self, picture: Picture) -> Pixels:
        """The picture at a glance; one that waits is asked about again and again."""
        if self._seen is None or self._seen[0] is not picture:
            self._seen = picture, glance(picture.pixels)
        return self._seen[1]

    def forget(self) -> None:
        """There are no masks to go on from: a new epoch, or the frame they were to come from was lost."""
        self._key = None

    def miss(self, pictures: int) -> None:
        """Pictures were overwritten unread."""
        self._missed += pictures

    def deliver(self, age_ms: float, now_ns: int) -> None:
        """A frame was taken by the outputs, so old. Each second the level is judged anew."""
        self._window.append(age_ms)
        if self._since_ns is None:
            self._since_ns = now_ns
        if now_ns - self._since_ns < _WINDOW_NS or len(self._window) < _FEWEST:
            return
        late_ms = float(np.percentile(self._window, 95))
        missed = self._missed / (self._missed + len(self._window))
        self._window.clear()
        self._since_ns, self._missed = now_ns, 0
        self._judge(late_ms, missed)

    def _judge(self, late_ms: float, missed: float) -> None:
        target_ms = self._settings.latency_ms
        if late_ms > target_ms or missed > _MISSED:
            self._lower(late_ms, missed)
            return
        self._before, self._rest, self._futile = None, 0, _FUTILE_WINDOWS
        if late_ms < _EASY * target_ms and missed == 0:
            self._easy += 1
            if self._easy == 0:
                self._patience = _EASY_WINDOWS
            if self._easy >= self._patience and self._level > 0:
                self._level, self._easy = self._level - 1, -self._patience
        else:
            self._easy = min(self._easy, 0)

    def _lower(self, late_ms: float, missed: float) -> None:
        """A level lower; from the last one back to where a step last bought something, if the rest bought nothing."""
        # What was tried and did not hold is tried again later, each time twice as late.
        if self._easy < 0:
            self._patience = min(2 * self._patience, _MOST_EASY_WINDOWS)
        self._easy = 0
        now, before = _Late(self._level, late_ms, missed), self._before
        if before is not None and (late_ms <= _GAIN * before.late_ms or missed < _GAIN * before.missed):
            before = self._before = now
        if self._rest:
            self._rest -= 1
        elif self._level < len(LEVELS) - 1:
            self._before = before or now
            self._level += 1
        elif before is not None:
            self._level, self._rest, self._before = before.level, self._futile, None
            self._futile = min(2 * self._futile, _MOST_EASY_WINDOWS)


def glance(pixels: Pixels) -> Pixels:
    """The picture (H, W, 3) as 32 × 18 averages of green, (18, 32) uint8: noise is gone, motion is not."""
    green = np.ascontiguousarray(pixels[::2, ::2, 1])
    return np.asarray(cv2.resize(green, _GLANCE_PX, interpolation=cv2.INTER_AREA), np.uint8)


def difference(now: Pixels, then: Pixels) -> float:
    """The largest difference of two glances, in grey levels."""
    return float(cv2.norm(now, then, cv2.NORM_INF))
