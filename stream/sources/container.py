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
from stream.media.opening import AV_ERRORS, ffmpeg_reason
from stream.message import Mode, Picture
from stream.sources.decoder import Clock, Decoder
from stream.sources.error import SourceError

log = logging.getLogger(__name__)

WITHOUT_TIMESTAMPS = {"mpjpeg", "mjpeg", "h264", "hevc", "m4v"}
"""Formats that carry no timestamps: live, a picture's time is that of its arrival."""
DECODING_ORDER = {"avi"}
"""Formats whose times are those at which pictures are decoded, though some are shown later than others."""
POLL_S = 0.005
KEY_FRAME_TIMEOUT_NS = 2_500_000_000
"""A live stream without a key frame for so long is reported to wait for one."""
DECODE_TIMEOUT_NS = 10_000_000_000
"""A live stream that sends packets but no picture that can be decoded is closed after this."""


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
    if mode == "live" and container.format.name in WITHOUT_TIMESTAMPS:
        return "arrival"
    return "order" if container.format.name in DECODING_ORDER and stream.codec_context.has_b_frames else "stream"


class ContainerSource:
    """The pictures of an opened container, in the order they are shown; a `PictureSource`.

    `mode` says how failures are handled: a file plays as far as it goes and is reported in the log, a live
    stream that fails or falls silent raises `SourceError`, so that it can be reopened. `close` from
    another thread takes effect when the current read returns: within the container's read timeout.
    `release` is called after the container is closed, to close what it reads from. `on_packet` is called for each one.
    """

    def __init__(
        self,
        container: InputContainer,
        address: str,
        mode: Mode,
        realtime: bool,
        *,
        release: Callable[[], None] = lambda: None,
        on_packet: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = address
        self.mode: Mode = mode
        self.realtime = realtime
        self._container = container
        self._release = release
        self._on_packet = on_packet
        try:
            stream = video_stream(container, address)
        except SourceError:
            self._release_input()
            raise
        rate = stream.guessed_rate or stream.average_rate
        self.rate_hz = float(rate) if rate else None
        self.frames = stream.frames or None
        self._stream = stream
        self._packets = container.demux(stream)
        clock = _clock(container, stream, mode)
        self._decoder = Decoder(stream, mode, clock, 1000 * (container.start_time or 0))
        self._read_lock = threading.Lock()
        self._closed = False
        self._packets_read = 0
        self._opened_ns = time.monotonic_ns()
        self._reported_waiting = False

    @property
    def skipped(self) -> int:
        """Number of damaged packets and pictures skipped so far."""
        return self._decoder.skipped

    def __iter__(self) -> Iterator[Picture]:
        count = 0
        decode_deadline_ns = time.monotonic_ns() + DECODE_TIMEOUT_NS
        while (pictures := self._read()) is not None:
            yield from pictures
            count += len(pictures)
            now_ns = time.monotonic_ns()
            if pictures:
                decode_deadline_ns = now_ns + DECODE_TIMEOUT_NS
            elif self._decoder.awaits_key:  # some cameras send one every half a minute
                decode_deadline_ns = now_ns + DECODE_TIMEOUT_NS
                self._report_waiting(now_ns)
            elif self.mode == "live" and now_ns > decode_deadline_ns:
                raise SourceError(f"{self.address} sends data, but no picture that can be decoded")
        if not self._closed:
            self._check_end(count)
        self.close()

    def _report_waiting(self, now_ns: int) -> None:
        if self._reported_waiting or now_ns < self._opened_ns + KEY_FRAME_TIMEOUT_NS:
            return
        self._reported_waiting = True
        log.warning("%s waits for a key frame", self.address)

    def close(self) -> None:
        """Close the input; a read in another thread finishes first."""
        self._closed = True
        if self._read_lock.acquire(blocking=False):
            try:
                self._release_input()
            finally:
                self._read_lock.release()

    def _release_input(self) -> None:
        self._container.close()
        self._release()

    def _read(self) -> list[Picture] | None:
        """Return the pictures that the next packet completes; `None` at the end."""
        with self._read_lock:
            if self._closed:
                return None
            started_ns = time.monotonic_ns()
            try:
                packet = next(self._packets, None)
            except av.error.ExitError:
                raise self._timeout_error() from None
            except av.error.BlockingIOError:  # AVFoundation has no picture yet
                self._packets = self._container.demux(self._stream)
                time.sleep(POLL_S)
                return []
            except AV_ERRORS as error:
                if self.mode == "live" or not isinstance(error, av.error.InvalidDataError):
                    raise SourceError(f"{self.address} broke off: {ffmpeg_reason(error)}") from None
                log.warning("%s cannot be read any further: %s", self.address, ffmpeg_reason(error))
                return None
            if packet is None:
                return None
            if (timeout_s := self._container.read_timeout) and time.monotonic_ns() - started_ns > timeout_s * 1e9:
                raise self._timeout_error()  # FFmpeg gives out what its parser still held before it fails
            self._packets_read += packet.size > 0
            self._on_packet()
            return list(self._decoder.decode(packet, time.monotonic_ns()))

    def _timeout_error(self) -> SourceError:
        return SourceError(f"{self.address} has sent nothing for {self._container.read_timeout:g} s")

    def _check_end(self, count: int) -> None:
        if count == 0:
            raise SourceError(f"{self.address} holds no picture that can be decoded")
        if self.frames and self._packets_read < self.frames:
            there = f"{self._packets_read} of {self.frames}"
            log.warning("%s is truncated: %s pictures", self.address, there)
        if self.skipped:
            log.warning("%s: %d damaged pictures skipped", self.address, self.skipped)
