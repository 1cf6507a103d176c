"""Opens a finished recording again and holds it to what was written."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av import VideoFrame
from av.codec import Codec, CodecContext
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext

from stream.media.opening import AV_ERRORS, ffmpeg_reason, open_local
from stream.message import Pixels
from stream.sinks.error import SinkError
from stream.sinks.video_writer import MaskSample, VideoWriter, ffmpeg_name

MAX_AUDIO_EXCESS_S = Fraction(15, 100)
"""By how much sound may be longer or shorter than the pictures: an encoder's last pieces."""


def verify(video: VideoWriter) -> None:
    """Compare number, length and the alpha (or labels) of sampled pictures; raise `SinkError` where they differ."""
    try:
        fault = _fault_of_pictures(video) if video.path.suffix.lower() == ".png" else _fault_of_file(video)
    except AV_ERRORS as error:
        fault = f"it cannot be read back: {ffmpeg_reason(error)}"
    if fault:
        raise SinkError(f"the recording {video.path} is not what was written: {fault}")


def _fault_of_file(video: VideoWriter) -> str | None:
    with open_local(video.path) as container:
        stream = container.streams.video[0]
        times = [p.pts * p.time_base for p in container.demux(stream) if p.size and p.pts is not None]
        if len(times) != video.count:
            return f"it holds {len(times)} of {video.count} pictures"
        tick = video.video_format.container.tick
        length_s, expected_s = max(times) - min(times), video.last_tick * tick
        if abs(length_s - expected_s) > tick:
            return f"it is {float(length_s):.3f} s long in place of {float(expected_s):.3f} s"
        if fault := _fault_of_length(video, container):
            return fault
        for sample in video.samples:
            if fault := _fault_of_sample(video, sample, _frame_at(container, video, min(times) + sample.tick * tick)):
                return fault
    return None


def _fault_of_length(video: VideoWriter, container: InputContainer) -> str | None:
    """Return the fault where the stated length is not that of the pictures; audio may end a little later."""
    stream, tick = container.streams.video[0], video.video_format.container.tick
    stated_s = Fraction(container.duration or 0, 1_000_000)
    if stream.duration is not None and stream.time_base is not None:
        stated_s = stream.duration * stream.time_base
    allowed_s = 2 * tick + (MAX_AUDIO_EXCESS_S if container.streams.audio else 0)
    # Of pictures at uneven times an earlier one may have a longer stated duration than the last.
    if not video.end_tick * tick - allowed_s <= stated_s <= video.latest_end_tick * tick + allowed_s:
        return f"players are told {float(stated_s):.3f} s instead of {float(video.end_tick * tick):.3f} s"
    return None


def _fault_of_pictures(video: VideoWriter) -> str | None:
    pattern = ffmpeg_name(video.path)
    for sample in video.samples:
        with av.open(pattern % sample.tick, "r", format="png_pipe") as container:
            frame = next(container.decode(video=0))
        if fault := _fault_of_sample(video, sample, frame):
            return fault
    return None


def _fault_of_sample(video: VideoWriter, sample: MaskSample, frame: VideoFrame | None) -> str | None:
    at_s = float(sample.tick * video.video_format.container.tick)
    if frame is None:
        return f"the picture at {at_s:.3f} s is missing"
    error = float(np.abs(_mask(frame, video.video_format.shows).astype(np.int16) - sample.mask).mean())
    bound = video.video_format.codec.alpha_error
    if error > bound:
        return f"its masks at {at_s:.3f} s are {error:.2f} of 255 off, at most {bound:g} is right"
    return None


def _mask(frame: VideoFrame, shows: str) -> Pixels:
    """The labels of a picture, or its alpha."""
    read = frame.to_ndarray() if shows == "parts" else frame.to_ndarray(format="bgra")[..., 3]
    return np.asarray(read, np.uint8)


def _frame_at(container: InputContainer, video: VideoWriter, time_s: Fraction) -> VideoFrame | None:
    stream = container.streams.video[0]
    unit = stream.time_base or Fraction(1)
    target = round(time_s / unit)
    container.seek(target, stream=stream)
    for frame in _decoded(container, video):
        if frame.pts is not None and abs(frame.pts - target) * unit < video.video_format.container.tick:
            return frame
    return None


def _decoded(container: InputContainer, video: VideoWriter) -> Iterator[VideoFrame]:
    if video.video_format.codec.decoder is None:
        yield from container.decode(video=0)
        return
    decoder = cast(VideoCodecContext, CodecContext.create(Codec(video.video_format.codec.decoder, "r")))
    for packet in container.demux(video=0):
        yield from decoder.decode(packet if packet.size else None)
