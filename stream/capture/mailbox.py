"""One camera's place between its reader's thread and whoever takes its pictures."""

from __future__ import annotations

import threading
import time
from collections import deque

from stream.bounds import MAX_SUPERSEDED
from stream.message import Ended, FromReader, Lost, Mode, Offer, Opened, Picture


class Mailbox:
    """Room for one picture. Live, a newer one replaces it; from a file, the reader waits until it is taken.

    News (`Opened`, `Lost`, `Ended`) is kept in order with the pictures and never replaced.
    """

    def __init__(self, bell: threading.Condition) -> None:
        """`bell` is rung at every arrival; several mailboxes may share one."""
        self._bell = bell
        self._items: deque[FromReader] = deque()
        self._closed = False
        self.active_s = time.monotonic()
        """When the reader last left something or was told to be alive, on the monotonic clock."""

    def stir(self) -> None:
        """Note that the reader is alive, though it has nothing to leave yet."""
        self.active_s = time.monotonic()

    def tell(self, news: Opened | Lost | Ended) -> None:
        """Leave a piece of news."""
        with self._bell:
            self.active_s = time.monotonic()
            self._items.append(news)
            self._bell.notify_all()

    def put(self, camera: str, picture: Picture, mode: Mode) -> bool:
        """Leave a picture; False when the mailbox was closed, and the reader should end."""
        with self._bell:
            if mode == "file":
                self._bell.wait_for(lambda: self._closed or not self._items)
            self.active_s = time.monotonic()
            superseded = 0
            if self._items and isinstance(last := self._items[-1], Offer):
                superseded = min(last.superseded + 1, MAX_SUPERSEDED)
                self._items.pop()
            self._items.append(Offer(camera, picture, superseded))
            self._bell.notify_all()
            return not self._closed

    def take(self, *, pictures: int, timeout_s: float = 0.0) -> FromReader | None:
        """The oldest item, a picture only where `pictures` is above 0 (the taker has room). None: not in time."""
        with self._bell:
            if not self._bell.wait_for(lambda: self._due(pictures), timeout_s):
                return None
            item = self._items.popleft()
            self._bell.notify_all()
            return item

    def _due(self, pictures: int) -> bool:
        return bool(self._items) and (pictures > 0 or not isinstance(self._items[0], Offer))

    def close(self) -> None:
        """Want nothing more: a reader that waits goes on and is told so."""
        with self._bell:
            self._closed = True
            self._bell.notify_all()
