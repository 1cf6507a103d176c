"""Colours on their way into a codec, held to FFmpeg's own conversion and to the standard's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from stream.media.planes import to_video_frame
from stream.message import Pixels

EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def plain(colour: tuple[int, ...], height: int = 16, width: int = 16) -> Pixels:
    return np.full((height, width, len(colour)), colour, np.uint8)


def plane(frame: VideoFrame, index: int) -> Pixels:
    found = frame.planes[index]
    return np.frombuffer(memoryview(found), np.uint8).reshape(-1, found.line_size)[: found.height, : found.width]


@pytest.mark.parametrize(
    ("bgr", "ycbcr"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 255), (63, 102, 240)),
        ((0, 255, 0), (173, 42, 26)),
        ((255, 0, 0), (32, 240, 118)),
    ],
)
def test_primaries_have_the_numbers_of_bt709(bgr: tuple[int, ...], ycbcr: tuple[int, ...]) -> None:
    frame = to_video_frame(plain(bgr), "yuv420p", VideoReformatter())
    assert [int(plane(frame, i)[4, 4]) for i in range(3)] == pytest.approx(ycbcr, abs=1)
    assert (frame.colorspace, frame.color_range) == (1, 1)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le"])
@pytest.mark.parametrize("size", [(16, 16), (17, 33), (1, 1), (2, 99)])
def test_ffmpeg_turns_it_back_into_the_same_colours(pixel_format: str, size: tuple[int, int]) -> None:
    for colour in ((40, 60, 200), (200, 60, 40), (13, 240, 99), (128, 128, 128)):
        frame = to_video_frame(plain(colour, *size), pixel_format, VideoReformatter())
        back = VideoReformatter().reformat(frame, format="bgr24", interpolation=EXACT).to_ndarray()
        assert back.shape == (*size, 3)
        assert np.abs(back.astype(int) - colour).max() <= 2


@pytest.mark.parametrize("pixel_format", ["yuva420p", "bgra", "yuva444p10le"])
def test_alpha_goes_along_untouched(pixel_format: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (34, 66, 4), dtype=np.uint8)
    frame = to_video_frame(picture, pixel_format, VideoReformatter())
    back = VideoReformatter().reformat(frame, format="bgra", interpolation=EXACT).to_ndarray()
    assert np.abs(back[..., 3].astype(int) - picture[..., 3]).max() <= (0 if pixel_format == "bgra" else 1)
