"""Shows a page the newest frame of what it watches, never more than it has shown: a slow page sees fewer, not older."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from stream.message import Pixels
from stream.transport.protocol import PublishedFrame
from stream.web import page_protocol, photo, stamp, view
from stream.web.async_latest import AsyncLatest
from stream.web.call import Call
from stream.web.stamp import Stamp
from stream.web.uplink import VISITOR_PREFIX

_MAX_IN_FLIGHT = 2  # pictures on their way to a page at once: one travels while another is shown


class Presenter:
    """Pictures for one page: over `call` where there is one, else through `send` as JPEG."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._credit = asyncio.BoundedSemaphore(_MAX_IN_FLIGHT)
        self.frames: AsyncLatest[PublishedFrame] = AsyncLatest()
        self.latest: PublishedFrame | None = None
        self.view_options = page_protocol.ViewOptions()
        self.call: Call | None = None

    def acknowledge(self) -> None:
        """Record that the page has shown a picture: one less is in flight."""
        with suppress(ValueError):  # acknowledged once too often
            self._credit.release()

    async def run(self) -> None:
        """Present until cancelled."""
        while True:
            await self._credit.acquire()
            frame = self.latest = await self.frames.take()
            stamped = await asyncio.to_thread(_stamped, frame, self.view_options)
            if self.call is not None:
                self.call.show(stamped)
                self._credit.release()
            else:
                await self._send(await asyncio.to_thread(photo.to_jpeg, stamped))

    def reset(self) -> None:
        """Nothing is watched any more: what was seen last is not to be seen again."""
        self.frames.clear()
        self.latest, self.call = None, None

    async def snapshot(self, kind: str) -> bytes | None:
        """The moment that was presented last as PNG: the person alone (`cutout`) or the `whole` view."""
        frame = self.latest
        if frame is None:
            return None
        if kind == "cutout" and frame.composite.shape[:2] == frame.alpha.shape:
            return await asyncio.to_thread(lambda: photo.to_png(photo.snapshot_cutout(frame.composite, frame.alpha)))
        return await asyncio.to_thread(lambda: photo.to_png(view.render_view(frame, self.view_options)))


def _stamped(frame: PublishedFrame, show: page_protocol.ViewOptions) -> Pixels:
    """The view of a frame with its time: a visitor's own clock as their page stamped it, else this host's."""
    clock_ns = frame.pts_ns if frame.camera.startswith(VISITOR_PREFIX) else frame.captured_ns
    return stamp.add_stamp(view.render_view(frame, show), Stamp(clock_ns // 1_000_000, view.panel_count(frame, show)))
