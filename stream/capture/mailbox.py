"""A one-picture buffer between a camera's reader thread and the consumer of its pictures."""

from __future__ import annotations

import threading
import time
from collections import deque

from stream.bounds import MAX_SUPERSEDED
from stream.message import Mode, NewPicture, Picture, ReaderMessage, SourceEnded, SourceLost, SourceOpened


class Mailbox:
    """A one-picture buffer. Live, a newer picture replaces it; from a file, the reader waits until it is taken.

    Events (`SourceOpened`, `SourceLost`, `SourceEnded`) keep their order among the pictures and are never replaced.
    """

    def __init__(self, condition: threading.Condition) -> None:
        """`condition` is rung at every arrival; several mailboxes may share one."""
        self._condition = condition
        self._items: deque[ReaderMessage] = deque()
        self._closed = False
        self.last_activity_s = time.monotonic()
        """Monotonic time of the reader's last picture, event or `stir`."""

    def stir(self) -> None:
        """Record that the reader is alive, though it has no picture yet."""
        self.last_activity_s = time.monotonic()

    def put_event(self, event: SourceOpened | SourceLost | SourceEnded) -> None:
        """Queue an event."""
        with self._condition:
            self.last_activity_s = time.monotonic()
            self._items.append(event)
            self._condition.notify_all()

    def put(self, camera: str, picture: Picture, mode: Mode) -> bool:
        """Leave a picture; False when the mailbox was closed, and the reader should end."""
        with self._condition:
            if mode == "file":
                self._condition.wait_for(lambda: self._closed or not self._items)
            self.last_activity_s = time.monotonic()
            superseded = 0
            if self._items and isinstance(last := self._items[-1], NewPicture):
                superseded = min(last.superseded + 1, MAX_SUPERSEDED)
                self._items.pop()
            self._items.append(NewPicture(camera, picture, superseded))
            self._condition.notify_all()
            return not self._closed

    def take(self, *, credit: int, timeout_s: float = 0.0) -> ReaderMessage | None:
        """Take the oldest item, a picture only where `credit` is above 0; None after the timeout."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._has_due(credit), timeout_s):
                return None
            item = self._items.popleft()
            self._condition.notify_all()
            return item

    def _has_due(self, pictures: int) -> bool:
        return bool(self._items) and (pictures > 0 or not isinstance(self._items[0], NewPicture))

    def close(self) -> None:
        """Accept nothing more: a reader that is blocked returns."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
