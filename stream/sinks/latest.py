"""Between the pipeline and an output that may be slow: one frame of each camera waits, and the newest wins."""

from __future__ import annotations

import threading
from collections import deque

from stream.message import CompositedFrame, Output


class LatestBuffer:
    """One slot per camera, the newest frame wins; events keep their order among the frames."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._items: deque[Output] = deque()
        self._closed = False

    def put(self, item: Output) -> None:
        """Leave something, in place of the camera's frame that still waits; never waits itself."""
        with self._condition:
            if isinstance(item, CompositedFrame):
                self._drop_waiting_frame(item.frame.camera)
            self._items.append(item)
            self._condition.notify_all()

    def take(self, timeout_s: float) -> Output | None:
        """The oldest that waits; None when nothing came in time, or when all was taken after `close`."""
        with self._condition:
            self._condition.wait_for(lambda: self._items or self._closed, timeout_s)
            return self._items.popleft() if self._items else None

    @property
    def drained(self) -> bool:
        """True if nothing is queued and nothing will come."""
        with self._condition:
            return self._closed and not self._items

    def close(self) -> None:
        """Nothing more will come; what waits may still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _drop_waiting_frame(self, camera: str) -> None:
        """Drop the camera's queued frame, unless an event came after it."""
        for item in reversed(self._items):
            if isinstance(item, CompositedFrame):
                if item.frame.camera == camera:
                    self._items.remove(item)
                    return
            elif item.camera == camera:
                return
