"""Inputs that people have reported of other programs, each read as is right."""

from __future__ import annotations

import gc
import shutil
import struct
import subprocess
import sys
import zlib
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stream.message import Picture
from stream.settings.config import Camera
from stream.sources import SourceError, open_source
from stream.sources.photo import bare_jpeg, bare_png
from tests.cases import CASES
from tests.conftest import MakeClip


def read(path: Path | str) -> list[Picture]:
    return list(open_source(Camera(source=str(path))))


def gaps_ms(pictures: list[Picture]) -> set[int]:
    return {round((later.pts_ns - earlier.pts_ns) / 1e6) for earlier, later in pairwise(pictures)}


def test_times_are_even_where_the_container_knows_only_the_order_of_decoding() -> None:
    pictures = read(CASES / "bframes.avi")
    assert len(pictures) == 60
    assert gaps_ms(pictures) == {33}


def test_a_pixel_shape_that_changes_in_mid_stream_is_followed_from_that_picture_on() -> None:
    shapes = [picture.pixels.shape for picture in read(CASES / "sarchange.ts")]
    assert shapes == [(180, 320, 3)] * 30 + [(180, 640, 3)] * 30


def test_motion_jpeg_that_was_cut_short_is_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    source = open_source(Camera(source=str(CASES / "mjcut.avi")))
    pictures = list(source)
    assert len(pictures) == 16
    assert source.skipped == 4
    assert all(np.abs(later.pixels - earlier.pixels).max() > 0 for earlier, later in pairwise(pictures))
    assert "4 damaged pictures skipped" in caplog.text


def test_print_density_is_not_the_shape_of_pixels() -> None:
    assert read(CASES / "dpi.jpg")[0].pixels.shape == (240, 320, 3)


@pytest.mark.parametrize("name", ["badexif.png", "badiccp.png"])
def test_what_is_broken_beside_the_picture_does_not_hide_it(name: str) -> None:
    pixels = read(CASES / name)[0].pixels
    expected = cv2.imread(str(CASES / name), cv2.IMREAD_COLOR)
    assert expected is not None
    assert np.array_equal(pixels, expected)


def test_a_photo_made_of_tiles_is_refused_by_name() -> None:
    with pytest.raises(SourceError, match=r"grid\.avif is made of 4 tiles"):
        read(CASES / "grid.avif")


READ_MANY = """
import gc, sys
from stream.settings.config import Camera
from stream.sources import open_source
count = sum(1 for _ in open_source(Camera(source=sys.argv[1])))
gc.collect()
print(count)
"""


def test_photos_with_a_colour_profile_do_not_end_the_process(tmp_path: Path) -> None:
    for number in range(150):
        shutil.copyfile(CASES / "png-icc.png", tmp_path / f"{number}.png")
    ended = subprocess.run([sys.executable, "-c", READ_MANY, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ended.stdout == "150\n"


def test_pictures_that_are_all_key_frames_leave_nothing_to_the_garbage_collector(make_clip: MakeClip) -> None:
    path = make_clip("intra.mkv", options={"g": "1"}, times_ms=range(0, 4000, 40))
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        assert sum(1 for _ in open_source(Camera(source=str(path)))) == 100
        left = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert left < 100


def test_a_folder_takes_names_that_look_like_patterns() -> None:
    assert len(read(CASES / "folder")) == 2


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_what_stands_beside_a_picture_can_be_taken_away() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    png, jpeg = (cv2.imencode(ending, photo)[1].tobytes() for ending in (".png", ".jpg"))
    more = png[:33] + chunk(b"tEXt", b"a\0b") + chunk(b"eXIf", b"II*\0") + png[33:]
    assert bare_png(more, exif=False) == png
    assert bare_png(more, exif=True) == png[:33] + chunk(b"eXIf", b"II*\0") + png[33:]
    exif = segment(0xE1, b"Exif\0\0II*\0")
    assert bare_jpeg(jpeg[:2] + segment(0xFE, b"words") + exif + jpeg[2:], exif=False) == jpeg
    assert (
        bare_jpeg(jpeg[:2] + segment(0xE2, b"ICC_PROFILE\0") + exif + jpeg[2:], exif=True) == jpeg[:2] + exif + jpeg[2:]
    )


@given(st.binary(max_size=200))
def test_nor_does_any_content_stop_that(content: bytes) -> None:
    for bare in (bare_png, bare_jpeg):
        assert len(bare(content, exif=True)) <= len(content)
        assert len(bare(content, exif=False)) <= len(content)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=30).filter(
    lambda name: name.strip(".") and len(name.encode()) < 200
)


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    picture = np.full((16, 16, 3), 90, np.uint8)
    return {
        "": (CASES / "bframes.avi").read_bytes(),
        ".mp4": (CASES / "bad-aac-packet.mp4").read_bytes(),
        ".png": cv2.imencode(".png", picture)[1].tobytes(),
        ".jpg": cv2.imencode(".jpg", picture)[1].tobytes(),
    }


@given(NAMES, st.sampled_from(["", ".mp4", ".png", ".jpg"]))
@example("rec-10:30", ".mp4")
@example("2024-01-02T10:11:12", ".mp4")
@example("50% off", ".jpg")
@example("shot%03d", ".png")
@example("camera:0", "")
@example("pipe:0", "")
@example("-", "")
@example("rtsp:", "")
@example("data:text", ".mp4")
@example("concat:a|b", ".mp4")
@example("synthetic:", "")
@example("a*b?c[d]{e}", ".png")
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_source_name_that_exists_opens_as_a_file(
    contents: dict[str, bytes], tmp_path: Path, name: str, ending: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        path = Path(f"{name}{ending}")
        path.write_bytes(contents[ending])
        try:
            for address in (str(path), str(path.absolute())):
                source = open_source(Camera(source=address))
                assert source.mode == "file"
                assert next(iter(source)).pixels.shape[2] == 3
                source.close()
        finally:
            path.unlink()


def test_a_name_in_latin_1_opens_and_is_told_readably(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.png"
    path.write_bytes((CASES / "png-icc.png").read_bytes())
    source = open_source(Camera(source=str(path)))
    assert source.address == f"{tmp_path}/caf\\xe9.png"
    assert len(list(source)) == len(read(tmp_path)) == 1
    with pytest.raises(SourceError, match=r"caf\\xe8\.mp4"):
        read(tmp_path / "caf\udce8.mp4")
