"""What waits between the pipeline and an output with a thread of its own: the newest frames, or every one."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Final

from stream.message import CompositedFrame, Output

MAX_QUEUED: Final = 2
"""Items that may wait in a `BoundedBuffer`; then the pipeline does."""


class _Buffer:
    """Written by the pipeline, emptied by the output's thread. `dropped` counts each camera's frames that were lost."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._condition = threading.Condition()  # re-entrant: `fail` closes
        self._items: deque[Output] = deque()
        self._closed = False

    def take(self, timeout_s: float | None) -> Output | None:
        """The oldest that waits; None when nothing came in time, or when all was taken after `close`."""
        with self._condition:
            self._condition.wait_for(lambda: self._items or self._closed, timeout_s)
            item = self._items.popleft() if self._items else None
            self._condition.notify_all()
            return item

    @property
    def drained(self) -> bool:
        """True if nothing is queued and nothing will come."""
        with self._condition:
            return self._closed and not self._items

    def close(self) -> None:
        """Nothing more will come, and what comes is dropped; what waits may still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _append(self, item: Output) -> None:
        if self._closed:
            self._count_dropped(item)
            return
        self._items.append(item)
        self._condition.notify_all()

    def _count_dropped(self, item: Output) -> None:
        if isinstance(item, CompositedFrame):
            self.dropped[item.frame.camera] += 1


class LatestBuffer(_Buffer):
    """One slot per camera, the newest frame wins; events keep their order among the frames. `put` never blocks."""

    def put(self, item: Output) -> None:
        """Leave something, in place of the camera's frame that still waits."""
        with self._condition:
            if isinstance(item, CompositedFrame) and not self._closed:
                self._drop_waiting_frame(item.frame.camera)
            self._append(item)

    def _drop_waiting_frame(self, camera: str) -> None:
        """Drop the camera's queued frame, unless an event came after it."""
        for item in reversed(self._items):
            if isinstance(item, CompositedFrame):
                if item.frame.camera == camera:
                    self._items.remove(item)
                    self._count_dropped(item)
                    return
            elif item.camera == camera:
                return


class BoundedBuffer(_Buffer):
    """Every frame in order; where as many wait as may, `put` waits too."""

    def put(self, item: Output) -> None:
        """Leave something, once there is room."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or len(self._items) < MAX_QUEUED)
            self._append(item)

    def fail(self) -> None:
        """Nobody takes anything any more: what waits and what comes is dropped, so that nobody waits for ever."""
        with self._condition:
            for item in self._items:
                self._count_dropped(item)
            self._items.clear()
            self.close()
