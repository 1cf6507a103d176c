"""Pushes each camera's view as H.264 to a server: RTSP, RTMP, SRT or MPEG-TS over UDP.

In a process of its own: while PyAV connects, no other thread of its process runs (it holds the interpreter's
lock), and a server that accepts and then sends nothing would block the pipeline for ever.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import av
import cv2
import msgspec
import numpy as np
from av import VideoStream
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from stream.media.address import escaping_advice, redact, scheme_of
from stream.media.opening import AV_ERRORS, ffmpeg_reason
from stream.media.planes import to_video_frame
from stream.media.srt import Sender, missing_programs, needs_relay
from stream.message import CompositedFrame, Output, Pixels
from stream.settings.config import Push
from stream.sinks.error import SinkError
from stream.sinks.reconnecting import ReconnectingSink
from stream.sinks.video_writer import KEY_FRAME_NS, fit_into

_THREADS = 2
_HANG_TIMEOUT_S = 4
_CONNECT_S = 3.5
_CLOSE_MESSAGE = b"end"


@dataclass(frozen=True, slots=True)
class PushProtocol:
    """Muxer and options for addresses of a scheme; `tick` is what timestamps are rounded to."""

    muxer: str
    tick: Fraction
    options: Mapping[str, str] = field(default_factory=dict)


_FLV = PushProtocol("flv", Fraction(1, 1000), {"flvflags": "no_duration_filesize"})
_RTSP = PushProtocol("rtsp", Fraction(1, 90_000), {"rtsp_transport": "tcp"})
_TS = PushProtocol("mpegts", Fraction(1, 90_000))

PROTOCOLS: Mapping[str, PushProtocol] = {
    "rtsp": _RTSP,
    "rtsps": _RTSP,
    "rtmp": _FLV,
    "rtmps": _FLV,
    "srt": _TS,
    "udp": _TS,
}


def check(settings: Push, cameras: Sequence[str]) -> None:
    """Raise SinkError for an address that cannot work, before anything starts."""
    kind, shown = scheme_of(settings.url), redact(settings.url)
    if kind not in PROTOCOLS:
        raise SinkError(f"cannot push to {shown}: expected an address that begins with {', '.join(PROTOCOLS)}")
    if len(cameras) > 1 and "{camera}" not in settings.url:
        raise SinkError(f"{len(cameras)} cameras cannot share the address {shown}: write {{camera}} into it")
    if needs_relay(settings.url) and (missing_text := missing_programs()):
        raise SinkError(f"cannot push to {shown}: {missing_text}")


class PushSink:
    """A connection for each camera, made when its first frame comes, and made again when it breaks."""

    def __init__(self, settings: Push, cameras: Sequence[str], notify: Callable[[str], None]) -> None:
        check(settings, cameras)
        self._settings = settings
        self._notify = notify
        self._connections: dict[str, tuple[ReconnectingSink, PushProcess]] = {}

    def write(self, item: Output) -> None:
        """Hand a frame to its camera's connection."""
        if isinstance(item, CompositedFrame):
            camera = item.frame.camera
            if camera not in self._connections:
                self._connections[camera] = self._start_connection(self._settings.url.replace("{camera}", camera))
            self._connections[camera][0].write(item)

    def close(self) -> None:
        """Close every connection."""
        while self._connections:
            output, transmitter = self._connections.popitem()[1]
            output.close()
            transmitter.end()

    def _start_connection(self, url: str) -> tuple[ReconnectingSink, PushProcess]:
        transmitter = PushProcess(url, self._settings)
        return ReconnectingSink(f"push to {redact(url)}", lambda: transmitter, self._notify), transmitter


class PushProcess:
    """The process of one connection, started when it is needed. A frame is sent when the one before is gone."""

    def __init__(self, url: str, settings: Push) -> None:
        self._url = url
        self._settings = settings
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def write(self, item: CompositedFrame) -> None:
        """Send a frame; `SinkError` where it did not go out."""
        try:
            pipe = self._pipe if self._pipe and self._process and self._process.is_alive() else self._start()
            pixels = np.ascontiguousarray(select_picture(item, self._settings))
            pipe.send_bytes(msgspec.json.encode((item.frame.picture.pts_ns, pixels.shape)))
            pipe.send_bytes(pixels.reshape(-1).data)
            error_text = pipe.recv_bytes().decode()
        except (OSError, EOFError):
            error_text = f"{redact(self._url)}: the server does not answer"
        if error_text:
            raise SinkError(error_text)

    def close(self) -> None:
        """End the connection; the next frame makes another."""
        with contextlib.suppress(OSError, EOFError):
            if self._pipe is not None:
                self._pipe.send_bytes(_CLOSE_MESSAGE)
                self._pipe.recv_bytes()

    def end(self) -> None:
        """End the process."""
        if self._pipe is not None and self._process is not None:
            self._pipe.close()
            self._process.join(_HANG_TIMEOUT_S)
            self._process.kill()

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(
            target=push_process_main, args=(self._url, self._settings, child_end), daemon=True
        )
        self._process.start()
        child_end.close()
        return self._pipe


