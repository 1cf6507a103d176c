"""A visitor's own camera: its pictures are decoded, dated by their stamps and given to dispatch as a camera's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from stream.message import Picture, Pixels
from stream.web import stamp
from stream.web.async_latest import AsyncLatest
from stream.web.page_protocol import StreamState
from stream.web.photo import PhotoError, from_jpeg
from stream.web.stamp import CLOCK_MS
from stream.web.uplink import Uplink, VisitorLimitError

TIMEOUT_S = 3.0
"""A camera that sends nothing for longer is closed, and reopened with its next picture."""


class _Received(NamedTuple):
    picture: bytes | Pixels
    captured_ns: int


class VisitorCamera:
    """One visitor's camera; `name` is None while nothing comes from it.

    `changed(cause)` is called when it comes (None), goes (`ended`) or is over the limit (`full`).
    """

    def __init__(self, uplink: Uplink, max_px: int, changed: Callable[[StreamState | None], None]) -> None:
        self._uplink = uplink
        self._max_px = max_px
        self._changed = changed
        self._latest: AsyncLatest[_Received] = AsyncLatest()
        self._clock_ms = 0
        self.pts_ns = 0
        self._idle = asyncio.Event()
        self.name: str | None = None
        self.rejected = 0

    def receive(self, picture: bytes | Pixels) -> None:
        """A stamped picture has come: JPEG, or pixels (H, W, 3) uint8 BGR."""
        self._idle.clear()
        self._latest.put(_Received(picture, time.monotonic_ns()))

    async def idle(self) -> None:
        """Wait until what arrived last was taken in."""
        await self._idle.wait()

    async def run(self) -> None:
        """Take in what arrives until cancelled; then the camera is gone."""
        try:
            while True:
                try:
                    arrived = await asyncio.wait_for(self._latest.take(), TIMEOUT_S)
                except TimeoutError:
                    self._close("ended")
                else:
                    await self._take(arrived)
                    self._idle.set()
        finally:
            self._close(None)

    async def _take(self, arrived: _Received) -> None:
        try:
            stamped = arrived.picture
            if isinstance(stamped, bytes):
                stamped = await asyncio.to_thread(from_jpeg, stamped, stamp.stamped_px(self._max_px))
            elif stamped.shape[0] * stamped.shape[1] > stamp.stamped_px(self._max_px):
                raise PhotoError("the picture is too large")
            pixels, read = stamp.split_stamp(stamped)
        except PhotoError:
            self.rejected += 1
            return
        if read is None or not self._advance_clock(read.clock_ms):
            self.rejected += 1
            return
        if self.name is None and not self._open():
            return
        assert self.name is not None
        self._uplink.put(self.name, Picture(pixels, self.pts_ns, arrived.captured_ns))

    def _advance_clock(self, clock_ms: int) -> bool:
        """Advance the page's clock, which wraps every few hours; False for an old picture."""
        gap_ms = (clock_ms - self._clock_ms) % CLOCK_MS
        if self.name is None:
            self.pts_ns = clock_ms * 1_000_000
        elif 0 < gap_ms < CLOCK_MS // 2:
            self.pts_ns += gap_ms * 1_000_000
        else:
            return False
        self._clock_ms = clock_ms
        return True

    def stop(self) -> None:
        """The visitor takes the camera away; a picture that still waits is forgotten."""
        self._latest.clear()
        self._close(None)

    def _open(self) -> bool:
        try:
            self.name = self._uplink.open()
        except VisitorLimitError:
            self._changed("full")
            return False
        self._changed(None)
        return True

    def _close(self, cause: StreamState | None) -> None:
        if self.name is not None:
            self._uplink.close(self.name)
            self.name = None
            if cause is not None:
                self._changed(cause)
