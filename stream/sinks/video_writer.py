"""One video file being written: pictures of any size in, each at its exact time."""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av import VideoStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.format import VideoFormat
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from stream.media.opening import AV_ERRORS, ffmpeg_reason
from stream.media.planes import to_video_frame
from stream.message import Pixels
from stream.sinks.audio import AudioReader
from stream.sinks.audio_track import copies, open_track
from stream.sinks.error import SinkError
from stream.sinks.formats import Format

log = logging.getLogger(__name__)

KEY_FRAME_NS = 1_000_000_000
"""A key frame at least this often: what a killed process loses, and how finely a player can seek."""
FLUSHED = {"flush_packets": "1", "max_interleave_delta": "1000000"}
"""What is written goes to the disk at once, and pictures wait for sound for at most a second."""
MAX_THREADS = 4
OUTAGE_STEPS = 4
"""After a longer gap, in steps of the nominal rate, nothing was seen: it is not how long the next picture is shown."""
MAX_SAMPLES = 8


@dataclass(frozen=True, slots=True, eq=False)
class MaskSample:
    """What a picture of the file must show: `mask` (H, W) is its alpha, or its labels."""

    tick: int
    mask: Pixels


class VideoWriter:
    """An open recording. Its methods may raise `SinkError`, after which it is closed.

    `start_ns` is its time 0, `rate_hz` the nominal rate that players are told (the true times are in the
    file), `shape` the height and width of its pictures; one of another size is fitted into that with
    black (transparent) borders. What was written is on its way to the disk within a
    second, and a file whose writer was killed plays up to there. `count`, `last_tick`, `end_tick` (of the
    last picture), `latest_end_tick` (of any) and `samples` are what the finished file must hold.
    """

    def __init__(
        self,
        path: Path,
        form: Format,
        shape: tuple[int, int],
        *,
        start_ns: int,
        rate_hz: float,
        sound: AudioReader | None,
    ) -> None:
        self.path = path
        self.video_format = form
        self.count = 0
        self.last_tick = self.end_tick = self.latest_end_tick = -1
        self.samples: list[MaskSample] = []
        multiple_px = form.codec.multiple_px
        self._shape = (shape[0] + -shape[0] % multiple_px, shape[1] + -shape[1] % multiple_px)
        self._scaler = VideoReformatter()
        self.start_ns = self._last_ns = self._key_ns = start_ns
        self._step_ns = round(1e9 / rate_hz)
        self._max_step_ns = OUTAGE_STEPS * self._step_ns
        self._sample_stride = 1
        self._closed = False
        try:
            self._begin(sound, rate_hz)
        except AV_ERRORS as error:
            if sound is None:
                raise SinkError(f"cannot record to {path}: {ffmpeg_reason(error)}") from None
            log.warning("%s is recorded without the sound of %s: %s", path, sound.path, ffmpeg_reason(error))
            self._begin_silent(rate_hz)

    def _begin(self, sound: AudioReader | None, rate_hz: float) -> None:
        container = self.video_format.container
        encoded = sound is not None and not copies(sound, container.sounds)
        options = {**FLUSHED, **container.options, **(container.encoded_sound if encoded else {})}
        self._container = av.open(ffmpeg_name(self.path), "w", format=container.muxer, container_options=options)
        self._stream = _video_stream(self._container, self.video_format, self._shape, rate_hz)
        self._sound = open_track(sound, self._container, container.sounds) if sound else None
        self._container.start_encoding()

    def _begin_silent(self, rate_hz: float) -> None:
        try:
            self._begin(None, rate_hz)
        except AV_ERRORS as error:
            raise SinkError(f"cannot record to {self.path}: {ffmpeg_reason(error)}") from None

    def write(self, pixels: Pixels, pts_ns: int) -> None:
        """Append a picture, (H, W, 3) BGR, (H, W, 4) BGRA or (H, W) labels, shown from `pts_ns` on."""
        fit = np.ascontiguousarray(fit_into(pixels, *self._shape))
        tick_ns = float(self.video_format.container.tick * 1_000_000_000)
        frame = to_video_frame(fit, self.video_format.pixel_format, self._scaler)
        if self.count == 0 or pts_ns - self._key_ns >= KEY_FRAME_NS:
            self._key_ns = pts_ns
            frame.pict_type = PictureType.I
        if 0 < pts_ns - self._last_ns <= self._max_step_ns:
            self._step_ns = pts_ns - self._last_ns
        self._last_ns = pts_ns
        self.last_tick = max(round((pts_ns - self.start_ns) / tick_ns), self.last_tick + 1)
        frame.pts, frame.time_base = self.last_tick, self.video_format.container.tick
        frame.duration = max(1, round(self._step_ns / tick_ns))
        self.end_tick = self.last_tick + frame.duration
        self.latest_end_tick = max(self.latest_end_tick, self.end_tick)
        try:
            self._write_sound(pts_ns)
            self._container.mux(self._stream.encode(frame))
        except AV_ERRORS as error:
            self._fail(error)
        self._keep_sample(fit)
        self.count += 1

    def close(self, until_ns: int | None = None) -> None:
        """Finish the file, so that it is whole; may be called more than once.

        Its sound ends at `until_ns`, by default when the last picture has been shown as long as the one before.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._write_sound(until_ns or self._last_ns + self._step_ns)
            if self._sound:
                with contextlib.suppress(*AV_ERRORS):  # its pictures are whole without the last of its sound
                    self._sound.flush()
            self._container.mux(self._stream.encode(None))
            self._container.close()
        except AV_ERRORS as error:
            self._fail(error)

    def _write_sound(self, until_ns: int) -> None:
        if self._sound:
            self._sound.write(self.start_ns, until_ns)

    def _fail(self, error: Exception) -> None:
        self._closed = True
        raise SinkError(f"the recording {self.path} ends here: {ffmpeg_reason(error)}") from None

    def _keep_sample(self, pixels: Pixels) -> None:
        """Keep the masks of a few pictures, spread evenly over all there were."""
        if self.video_format.shows in ("cutout", "parts") and self.count % self._sample_stride == 0:
            mask = pixels if self.video_format.shows == "parts" else pixels[..., 3].copy()
            self.samples.append(MaskSample(self.last_tick, mask))
        if len(self.samples) > MAX_SAMPLES:
            self.samples = self.samples[::2]
            self._sample_stride *= 2


def ffmpeg_name(path: Path) -> str:
    """Return the name for FFmpeg to write to, no part of it taken for a protocol.

    For single pictures that is a pattern with each one's time in milliseconds.
    """
    if path.suffix.lower() != ".png":
        return f"file:{path}"
    stem = str(path.with_suffix("")).replace("%", "%%")
    return f"file:{stem}-%010d{path.suffix}"


def fit_into(pixels: Pixels, height: int, width: int) -> Pixels:
    """`pixels` (H, W, …) in a frame of `height` by `width`: as they are, completed at the far edge where
    one row or column is missing, else scaled with their aspect kept and bordered with zeros."""
    missing_y, missing_x = height - pixels.shape[0], width - pixels.shape[1]
    if missing_y == missing_x == 0:
        return pixels
    if missing_y in (0, 1) and missing_x in (0, 1):
        return np.pad(pixels, ((0, missing_y), (0, missing_x)) + ((0, 0),) * (pixels.ndim - 2), "edge")
    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    labels = pixels.ndim == 2  # a mean of two labels is a third
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST if labels else smooth)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    framed = np.zeros((height, width, *pixels.shape[2:]), np.uint8)
    framed[top : top + size[1], left : left + size[0]] = scaled
    return framed


def _video_stream(container: OutputContainer, form: Format, shape: tuple[int, int], rate_hz: float) -> VideoStream:
    rate = Fraction(rate_hz).limit_denominator(1001)
    stream = cast(VideoStream, container.add_stream(form.codec.encoder, rate=rate, options=dict(form.codec.options)))
    stream.height, stream.width = shape
    stream.pix_fmt = form.pixel_format
    stream.time_base = form.container.tick
    if form.pixel_format == "yuva420p":
        stream.metadata["alpha_mode"] = "1"
    context = stream.codec_context
    context.time_base = form.container.tick
    context.thread_count = min(MAX_THREADS, os.cpu_count() or 1)
    context.flags |= int(Flags.frame_duration)
    if not VideoFormat(form.pixel_format).is_rgb and form.shows != "parts":
        context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    if form.codec.encoder == "libx265":
        context.codec_tag = "hvc1"  # what Apple's players ask for
    return stream
