"""Reads pictures out of an opened container: what files, network streams and camera devices share."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import av
from av import VideoStream
from av.container import InputContainer

from stream.bounds import MAX_PIXELS, MAX_SIDE_PX
from stream.media.opening import FAILURES, reason
from stream.message import Mode, Picture
from stream.sources.decoder import Clock, Decoder
from stream.sources.error import SourceError

log = logging.getLogger(__name__)

TIMELESS = {"mpjpeg", "mjpeg", "h264", "hevc", "m4v"}
"""Formats that carry no timestamps: live, a picture's time is that of its arrival."""
DECODING_ORDER = {"avi"}
"""Formats whose times are those at which pictures are decoded, though some are shown later than others."""
POLL_S = 0.005
KEY_PATIENCE_NS = 2_500_000_000
"""A live stream without a key frame for so long is told to wait for one."""
PATIENCE_NS = 10_000_000_000
"""A live stream that sends packets but no picture that can be decoded is given up after this."""


def video_stream(container: InputContainer, address: str) -> VideoStream:
    """The container's video stream that can be decoded within bounds, or a `SourceError`."""
    found = container.streams.best("video")
    if not isinstance(found, VideoStream):
        raise SourceError(f"{address} holds no video")
    if found.codec_context is None:
        raise SourceError(f"{address} is in a video format that cannot be decoded here")
    width, height = found.codec_context.width, found.codec_context.height
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise SourceError(
            f"{address} has pictures of {width}x{height}; "
            f"at most {MAX_PIXELS} pixels and {MAX_SIDE_PX} a side can be read"
        )
    return found


def _clock(container: InputContainer, stream: VideoStream, mode: Mode) -> Clock:
    if mode == "live" and container.format.name in TIMELESS:
        return "arrival"
    return "order" if container.format.name in DECODING_ORDER and stream.codec_context.has_b_frames else "stream"


class ContainerSource:
    """The pictures of an opened container, in the order they are shown; a `PictureSource`.

    `mode` says how its failures are met: a file plays as far as it goes and says so in the log, a live
    stream that fails or falls silent raises `SourceError`, so that it can be opened anew. `close` from
    another thread takes effect when the read under way returns: within the container's read timeout.
    `release` lets go of what the container reads from, after the container. `heard` is called for every packet.
    """

    def __init__(
        self,
        container: InputContainer,
        address: str,
        mode: Mode,
        realtime: bool,
        *,
        release: Callable[[], None] = lambda: None,
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = address
        self.mode: Mode = mode
        self.realtime = realtime
        self._container = container
        self._release = release
        self._heard = heard
        try:
            stream = video_stream(container, address)
        except SourceError:
            self._let_go()
            raise
        rate = stream.guessed_rate or stream.average_rate
        self.rate_hz = float(rate) if rate else None
        self.frames = stream.frames or None
        self._stream = stream
        self._packets = container.demux(stream)
        clock = _clock(container, stream, mode)
        self._decoder = Decoder(stream, mode, clock, 1000 * (container.start_time or 0))
        self._reading = threading.Lock()
        self._closed = False
        self._packets_read = 0
        self._opened_ns = time.monotonic_ns()
        self._told_waiting = False

    @property
    def skipped(self) -> int:
        """How many damaged packets and pictures were left out so far."""
        return self._decoder.skipped

    def __iter__(self) -> Iterator[Picture]:
        count = 0
        patient_until_ns = time.monotonic_ns() + PATIENCE_NS
        while (pictures := self._read()) is not None:
            yield from pictures
            count += len(pictures)
            now_ns = time.monotonic_ns()
            if pictures:
                patient_until_ns = now_ns + PATIENCE_NS
            elif self._decoder.awaits_key:  # some cameras send one every half a minute
                patient_until_ns = now_ns + PATIENCE_NS
                self._say_that_it_waits(now_ns)
            elif self.mode == "live" and now_ns > patient_until_ns:
                raise SourceError(f"{self.address} sends data, but no picture that can be decoded")
        if not self._closed:
            self._judge_end(count)
        self.close()

    def _say_that_it_waits(self, now_ns: int) -> None:
        if self._told_waiting or now_ns < self._opened_ns + KEY_PATIENCE_NS:
            return
        self._told_waiting = True
        log.warning("%s waits for a key frame", self.address)

    def close(self) -> None:
        """Let go of the input; a read under way in another thread is left to finish first."""
        self._closed = True
        if self._reading.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._reading.release()

    def _let_go(self) -> None:
        self._container.close()
        self._release()

    def _read(self) -> list[Picture] | None:
        """What the next packet completes; `None` at the end."""
        with self._reading:
            if self._closed:
                return None
            started_ns = time.monotonic_ns()
            try:
                packet = next(self._packets, None)
            except av.error.ExitError:
                raise self._silence() from None
            except av.error.BlockingIOError:  # AVFoundation has no picture yet
                self._packets = self._container.demux(self._stream)
                time.sleep(POLL_S)
                return []
            except FAILURES as error:
                if self.mode == "live" or not isinstance(error, av.error.InvalidDataError):
                    raise SourceError(f"{self.address} broke off: {reason(error)}") from None
                log.warning("%s cannot be read any further: %s", self.address, reason(error))
                return None
            if packet is None:
                return None
            if (patience_s := self._container.read_timeout) and time.monotonic_ns() - started_ns > patience_s * 1e9:
                raise self._silence()  # FFmpeg gives out what its parser still held before it fails
            self._packets_read += packet.size > 0
            self._heard()
            return list(self._decoder.decode(packet, time.monotonic_ns()))

    def _silence(self) -> SourceError:
        return SourceError(f"{self.address} has sent nothing for {self._container.read_timeout:g} s")

    def _judge_end(self, count: int) -> None:
        if count == 0:
            raise SourceError(f"{self.address} holds no picture that can be decoded")
        if self.frames and self._packets_read < self.frames:
            there = f"{self._packets_read} of {self.frames}"
            log.warning("%s is cut short: %s pictures are there", self.address, there)
        if self.skipped:
            log.warning("%s: damaged pictures were left out: %d", self.address, self.skipped)
