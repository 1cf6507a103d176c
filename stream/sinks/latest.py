"""Between the pipeline and an output that may be slow: one frame of each camera waits, and the newest wins."""

from __future__ import annotations

import threading
from collections import deque

from stream.message import CompositedFrame, Output


class Newest:
    """A waiting room with one place a camera; news of a camera keeps its order with the frames."""

    def __init__(self) -> None:
        self._bell = threading.Condition()
        self._items: deque[Output] = deque()
        self._closed = False

    def put(self, item: Output) -> None:
        """Leave something, in place of the camera's frame that still waits; never waits itself."""
        with self._bell:
            if isinstance(item, CompositedFrame):
                self._forget(item.frame.camera)
            self._items.append(item)
            self._bell.notify_all()

    def take(self, timeout_s: float) -> Output | None:
        """The oldest that waits; None when nothing came in time, or when all was taken after `close`."""
        with self._bell:
            self._bell.wait_for(lambda: self._items or self._closed, timeout_s)
            return self._items.popleft() if self._items else None

    @property
    def over(self) -> bool:
        """Whether nothing waits and nothing will come."""
        with self._bell:
            return self._closed and not self._items

    def close(self) -> None:
        """Nothing more will come; what waits may still be taken."""
        with self._bell:
            self._closed = True
            self._bell.notify_all()

    def _forget(self, camera: str) -> None:
        """Drop the camera's waiting frame, unless news came after it."""
        for item in reversed(self._items):
            if isinstance(item, CompositedFrame):
                if item.frame.camera == camera:
                    self._items.remove(item)
                    return
            elif item.camera == camera:
                return
