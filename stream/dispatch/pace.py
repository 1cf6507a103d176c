"""Pacing: where a live camera's masks come from, with no more work than its motion and the time budget need.

A picture that has not changed keeps its masks (`still_gate`). Between two masks of the network the last one is
propagated along the motion, instead of dropping the picture. Where frames are late they no longer wait for the network:
all go ahead with propagated masks, and its answer corrects the frames after it. Where that is not enough, masks are
made more rarely and then from a smaller picture, until frames are in time (`latency_controller`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from stream.dispatch.latency_controller import LatencyController, Level
from stream.dispatch.still_gate import Motion, StillGate
from stream.message import Picture
from stream.process.status import MaskSource
from stream.settings.pace import Pace

_MAX_PROPAGATION_NS: Final = 250_000_000  # over longer times the motion no longer says where masks have gone


class _KeyFrame(NamedTuple):
    """The last picture the network saw: its time, and how many frames ago."""

    pts_ns: int
    frames_since: int = 0


class Pacer:
    """One live camera's pace; takes the time as an argument."""

    def __init__(self, settings: Pace, *, can_propagate: bool) -> None:
        """Start at the first level. `can_propagate`: smoothing is on, so masks can be propagated along the motion."""
        self._can_propagate = can_propagate
        self._key_frame: _KeyFrame | None = None
        self._still_gate = StillGate(settings)
        self._latency = LatencyController(settings.latency_ms)

    @property
    def level(self) -> Level:
        """The current level: how often and how finely masks are made."""
        return self._latency.level

    def choose_mask_source(self, picture: Picture, *, worker_idle: bool) -> MaskSource | None:
        """Choose the source of the picture's masks; None: it waits for a worker. `worker_idle`: one is free."""
        key = self._key_frame
        if key is not None:
            if self._still_gate.compare(picture) is Motion.STILL:
                return "still"
            not_due = not worker_idle or key.frames_since + 1 < self.level.every
            if self._can_propagate and not_due and picture.pts_ns - key.pts_ns < _MAX_PROPAGATION_NS:
                self._key_frame = key._replace(frames_since=key.frames_since + 1)
                return "warped"
        if not worker_idle:
            return None
        self._key_frame = _KeyFrame(picture.pts_ns)
        self._still_gate.remember(picture)
        # No frame goes ahead of its masks where there are none to propagate.
        return self.level.timing if self._can_propagate and key is not None else "network"

    def reset(self) -> None:
        """There are no masks to go on from: a new epoch, or the frame they were to come from was lost."""
        self._key_frame = None
        self._still_gate.reset()

    def count_skipped(self, pictures: int) -> None:
        """Pictures were overwritten unread."""
        self._latency.count_skipped(pictures)

    def record_latency(self, age_ms: float, now_ns: int) -> None:
        """A frame was taken by the outputs, so old. Each second the level is judged anew."""
        self._latency.record_latency(age_ms, now_ns)
