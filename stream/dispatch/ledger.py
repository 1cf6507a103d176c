"""The ledger of a camera: captured = delivered + dropped by reason + in flight."""

from __future__ import annotations

from collections import Counter, deque

import numpy as np

from stream.message import DropReason
from stream.process.status import MaskSource

_WINDOW_FRAMES = 300  # frames over which rates and latencies are measured


class Ledger:
    """One camera's counts; times are the capture host's monotonic clock."""

    def __init__(self) -> None:
        self.captured = 0
        self.delivered = 0
        self.start_ms: float | None = None
        """Age of the first delivered frame: what start-up took, with the network's compilation."""
        self._started_ns = 0
        self.dropped: Counter[DropReason] = Counter()
        self.masks: Counter[MaskSource] = Counter()
        self._captured_ns: deque[int] = deque(maxlen=_WINDOW_FRAMES)
        self._delivered_ns: deque[int] = deque(maxlen=_WINDOW_FRAMES)
        self._ages_ms: deque[float] = deque(maxlen=_WINDOW_FRAMES)

    def capture(self, pictures: int, now_ns: int) -> None:
        """Count pictures that a reader took, those it overwrote unread included."""
        self.captured += pictures
        self._captured_ns.extend([now_ns] * min(pictures, _WINDOW_FRAMES))

    def drop(self, reason: DropReason, pictures: int = 1) -> None:
        """Count pictures that will not be delivered."""
        if pictures:
            self.dropped[reason] += pictures

    def deliver(self, captured_ns: int, masks: MaskSource, now_ns: int) -> None:
        """Count a frame that every sink has taken, `now_ns − captured_ns` old.

        Of frames that were captured before the first was delivered the age says how long the start took, not how late
        the stream is: it is left out.
        """
        if self.start_ms is None:
            self.start_ms, self._started_ns = (now_ns - captured_ns) / 1e6, now_ns
        self.delivered += 1
        self.masks[masks] += 1
        self._delivered_ns.append(now_ns)
        if captured_ns >= self._started_ns:
            self._ages_ms.append((now_ns - captured_ns) / 1e6)

    def rates_hz(self, now_ns: int) -> tuple[float, float]:
        """Frames a second captured and delivered of late."""
        return _rate_hz(self._captured_ns, now_ns), _rate_hz(self._delivered_ns, now_ns)

    def ages_ms(self) -> tuple[float, float]:
        """Median and 95th percentile of the age of what was delivered of late, once started; 0 before the first."""
        if not self._ages_ms:
            return 0.0, 0.0
        p50, p95 = np.percentile(self._ages_ms, (50, 95))
        return float(p50), float(p95)


def _rate_hz(times_ns: deque[int], now_ns: int) -> float:
    """Events a second over the last two seconds (or since the first event, if that is less)."""
    recent = [t for t in times_ns if now_ns - t <= 2_000_000_000]
    if len(recent) < 2:
        return 0.0
    return (len(recent) - 1) / max(now_ns - recent[0], 1) * 1e9
