"""The same pictures over WebRTC: the page's camera comes in, the results go out.

This and `reassembly` are the modules that import aiortc. Its tracks carry `av` frames, converted by
`media.pixels`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtcrtpreceiver
from aiortc.codecs import h264, vpx
from aiortc.mediastreams import MediaStreamError

from stream.media.orientation import UPRIGHT
from stream.media.pixels import FAST, BgrConverter
from stream.media.planes import to_bgr_frame
from stream.message import Pixels
from stream.web.async_latest import AsyncLatest
from stream.web.reassembly import MarkerJitterBuffer

_CLOCK_HZ = 90_000
_BITRATE_HZ = 4_000_000  # bits a second offered to a page; its own estimate bounds it


class CallError(ValueError):
    """A session description is not one we can answer; the text is one sentence."""


class Call:
    """One call; `show` puts a picture on the page."""

    def __init__(self, connection: RTCPeerConnection, outgoing: _OutgoingTrack) -> None:
        self._connection = connection
        self._track = outgoing

    def show(self, stamped: Pixels) -> None:
        """Send a picture (H, W, 3) uint8 BGR; one that was not yet sent is replaced."""
        self._track.pictures.put(stamped)

    async def close(self) -> None:
        """Hang up."""
        self._track.stop()
        await self._connection.close()


class _OutgoingTrack(MediaStreamTrack):
    """The track to the page: the newest picture, whenever there is one."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.pictures: AsyncLatest[Pixels] = AsyncLatest()
        self._begun_s = time.monotonic()

    async def recv(self) -> Any:
        """The next picture, even in width and height, as video codecs want it."""
        pixels = await self.pictures.take()
        frame = to_bgr_frame(pixels[: pixels.shape[0] & ~1, : pixels.shape[1] & ~1])
        frame.pts = round((time.monotonic() - self._begun_s) * _CLOCK_HZ)
        frame.time_base = Fraction(1, _CLOCK_HZ)
        return frame


async def open_call(sdp: str, on_picture: Callable[[Pixels], None]) -> tuple[Call, str]:
    """Answer the offer `sdp`; each picture of the page's camera goes to `on_picture`. Raises CallError."""
    for codec in (vpx, h264):
        vars(codec).update(MAX_BITRATE=_BITRATE_HZ, DEFAULT_BITRATE=_BITRATE_HZ // 2)
    vars(rtcrtpreceiver).update(JitterBuffer=MarkerJitterBuffer)
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    outgoing = _OutgoingTrack()
    receive_tasks: set[asyncio.Task[None]] = set()

    def on_track(track: MediaStreamTrack) -> None:
        if track.kind == "video" and not receive_tasks:
            receive_tasks.add(asyncio.create_task(_receive(track, on_picture)))

    connection.on("track", on_track)
    try:
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        connection.addTrack(outgoing)
        await connection.setLocalDescription(await connection.createAnswer())
    except Exception as error:
        await connection.close()
        raise CallError("the call could not be answered: pictures go another way") from error
    return Call(connection, outgoing), _with_start_bitrate(connection.localDescription.sdp)


def _with_start_bitrate(sdp: str) -> str:
    """The answer, changed so that a browser spreads no picture over many milliseconds.

    It would begin at 300 kbit/s and, where the answer lets aiortc estimate the rate (by `abs-send-time`), stay near
    what it happens to use. Without the estimate it heeds losses alone; the page's own window heeds the delay.
    """
    sdp = re.sub(r"a=extmap:\d+ \S+/abs-send-time\r\n", "", sdp)
    start = f"x-google-start-bitrate={_BITRATE_HZ // 1000}"
    return re.sub(r"(a=rtpmap:(\d+) VP8/90000\r\n)", rf"\1a=fmtp:\2 {start}\r\n", sdp)


async def _receive(track: MediaStreamTrack, arrive: Callable[[Pixels], None]) -> None:
    convert = BgrConverter(FAST)
    while True:
        try:
            frame: Any = await track.recv()
        except MediaStreamError:
            return
        arrive(await asyncio.to_thread(convert, frame, UPRIGHT))
