"""Video files as people have them: any size, rotation, depth, scan and state of repair."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.codec.context import Flags

from stream.message import Picture, Pixels
from stream.settings.config import Camera
from stream.sources import SourceError, open_source

BLUE, GREEN, RED = (200, 60, 40), (60, 180, 60), (40, 60, 200)
TOLERANCE = 6
LOSSLESS = {"qp": "0"}


def read(path: Path | str) -> list[Picture]:
    source = open_source(Camera(source=str(path)))
    assert source.mode == "file"
    return list(source)


def near(pixels: Pixels, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixels.reshape(-1, 3).mean(axis=0) - colour).max() <= TOLERANCE)


def corners(pixels: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Patches from the middle of the upper left, upper right and lower left quarter."""
    height, width = pixels.shape[:2]
    high, low = slice(height // 8, 3 * height // 8), slice(5 * height // 8, 7 * height // 8)
    left, right = slice(width // 8, 3 * width // 8), slice(5 * width // 8, 7 * width // 8)
    return pixels[high, left], pixels[high, right], pixels[low, left]


def assert_upright(pixels: Pixels) -> None:
    for patch, colour in zip(corners(pixels), (BLUE, GREEN, RED), strict=True):
        assert near(patch, colour), f"expected {colour}, got {patch.reshape(-1, 3).mean(axis=0)}"


def test_every_picture_comes_in_order_with_its_time(make_clip: Any) -> None:
    path = make_clip("clip.mkv")
    begun_ns = time.monotonic_ns()
    source = open_source(Camera(source=str(path)))
    pictures = list(source)
    lower_right = [p.pixels[-8:, -8:].mean() for p in pictures]
    assert [p.pts_ns for p in pictures] == [i * 40_000_000 for i in range(10)]
    assert lower_right == pytest.approx([40 + 10 * i for i in range(10)], abs=5)
    assert source.address == str(path)
    assert source.skipped == 0
    assert all(begun_ns <= p.captured_ns <= time.monotonic_ns() for p in pictures)


def test_number_and_rate_of_pictures_come_from_the_file_where_known(make_clip: Any) -> None:
    source = open_source(Camera(source=str(make_clip("clip.mp4"))))
    assert source.frames == 10
    assert source.rate_hz == pytest.approx(25)
    source.close()


def test_a_varying_rate_is_kept(make_clip: Any) -> None:
    times = [0, 33, 40, 500, 501, 2000]
    assert [p.pts_ns // 1_000_000 for p in read(make_clip("vfr.mkv", times_ms=times))] == times


def test_reordered_pictures_come_in_the_order_they_are_shown(make_clip: Any) -> None:
    path = make_clip("b.mp4", times_ms=range(0, 2000, 40), options={"bf": "3", "b_strategy": "0"})
    pictures = read(path)
    assert [p.pts_ns // 1_000_000 for p in pictures] == list(range(0, 2000, 40))


def test_a_file_counts_from_its_own_start(make_clip: Any) -> None:
    pictures = read(make_clip("late.ts", times_ms=range(5000, 5400, 40)))
    assert [p.pts_ns // 1_000_000 for p in pictures] == list(range(0, 400, 40))


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (17, 33), (2, 200), (3840, 2160)])
def test_any_size_is_read_as_it_is(make_clip: Any, size: tuple[int, int]) -> None:
    path = make_clip("odd.mkv", size=size, codec="ffv1", pixel_format="bgr0", times_ms=(0, 40))
    pictures = read(path)
    assert [p.pixels.shape for p in pictures] == [(size[1], size[0], 3)] * 2


def test_odd_sizes_with_halved_chroma_keep_their_colours(make_clip: Any) -> None:
    pictures = read(make_clip("odd.webm", size=(67, 35), codec="libvpx-vp9", options={"lossless": "1"}))
    assert pictures[0].pixels.shape == (35, 67, 3)
    assert_upright(pictures[0].pixels)


@pytest.mark.parametrize(
    ("matrix", "number", "height"), [("ITU601", 5, 48), ("ITU709", 1, 48), ("ITU601", 2, 48), ("ITU709", 2, 720)]
)
@pytest.mark.parametrize("colour_range", [1, 2])
def test_colours_follow_the_matrix_and_range_a_file_names_or_its_size_implies(
    make_clip: Any, matrix: str, number: int, height: int, colour_range: int
) -> None:
    def tag(stream: Any) -> None:
        stream.codec_context.colorspace = number
        stream.codec_context.color_range = colour_range

    path = make_clip(
        "colour.mkv",
        size=(64, height),
        times_ms=(0, 40),
        options=LOSSLESS,
        prepare=tag,
        matrix=matrix,
        colour_range=colour_range,
    )
    assert_upright(read(path)[0].pixels)


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [
        ("libx264", "yuv444p"),
        ("libx265", "yuv420p10le"),
        ("prores_ks", "yuv422p10le"),
        ("prores_ks", "yuva444p10le"),
        ("ffv1", "bgra"),
        ("ffv1", "gbrp16le"),
        ("png", "rgba"),
        ("mjpeg", "yuvj420p"),
        ("libvpx-vp9", "yuva420p"),
    ],
)
def test_any_pixel_format_becomes_the_same_bgr(make_clip: Any, codec: str, pixel_format: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = make_clip(
        "deep.mov" if codec in ("prores_ks", "png") else "deep.mkv",
        codec=codec,
        pixel_format=pixel_format,
        options=options,
        colour_range=2 if codec == "mjpeg" else 1,
    )
    assert_upright(read(path)[0].pixels)


@pytest.mark.parametrize("pixel_format", ["gray", "gray10le"])
def test_grey_becomes_three_equal_channels(make_clip: Any, pixel_format: str) -> None:
    path = make_clip("grey.mkv", codec="ffv1", pixel_format=pixel_format, colour_range=2)
    pixels = read(path)[3].pixels
    assert np.ptp(pixels, axis=2).max() <= 1
    assert pixels[-8:, -8:].mean() == pytest.approx(70, abs=3)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_clip_filmed_with_a_turned_phone_stands_upright(make_clip: Any, degrees: int) -> None:
    def turned(index: int, width: int, height: int) -> Pixels:
        upright = (
            np.full((height, width, 3), 128, np.uint8)
            if degrees % 180 == 0
            else np.full((width, height, 3), 128, np.uint8)
        )
        h, w = upright.shape[:2]
        upright[: h // 2, : w // 2], upright[: h // 2, w // 2 :], upright[h // 2 :, : w // 2] = BLUE, GREEN, RED
        return np.ascontiguousarray(np.rot90(upright, -degrees // 90))

    path = make_clip("turned.mp4", picture=turned, options=LOSSLESS, prepare=lambda s: s.set_display_rotation(degrees))
    pixels = read(path)[0].pixels
    assert pixels.shape[:2] == ((48, 64) if degrees % 180 == 0 else (64, 48))
    assert_upright(pixels)


def test_a_clip_mirrored_by_its_metadata_is_mirrored(make_clip: Any) -> None:
    path = make_clip("selfie.mp4", options=LOSSLESS, prepare=lambda s: s.set_display_rotation(0, hflip=True))
    assert_upright(np.ascontiguousarray(read(path)[0].pixels[:, ::-1]))


def test_pixels_that_are_not_square_are_made_so(make_clip: Any) -> None:
    def wide(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    path = make_clip("pal.mkv", size=(60, 48), options=LOSSLESS, prepare=wide)
    assert read(path)[0].pixels.shape == (48, 80, 3)


def test_interlaced_fields_are_woven_without_combs(make_clip: Any) -> None:
    def moving(index: int, width: int, height: int) -> Pixels:
        picture = np.full((height, width, 3), 30, np.uint8)
        for field in (0, 1):
            x = 8 + 6 * (2 * index + field)
            picture[field::2, x : x + 24] = 220
        return picture

    def interlace(stream: Any) -> None:
        stream.codec_context.time_base = Fraction(1, 25)
        stream.codec_context.framerate = 25
        stream.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me

    path = make_clip(
        "tv.mkv", codec="mpeg2video", size=(160, 96), options={"b": "20M"}, picture=moving, prepare=interlace
    )
    with av.open(str(path)) as container:
        woven = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    pictures = read(path)
    assert [p.pts_ns // 1_000_000 for p in pictures] == list(range(0, 400, 40))

    def combing(grey: Any) -> float:
        lines = grey.astype(int)[8:-8]
        return float(np.abs(2 * lines[1:-1] - lines[:-2] - lines[2:]).mean())

    middle = slice(2, -2)
    before = np.mean([combing(w) for w in woven[middle]])
    after = np.mean([combing(p.pixels[..., 1]) for p in pictures[middle]])
    assert after < before / 4


def test_damaged_pictures_are_left_out_and_counted(make_clip: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = make_clip("hurt.mov", codec="png", pixel_format="rgb24", times_ms=range(0, 400, 40))
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][4]
        middle = bytes(packet)[40:80]
    content = path.read_bytes()
    at = content.index(middle, content.index(bytes(packet)[:40]))
    path.write_bytes(content[:at] + b"\xff" * 40 + content[at + 40 :])
    source = open_source(Camera(source=str(path)))
    with caplog.at_level(logging.WARNING):
        pictures = list(source)
    assert source.skipped + len(pictures) == 10
    assert source.skipped >= 1
    assert f"{path}: {source.skipped} damaged pictures skipped" in caplog.text


def test_a_file_cut_short_plays_as_far_as_it_goes_and_says_so(make_clip: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = make_clip("cut.mp4", times_ms=range(0, 4000, 40), picture=noise, container_options={"movflags": "faststart"})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING):
        pictures = read(path)
    assert 30 < len(pictures) < 70
    assert [p.pts_ns // 1_000_000 for p in pictures] == list(range(0, 40 * len(pictures), 40))
    assert "is truncated" in caplog.text
    assert "of 100 pictures are there" in caplog.text


def noise(index: int, width: int, height: int) -> Pixels:
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)


def empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def garbage(folder: Path) -> Path:
    (folder / "garbage.mp4").write_bytes(bytes(range(256)) * 40)
    return folder / "garbage.mp4"


def sound_only(folder: Path) -> Path:
    path = folder / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    return path


def headless(folder: Path) -> Path:
    """An MP4 whose index never came, as an aborted download leaves it."""
    path = folder / "aborted.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264")
        stream.width, stream.height = 64, 48
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"moov") - 4])
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "none.mp4", "there is no file"),
        (empty, "is empty"),
        (garbage, "cannot be read as a video"),
        (sound_only, "holds no video"),
        (headless, "cannot be read as a video"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_that_names_the_file(
    tmp_path: Path, make: Callable[[Path], Path], says: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(SourceError, match=says) as raised:
        read(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_video_without_a_picture_is_refused(make_clip: Any) -> None:
    path = make_clip("none.mov", times_ms=(0, 40), codec="png", pixel_format="rgb24")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\x89PNG", b"\x00\x00\x00\x00"))
    with pytest.raises(SourceError, match="holds no picture that can be decoded"):
        read(path)


def test_an_absurd_size_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "bomb.y4m"
    path.write_bytes(b"YUV4MPEG2 W12000 H12000 F25:1 C420\nFRAME\n" + bytes(1000))
    with pytest.raises(SourceError, match="12000x12000; at most 64000000 pixels"):
        read(path)


def test_closing_ends_the_pictures(make_clip: Any) -> None:
    source = open_source(Camera(source=str(make_clip("clip.mkv"))))
    pictures = iter(source)
    next(pictures)
    source.close()
    source.close()
    assert list(pictures) == []


def test_closing_from_another_thread_is_safe(make_clip: Any) -> None:
    path = make_clip("long.mkv", times_ms=range(0, 20_000, 20))
    for _ in range(20):
        source = open_source(Camera(source=str(path)))
        begun = threading.Event()

        def close(source: Any = source, begun: threading.Event = begun) -> None:
            begun.wait()
            source.close()

        closer = threading.Thread(target=close)
        closer.start()
        for count, _picture in enumerate(source):
            if count == 5:
                begun.set()
        closer.join()
        assert count < 999
