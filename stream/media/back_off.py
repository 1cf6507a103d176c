"""Pauses between attempts to reach a camera or an output that fails."""

from __future__ import annotations

import random
import threading


class BackOff:
    """Pauses that double from `min_s` up to `max_s`.

    Each is shortened at random, to half at most, so that many who lost one server do not all come back at the same
    moment.
    """

    def __init__(self, min_s: float, max_s: float) -> None:
        self._min_s, self._max_s = min(min_s, max_s), max_s
        self._next_s = self._min_s

    def wait(self, stopped: threading.Event) -> None:
        """Pause, but no longer than until `stopped` is set."""
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, self._max_s)
        stopped.wait(pause_s * random.uniform(0.5, 1))

    def reset(self) -> None:
        """Begin anew with the shortest pause: the last attempt succeeded for a while."""
        self._next_s = self._min_s
