"""One video file being written: pictures of any size in, each at its exact time."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from av import VideoStream
from av.video.frame import PictureType
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    VideoReformatter,
)

from stream.message import Pixels
from stream.sinks.error import SinkError
from stream.sinks.formats import Format
from stream.sinks.planes import frame_of

KEY_FRAME_NS = 1_000_000_000
"""A key frame at least this often: what a killed process loses, and how finely a player can seek."""
MAX_THREADS = 4
DEFAULT_STEP_NS = 40_000_000
FAILURES = (av.FFmpegError, OSError, ValueError)


class Movie:
    """A recording under way. Every method may raise `SinkError`, after which the movie is over.

    The first picture stands at time 0 and decides the size: a later one of another size is fitted into
    it with black (transparent) borders. What was written is on its way to the disk within a second, and
    a file whose writer was killed plays up to there.
    """

    def __init__(self, path: Path, form: Format, height: int, width: int) -> None:
        self.path = path
        self._form = form
        self._shape = (height + -height % form.multiple_px, width + -width % form.multiple_px)
        self._scaler = VideoReformatter()
        self._start_ns: int | None = None
        self._last_ns = self._key_ns = 0
        self._step_ns = DEFAULT_STEP_NS
        self._last_tick = -1
        self._failed = False
        try:
            options = {"flush_packets": "1", **form.container_options}
            self._container = av.open(str(path), "w", format=form.container, container_options=options)
            self._stream = self._add_stream()
            self._container.start_encoding()
        except FAILURES as error:
            raise SinkError(f"cannot record to {path}: {_reason(error)}") from None

    def write(self, pixels: Pixels, pts_ns: int) -> None:
        """Append a picture, (H, W, 3) BGR or (H, W, 4) BGRA with straight alpha, shown from `pts_ns` on."""
        fit = np.ascontiguousarray(fitted(pixels, *self._shape))
        frame = frame_of(fit, self._form.pixel_format, self._scaler)
        if self._start_ns is None:
            self._start_ns = self._key_ns = self._last_ns = pts_ns
            frame.pict_type = PictureType.I
        if pts_ns - self._key_ns >= KEY_FRAME_NS:
            self._key_ns = pts_ns
            frame.pict_type = PictureType.I
        if pts_ns > self._last_ns:
            self._step_ns = pts_ns - self._last_ns
        self._last_ns = pts_ns
        ticks_per_ns = 1 / (self._form.time_base * 1_000_000_000)
        self._last_tick = max(round((pts_ns - self._start_ns) * ticks_per_ns), self._last_tick + 1)
        frame.pts = self._last_tick
        frame.duration = max(1, round(self._step_ns * ticks_per_ns))
        frame.time_base = self._form.time_base
        try:
            self._container.mux(self._stream.encode(frame))
        except FAILURES as error:
            self._fail(error)

    def close(self) -> None:
        """Finish the file, so that it is whole; may be called more than once."""
        if self._failed:
            return
        self._failed = True
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        except FAILURES as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failed = True
        raise SinkError(f"the recording {self.path} ends here: {_reason(error)}") from None

    def _add_stream(self) -> VideoStream:
        form = self._form
        stream = self._container.add_stream(form.codec, rate=None, options=dict(form.codec_options))
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = self._shape
        stream.pix_fmt = form.pixel_format
        stream.metadata.update(form.metadata)
        context = stream.codec_context
        context.time_base = form.time_base
        context.thread_count = MAX_THREADS
        context.flags |= int(av.codec.context.Flags.frame_duration)
        context.gop_size = 10_000  # key frames are asked for by time, which a varying rate needs
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        stream.time_base = form.time_base
        return stream


def fitted(pixels: Pixels, height: int, width: int) -> Pixels:
    """`pixels` (H, W, C) in a frame of `height` by `width`: as they are, completed at the far edge where
    one row or column is missing, else scaled with their aspect kept and bordered with zeros."""
    missing_y, missing_x = height - pixels.shape[0], width - pixels.shape[1]
    if missing_y == missing_x == 0:
        return pixels
    if missing_y in (0, 1) and missing_x in (0, 1):
        return np.pad(pixels, ((0, missing_y), (0, missing_x), (0, 0)), "edge")
    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    framed = np.zeros((height, width, pixels.shape[2]), np.uint8)
    framed[top : top + size[1], left : left + size[0]] = scaled
    return framed


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
