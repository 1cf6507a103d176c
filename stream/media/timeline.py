"""Strictly rising timestamps from a stream's own, whatever a container says."""

from __future__ import annotations

from fractions import Fraction

MIN_STEP_NS = 1_000_000
"""Between two pictures that claim the same moment."""
JUMP_BACK_NS = 500_000_000
"""Further back than this is a new clock (a looped or spliced stream), not a disordered picture."""
JUMP_AHEAD_NS = 10_000_000_000
"""Further ahead than this in a live stream is a new clock as well."""

DEFAULT_RATE_HZ = 25


def nominal_step_ns(rate_hz: Fraction | None) -> int:
    """Return the nominal gap between two pictures of a stream, whether or not it states its rate."""
    return round(1_000_000_000 / (rate_hz or DEFAULT_RATE_HZ))


class Timeline:
    """Turns presentation times in nanoseconds, missing or disordered, into strictly rising ones."""

    def __init__(self, step_ns: int, jump_ahead_ns: int | None = None) -> None:
        """`step_ns` is the nominal gap; jumps ahead over `jump_ahead_ns` (None: none) start a new clock."""
        self._step_ns = max(step_ns, MIN_STEP_NS)
        self._jump_ahead_ns = jump_ahead_ns
        self._offset_ns = 0
        self._last_ns: int | None = None

    def next_pts(self, pts_ns: int | None) -> int:
        """The time of the next picture: its own, or as near to it as rising order allows."""
        if self._last_ns is None:
            placed = max(pts_ns or 0, 0)
            self._offset_ns = placed - (pts_ns or 0)
        elif pts_ns is None:
            placed = self._last_ns + self._step_ns
        else:
            gap = pts_ns + self._offset_ns - self._last_ns
            jumped = gap < -JUMP_BACK_NS or (self._jump_ahead_ns is not None and gap > self._jump_ahead_ns)
            if jumped:
                self._offset_ns += self._step_ns - gap
                gap = self._step_ns
            placed = self._last_ns + (gap if gap > 0 else MIN_STEP_NS)
        self._last_ns = placed
        return placed
