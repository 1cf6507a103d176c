"""Shows a page the newest frame of what it watches, never more than it has shown: a slow page sees fewer, not older."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from stream.message import Pixels
from stream.transport.protocol import PublishedFrame
from stream.web import photo, stamp, talk, view
from stream.web.call import Call
from stream.web.slot import Slot
from stream.web.stamp import Stamp
from stream.web.uplink import VISITOR

_UNSHOWN = 2  # pictures on their way to a page at once: one travels while another is shown


class Presenter:
    """What one page sees. Pictures go over `call` where there is one, else through `send` as JPEG."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._credit = asyncio.BoundedSemaphore(_UNSHOWN)
        self.frames: Slot[PublishedFrame] = Slot()
        self.latest: PublishedFrame | None = None
        self.show = talk.Show()
        self.call: Call | None = None

    def shown(self) -> None:
        """The page has shown a picture and has room for another."""
        with suppress(ValueError):  # said once too often
            self._credit.release()

    async def run(self) -> None:
        """Present until cancelled."""
        while True:
            await self._credit.acquire()
            frame = self.latest = await self.frames.take()
            stamped = await asyncio.to_thread(_stamped, frame, self.show)
            if self.call is not None:
                self.call.show(stamped)
                self._credit.release()
            else:
                await self._send(await asyncio.to_thread(photo.to_jpeg, stamped))

    def forget(self) -> None:
        """Nothing is watched any more: what was seen last is not to be seen again."""
        self.frames.clear()
        self.latest, self.call = None, None

    async def snapshot(self, kind: str) -> bytes | None:
        """The moment that was presented last as PNG: the person alone (`cutout`) or the `whole` view."""
        frame = self.latest
        if frame is None:
            return None
        if kind == "cutout" and frame.composite.shape[:2] == frame.alpha.shape:
            return await asyncio.to_thread(lambda: photo.to_png(photo.cut_out(frame.composite, frame.alpha)))
        return await asyncio.to_thread(lambda: photo.to_png(view.draw(frame, self.show)))


def _stamped(frame: PublishedFrame, show: talk.Show) -> Pixels:
    """The view of a frame with its time: a visitor's own clock as their page stamped it, else this host's."""
    clock_ns = frame.pts_ns if frame.camera.startswith(VISITOR) else frame.captured_ns
    return stamp.put(view.draw(frame, show), Stamp(clock_ns // 1_000_000, view.panels(frame, show)))