def push_process_main(url: str, settings: Push, pipe: Connection) -> None:
    """The process: sends what comes through the pipe, and answers each frame with what went wrong, or nothing.

    A call that hangs is ended by the alarm, and the process with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stream: PushStream | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            head = pipe.recv_bytes()
            signal.alarm(_HANG_TIMEOUT_S)
            error_text = ""
            if head == _CLOSE_MESSAGE:
                if stream:
                    stream.close()
                stream = None
            else:
                pts_ns, shape = msgspec.json.decode(head, type=tuple[int, tuple[int, int, int]])
                pixels = np.frombuffer(pipe.recv_bytes(), np.uint8).reshape(shape)
                try:
                    stream = stream or PushStream(url, settings)
                    stream.write(pixels, pts_ns)
                except SinkError as error:
                    error_text, stream = str(error), None
            pipe.send_bytes(error_text.encode())
            signal.alarm(0)
    signal.alarm(_HANG_TIMEOUT_S)
    if stream:
        stream.close()


class PushStream:
    """One stream to one server. Its methods may raise `SinkError`, after which it is over.

    The first frame decides the size, and stands at time 0; a later one of another size is fitted into it.
    """

    def __init__(self, url: str, settings: Push) -> None:
        self._url = url
        self._settings = settings
        self._protocol = PROTOCOLS[scheme_of(url)]
        self._scaler = VideoReformatter()
        self._stream: VideoStream | None = None
        self._shape = (0, 0)
        self._offset_ns = self._key_ns = 0
        self._last_tick = -1
        self._sender: Sender | None = None
        try:
            self._sender = Sender(url, _CONNECT_S) if needs_relay(url) else None
            target = self._sender or url
            self._container = av.open(target, "w", format=self._protocol.muxer, options=dict(self._protocol.options))
        except AV_ERRORS as error:
            raise self._broken(error) from None

    def write(self, pixels: Pixels, pts_ns: int) -> None:
        """Send a picture (H, W, 3) BGR."""
        try:
            stream = self._stream or self._start_stream(pixels, pts_ns)
            self._container.mux(stream.encode(self._frame(pixels, pts_ns)))
            if self._sender:
                self._sender.flush()
        except AV_ERRORS as error:
            raise self._broken(error) from None

    def close(self) -> None:
        """End the stream; a server that is gone is not missed."""
        with contextlib.suppress(*AV_ERRORS):
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        if self._sender:
            self._sender.close()

    def _start_stream(self, pixels: Pixels, pts_ns: int) -> VideoStream:
        height, width = pixels.shape[:2]
        self._shape = (height + height % 2, width + width % 2)
        self._offset_ns = self._key_ns = pts_ns
        rate = f"{self._settings.bitrate_kbit}k"
        options = {"preset": "ultrafast", "tune": "zerolatency", "g": "100000", "maxrate": rate, "bufsize": rate}
        stream = self._container.add_stream("libx264", options=options)
        stream.height, stream.width = self._shape
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = self._settings.bitrate_kbit * 1000
        stream.time_base = stream.codec_context.time_base = self._protocol.tick
        context = stream.codec_context
        context.thread_count = _THREADS
        context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._container.start_encoding()
        self._stream = stream
        return stream

    def _frame(self, pixels: Pixels, pts_ns: int) -> av.VideoFrame:
        """The picture for the encoder, at its place on a time line that always rises, a key frame every second."""
        frame = to_video_frame(np.ascontiguousarray(fit_into(pixels, *self._shape)), "yuv420p", self._scaler)
        if self._last_tick < 0 or not 0 <= pts_ns - self._key_ns < KEY_FRAME_NS:
            self._key_ns = pts_ns
            frame.pict_type = PictureType.I
        tick_ns = float(self._protocol.tick * 1_000_000_000)
        tick = round((pts_ns - self._offset_ns) / tick_ns)
        if tick <= self._last_tick:  # a source that was opened anew, its clock set back
            tick = self._last_tick + 1
            self._offset_ns = pts_ns - round(tick * tick_ns)
        self._last_tick = tick
        frame.pts, frame.time_base = tick, self._protocol.tick
        return frame

    def _broken(self, error: Exception) -> SinkError:
        """Close the relay; return the error that ended the connection."""
        if self._sender:
            self._sender.close()
        return SinkError(f"{redact(self._url)}: {ffmpeg_reason(error, self._url)}{escaping_advice(self._url)}")


def select_picture(frame: CompositedFrame, settings: Push) -> Pixels:
    """The picture that is pushed: the view, or the cut-out's colours over its alpha, (2H, W, 3) BGR."""
    if settings.shows == "composite":
        return frame.composite
    colour = cv2.copyTo(frame.foreground, frame.alpha)
    return np.vstack((colour, cv2.cvtColor(frame.alpha, cv2.COLOR_GRAY2BGR)))
