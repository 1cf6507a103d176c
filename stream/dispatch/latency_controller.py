"""How many masks a live camera can afford: fewer where frames come out too late, more where there is time to spare.

`Steered` is where the controller stands, `after` what a window (a second of frames) makes of it:

| phase | what it means | ends |
|---|---|---|
| `Steady` | frames come in time, with little time to spare | with the first window that is late, or has time to spare |
| `Easing` | there is time to spare | after `patience` such windows in a row: a level up, on `Probation` |
| `Probation` | a level up was taken, and must prove itself | after `patience` windows with time to spare |
| `Reducing` | frames come too late: a level down with each window | when frames are in time, or at the last level |
| `Resting` | no level brought anything: the masks are not what is slow | after `rest` late windows, or when in time |
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from stream.process.status import MaskTiming

_WINDOW_NS: Final = 1_000_000_000
_MIN_WINDOW_FRAMES: Final = 8  # of fewer frames a 95th percentile says nothing
_SPARE_LATENCY_SHARE: Final = 0.6  # of the target: there is time to spare
_MAX_SKIPPED_SHARE: Final = 0.1  # of pictures that may be overwritten unread
_WORTHWHILE: Final = 0.9  # of the latency, or of the pictures skipped, is left where fewer masks were worth it
_PATIENCE: Final = 4  # windows with time to spare before more is asked for
_REST: Final = 15  # late windows without another try, after the first that was in vain
_MAX_WAIT: Final = 60  # windows: both waits double up to this


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


class Window(NamedTuple):
    """A second of frames: the 95th percentile of their age when they were taken, and the share that was skipped."""

    late_ms: float
    skipped_share: float

    def improves_on(self, before: Window) -> bool:
        """Whether fewer masks were worth it: frames come clearly earlier, or clearly fewer are skipped."""
        return self.late_ms <= _WORTHWHILE * before.late_ms or self.skipped_share < _WORTHWHILE * before.skipped_share


@dataclass(frozen=True, slots=True)
class Steady:
    """Frames come in time."""


@dataclass(frozen=True, slots=True)
class Easing:
    """There is time to spare: after `windows_left` more such windows a level up is taken."""

    windows_left: int


@dataclass(frozen=True, slots=True)
class Probation:
    """A level up was taken; it has held after `windows_left` more windows with time to spare."""

    windows_left: int


@dataclass(frozen=True, slots=True)
class Reducing:
    """Frames come too late; `level` was the last that brought something (or the first), with such a `window`."""

    level: int
    window: Window


@dataclass(frozen=True, slots=True)
class Resting:
    """Fewer masks brought nothing: for `windows_left` more late windows nothing is tried."""

    windows_left: int


Phase = Steady | Easing | Probation | Reducing | Resting


class Steered(NamedTuple):
    """Where the controller stands: an index in `LEVELS`, why, and how long it waits before it tries anything."""

    level: int = 0
    phase: Phase = Steady()
    patience: int = _PATIENCE
    rest: int = _REST


def after(now: Steered, window: Window, target_ms: float) -> Steered:
    """Where the controller stands after another window."""
    if window.late_ms > target_ms or window.skipped_share > _MAX_SKIPPED_SHARE:
        return _after_late(now, window)
    # Whatever was slow is so no more: what was tried in vain may help the next time, and is not put off.
    now = now._replace(rest=_REST)
    spare = window.late_ms < _SPARE_LATENCY_SHARE * target_ms and window.skipped_share == 0
    phase: Phase
    match now.phase:
        case Probation(1) if spare:
            return now._replace(phase=Steady(), patience=_PATIENCE)  # it has held: the next one need not wait longer
        case Easing(1) if spare:
            return now._replace(level=now.level - 1, phase=Probation(now.patience))
        case Probation(left):  # time to spare is its proof; a window just in time proves nothing, either way
            phase = Probation(left - spare)
        case Easing(left) if spare:
            phase = Easing(left - 1)
        case _ if spare and now.level > 0:
            phase = Easing(now.patience - 1)
        case _:  # at the first level there is nothing to ask for; at others a window without time to spare ends easing
            phase = Steady()
    return now._replace(phase=phase)


def _after_late(now: Steered, window: Window) -> Steered:
    """A level down; from the last one back to where a level last brought something, if the others brought nothing."""
    match now.phase:
        case Resting(left):
            return now._replace(phase=Resting(left - 1) if left > 1 else Steady())
        case Reducing(_, before) as phase if not window.improves_on(before):
            best = phase
        case Probation():  # the level up was too much, and will be: it is tried again, each time twice as late
            now = now._replace(patience=min(2 * now.patience, _MAX_WAIT))
            best = Reducing(now.level, window)
        case _:
            best = Reducing(now.level, window)
    if now.level < len(LEVELS) - 1:
        # One window at each level: what it brought is only seen there.
        return now._replace(level=now.level + 1, phase=best)
    if not isinstance(now.phase, Reducing):
        return now._replace(phase=Steady())  # at the last level already, where it once was fast enough: nothing is left
    # Masks that cost quality and bring no time are not spared.
    return now._replace(level=best.level, phase=Resting(now.rest), rest=min(2 * now.rest, _MAX_WAIT))


class LatencyController:
    """Gathers what becomes of one camera's frames, and judges its level once a second; is told the time."""

    def __init__(self, target_ms: float) -> None:
        self._target_ms = target_ms
        self._steered = Steered()
        self._ages_ms: deque[float] = deque()
        self._skipped = 0
        self._window_start_ns: int | None = None

    @property
    def level(self) -> Level:
        """How often and how finely masks are made now."""
        return LEVELS[self._steered.level]

    def count_skipped(self, pictures: int) -> None:
        """Pictures were overwritten unread."""
        self._skipped += pictures

    def record_latency(self, age_ms: float, now_ns: int) -> None:
        """A frame was taken by the outputs, so old."""
        self._ages_ms.append(age_ms)
        if self._window_start_ns is None:
            self._window_start_ns = now_ns
        if now_ns - self._window_start_ns < _WINDOW_NS or len(self._ages_ms) < _MIN_WINDOW_FRAMES:
            return
        skipped_share = self._skipped / (self._skipped + len(self._ages_ms))
        window = Window(float(np.percentile(self._ages_ms, 95)), skipped_share)
        self._ages_ms.clear()
        self._window_start_ns, self._skipped = now_ns, 0
        self._steered = after(self._steered, window, self._target_ms)
