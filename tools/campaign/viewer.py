"""A subscriber in a thread of its own that remembers when each camera's frames came (docs/protocol.md)."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

import zmq

_WAIT_MS = 100
_KEPT = 20_000  # frames of a camera


class Seen(NamedTuple):
    """One frame, as its header said and as this clock saw it come; both clocks are this host's monotonic one."""

    seq: int
    epoch: int
    captured_s: float
    arrived_s: float


class Viewer:
    """Hears every frame of the named cameras while its context is open; only headers are read."""

    def __init__(self, endpoint: str, cameras: Sequence[str], kinds: str = "alpha") -> None:
        self._endpoint = endpoint
        self._topics = [f"{camera}/{kinds}/raw" for camera in cameras]
        self._frames: dict[str, deque[Seen]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._news = threading.Condition()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="viewer", daemon=True)

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _listen(self) -> None:
        with zmq.Context() as context, context.socket(zmq.SUB) as link:
            link.setsockopt(zmq.LINGER, 0)
            link.setsockopt(zmq.RECONNECT_IVL, 50)
            link.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
            for topic in self._topics:
                link.subscribe(topic)
            link.connect(self._endpoint)
            while not self._over.is_set():
                if link.poll(_WAIT_MS):
                    self._hear(link.recv_multipart())

    def _hear(self, parts: Sequence[bytes]) -> None:
        now_s, header = time.monotonic(), json.loads(parts[1])
        with self._news:
            seen = Seen(header["seq"], header["epoch"], header["captured_ns"] / 1e9, now_s)
            self._frames[header["camera"]].append(seen)
            self._news.notify_all()

    def frames(self, camera: str, since_s: float = 0.0) -> list[Seen]:
        """What came of a camera since that time."""
        with self._news:
            return [seen for seen in self._frames[camera] if seen.arrived_s >= since_s]

    def wait(self, camera: str, captured_after_s: float, timeout_s: float) -> Seen | None:
        """The first frame that was captured after that time; None where none came within `timeout_s` from now."""

        def first() -> Seen | None:
            return next((seen for seen in self._frames[camera] if seen.captured_s > captured_after_s), None)

        with self._news:
            self._news.wait_for(lambda: first() is not None, timeout_s)
            return first()

    def wait_for_seq(self, camera: str, seq: int, timeout_s: float) -> bool:
        """Wait until a frame of at least that number came."""

        def far_enough() -> bool:
            frames = self._frames[camera]
            return bool(frames) and frames[-1].seq >= seq

        with self._news:
            return self._news.wait_for(far_enough, timeout_s)

    def rate_hz(self, camera: str, since_s: float, until_s: float) -> float:
        """Frames a second between two times."""
        return sum(seen.arrived_s < until_s for seen in self.frames(camera, since_s)) / (until_s - since_s)

    def longest_gap_s(self, camera: str, since_s: float) -> float:
        """The longest time without a frame, from `since_s` until now."""
        moments = [since_s, *(seen.arrived_s for seen in self.frames(camera, since_s)), time.monotonic()]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))
