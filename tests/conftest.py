"""What many tests need: small clips made on the spot, messages to write, and a real RTSP server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import pytest
from av import VideoFrame, VideoStream

from clothseg.classes import class_map
from stream.message import CompositedFrame, Frame, Picture, Pixels
from tests import rtsp
from tests.rtsp import RtspServer

BLUE, GREEN, RED = (200, 60, 40), (60, 180, 60), (40, 60, 200)
"""BGR of the upper left, upper right and lower left quarter of every test picture."""


def quarters(index: int, width: int, height: int) -> Pixels:
    """A picture (H, W, 3) whose orientation shows; its lower right quarter is grey, lighter with `index`."""
    picture = np.full((height, width, 3), 40 + 10 * (index % 20), np.uint8)
    picture[: height // 2, : width // 2] = BLUE
    picture[: height // 2, width // 2 :] = GREEN
    picture[height // 2 :, : width // 2] = RED
    return picture


class MakeClip(Protocol):
    """Writes a video file of `len(times)` pictures, each shown from its time in milliseconds on."""

    def __call__(
        self,
        name: str,
        *,
        size: tuple[int, int] = (64, 48),
        times_ms: Sequence[int] = tuple(range(0, 400, 40)),
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        options: Mapping[str, str] = {},
        prepare: Callable[[VideoStream], object] = ...,
        picture: Callable[[int, int, int], Pixels] = quarters,
        matrix: str = "ITU601",
        colour_range: int = 1,
        container_options: Mapping[str, str] = {},
    ) -> Path: ...


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    def make(
        name: str,
        *,
        size: tuple[int, int] = (64, 48),
        times_ms: Sequence[int] = tuple(range(0, 400, 40)),
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        options: Mapping[str, str] = {},
        prepare: Callable[[VideoStream], object] = lambda _: None,
        picture: Callable[[int, int, int], Pixels] = quarters,
        matrix: str = "ITU601",
        colour_range: int = 1,
        container_options: Mapping[str, str] = {},
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", container_options=dict(container_options)) as container:
            stream = container.add_stream(codec, rate=25, options=dict(options))
            assert isinstance(stream, VideoStream)
            stream.width, stream.height = size
            stream.pix_fmt = pixel_format
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
            prepare(stream)
            for index, time_ms in enumerate(times_ms):
                frame = VideoFrame.from_ndarray(picture(index, *size), format="bgr24").reformat(
                    format=pixel_format, dst_colorspace=matrix, dst_color_range=colour_range
                )
                frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
                frame.duration = (*times_ms, times_ms[-1] + 40)[index + 1] - time_ms
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


class MakeFrame(Protocol):
    """A composited frame of `camera` whose composite is a test picture and whose alpha is a soft disc."""

    def __call__(
        self, index: int, pts_ns: int, *, size: tuple[int, int] = (64, 48), camera: str = "cam", epoch: int = 0
    ) -> CompositedFrame: ...


@pytest.fixture
def make_frame() -> MakeFrame:
    def make(
        index: int, pts_ns: int, *, size: tuple[int, int] = (64, 48), camera: str = "cam", epoch: int = 0
    ) -> CompositedFrame:
        width, height = size
        picture = quarters(index, width, height)
        y, x = np.mgrid[:height, :width]
        away = np.hypot((x - width / 2) / width, (y - height / 2) / height)
        alpha = np.clip(255 * (0.42 - away) * 8, 0, 255).astype(np.uint8)
        return CompositedFrame(
            frame=Frame(camera, epoch, index, Picture(picture, pts_ns, 0)),
            classes=class_map(("background", "person", "top")),
            probabilities=np.zeros((3, 4, 4), np.uint8),
            alpha=alpha,
            parts=(alpha > 127).astype(np.uint8) + (alpha > 200),
            foreground=picture,
            composite=picture,
        )

    return make


@pytest.fixture(scope="session")
def rtsp_missing() -> str:
    """Why there can be no RTSP server here; empty where there can."""
    return rtsp.missing()


@pytest.fixture
def start_rtsp(rtsp_missing: str) -> Iterator[Callable[..., RtspServer]]:
    """Start RTSP servers with the given command-line arguments; they end with the test."""
    if rtsp_missing:
        pytest.skip(rtsp_missing)
    servers: list[RtspServer] = []

    def start(*arguments: str) -> RtspServer:
        servers.append(RtspServer(arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
