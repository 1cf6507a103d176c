"""Clips to measure on, made of the shipped webcam clip: any size, rate and length, moving or still."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from av import VideoFrame, VideoStream
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Scene = Literal["moving", "still"]

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "configs/clips/again.mkv"
_NOISE = 2.0  # standard deviation of a webcam's noise by good light, grey levels of 255
_STILL_PICTURES = 30


def pictures(size_px: tuple[int, int], scene: Scene = "moving") -> Iterator[Pixels]:
    """Pictures (H, W, 3) uint8 BGR of the shipped clip, filled to `size_px` (width, height), to be played in a circle.

    `moving` is the clip to and fro, so that its ends are no cuts. `still` is its first picture with a
    webcam's noise, new for each of a second: nothing moves, and yet no two pictures are equal.
    """
    filled = [_filled(picture, size_px) for picture in _shipped()]
    if scene == "moving":
        yield from (filled[number] for number in (*range(len(filled)), *range(len(filled) - 2, 0, -1)))
        return
    rng = np.random.default_rng(0)
    for _ in range(_STILL_PICTURES):
        noise = rng.normal(0, _NOISE, (size_px[1] // 2, size_px[0] // 2, 3)).astype(np.float32)
        grain = cv2.resize(noise, size_px, interpolation=cv2.INTER_NEAREST)
        yield np.clip(filled[0] + grain + 0.5, 0, 255).astype(np.uint8)


def write_clip(path: Path, size_px: tuple[int, int], rate_hz: int, length_s: float, scene: Scene = "moving") -> None:
    """Write `pictures` over and over as H.264, as a camera sends it: no B frames, a key frame each second."""
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23", "g": "30"}
        stream = container.add_stream("libx264", rate=rate_hz, options=options)
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuv420p"
        coded = list(_coded(stream, pictures(size_px, scene)))
        for number in range(round(length_s * rate_hz)):
            data, key = coded[number % len(coded)]
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, rate_hz)
            packet.pts = packet.dts = number
            packet.duration, packet.is_keyframe = 1, key
            container.mux(packet)


def _coded(stream: VideoStream, shown: Iterator[Pixels]) -> Iterator[tuple[bytes, bool]]:
    """Each picture as the encoder codes it, and whether it is a key frame: the first is one, so that all may recur."""
    for number, picture in enumerate(shown):
        frame = VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = number, Fraction(1, 1000)
        for packet in stream.encode(frame):
            yield bytes(packet), packet.is_keyframe
    for packet in stream.encode(None):
        yield bytes(packet), packet.is_keyframe


def _shipped() -> Iterator[Pixels]:
    with av.open(str(SHIPPED)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def _filled(picture: Pixels, size_px: tuple[int, int]) -> Pixels:
    """The picture scaled to cover `size_px`, what is too much cut off above and below or at both sides."""
    width, height = size_px
    scale = max(width / picture.shape[1], height / picture.shape[0])
    scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width], np.uint8)
