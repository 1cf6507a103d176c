"""A rate limiter: a token bucket that fills at a rate and is emptied by each message."""

from __future__ import annotations


class RateLimiter:
    """Allow `rate_hz` a second, `burst` at once; takes the time as an argument."""

    def __init__(self, rate_hz: float, burst: float) -> None:
        self._rate_hz = rate_hz
        self._burst = burst
        self._tokens = burst
        self._at_s: float | None = None

    def allow(self, now_s: float) -> bool:
        """Return whether one more is allowed at `now_s`, any rising clock in seconds."""
        if self._at_s is not None:
            self._tokens = min(self._tokens + (now_s - self._at_s) * self._rate_hz, self._burst)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
