"""Photos and folders of them: order, orientation, odd ones and broken ones."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.message import Picture, Pixels
from stream.settings.config import Camera
from stream.sources import SourceError, open_source
from stream.sources.images import natural_order

BLUE, GREEN, RED = (200, 60, 40), (60, 180, 60), (40, 60, 200)


def photo(width: int = 64, height: int = 48) -> Pixels:
    picture = np.full((height, width, 3), 128, np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = BLUE, GREEN
    picture[height // 2 :, : width // 2] = RED
    return picture


def save(path: Path, picture: Pixels) -> Path:
    assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 98])
    return path


def read(path: Path, rate_hz: float | None = None) -> list[Picture]:
    source = open_source(Camera(source=str(path), rate_hz=rate_hz))
    assert source.mode == "file"
    return list(source)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".webp", ".jpg", ".JPEG"])
def test_a_photo_is_one_picture_in_its_own_colours(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"photo{suffix}", photo())
    [picture] = read(path)
    assert picture.pts_ns == 0
    patches = picture.pixels[6:18, 8:24], picture.pixels[6:18, 40:56], picture.pixels[30:42, 8:24]
    for patch, colour in zip(patches, (BLUE, GREEN, RED), strict=True):
        assert np.abs(patch.reshape(-1, 3).mean(axis=0) - colour).max() <= 3


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (3, 300)])
def test_odd_sizes_stay(tmp_path: Path, size: tuple[int, int]) -> None:
    for suffix in (".png", ".jpg"):
        assert read(save(tmp_path / f"odd{suffix}", photo(*size)))[0].pixels.shape == (size[1], size[0], 3)


def test_grey_deep_and_transparent_photos_become_bgr(tmp_path: Path) -> None:
    grey = np.full((20, 20), 77, np.uint8)
    assert np.abs(read(save(tmp_path / "grey.png", grey))[0].pixels.astype(int) - 77).max() <= 1
    deep = photo().astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    assert np.abs(read(tmp_path / "deep.png")[0].pixels.astype(int) - photo()).max() <= 1
    clear = np.dstack((photo(), np.zeros((48, 64), np.uint8)))
    assert np.array_equal(read(save(tmp_path / "clear.png", clear))[0].pixels, photo())


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_stands_as_its_exif_orientation_asks(tmp_path: Path, orientation: int) -> None:
    stored = photo()
    for value, turn in {
        2: lambda p: cv2.flip(p, 1),
        3: lambda p: cv2.rotate(p, cv2.ROTATE_180),
        4: lambda p: cv2.flip(p, 0),
        5: cv2.transpose,
        6: lambda p: cv2.rotate(p, cv2.ROTATE_90_COUNTERCLOCKWISE),
        7: lambda p: cv2.flip(cv2.transpose(p), -1),
        8: lambda p: cv2.rotate(p, cv2.ROTATE_90_CLOCKWISE),
    }.items():
        if value == orientation:
            stored = turn(stored)
    encoded = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    path = tmp_path / "phone.jpg"
    path.write_bytes(with_exif_orientation(encoded, orientation))
    pixels = read(path)[0].pixels
    assert pixels.shape == (48, 64, 3)
    assert np.abs(pixels.astype(int) - photo())[4:20, 4:28].mean() < 2
    assert np.abs(pixels.astype(int) - photo()).mean() < 12


def test_a_folder_is_a_film_in_the_order_a_person_counts(tmp_path: Path) -> None:
    for number in (10, 9, 1, 100):
        save(tmp_path / f"Shot{number}.png", np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("not a photo")
    (tmp_path / ".hidden.png").write_bytes(b"not a photo either")
    source = open_source(Camera(source=str(tmp_path), rate_hz=10))
    assert (source.frames, source.rate_hz) == (4, 10)
    pictures = list(source)
    assert [int(p.pixels[0, 0, 0]) for p in pictures] == [1, 9, 10, 100]
    assert [p.pts_ns // 1_000_000 for p in pictures] == [0, 100, 200, 300]


def test_the_photos_of_a_folder_may_differ_in_size(tmp_path: Path) -> None:
    save(tmp_path / "a.png", photo(64, 48))
    save(tmp_path / "b.png", photo(31, 99))
    assert [p.pixels.shape[:2] for p in read(tmp_path)] == [(48, 64), (99, 31)]


def test_a_name_that_ffmpeg_would_take_for_a_pattern_is_still_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "100%d"
    folder.mkdir()
    save(folder / "a b é.png", photo())
    assert len(read(folder)) == 1


def test_an_unreadable_photo_is_named_when_its_turn_comes(tmp_path: Path) -> None:
    save(tmp_path / "1.png", photo())
    (tmp_path / "2.png").write_bytes(b"this is no photo")
    pictures = iter(open_source(Camera(source=str(tmp_path))))
    next(pictures)
    with pytest.raises(SourceError, match=r"2\.png cannot be read as a photo"):
        next(pictures)


def test_half_a_photo_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (99, 99, 3), dtype=np.uint8)
    for suffix in (".jpg", ".png"):
        path = save(tmp_path / f"half{suffix}", noise)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(SourceError, match=f"half{suffix} cannot be read as a photo"):
            read(path)


def test_a_photo_of_absurd_size_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(SourceError, match=r"bomb\.png"):
        read(path)


def test_a_folder_without_photos_and_a_missing_photo_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no photo in the folder"):
        read(tmp_path)
    with pytest.raises(SourceError, match="there is no file"):
        read(tmp_path / "none.jpg")


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_numbers_in_names_are_ordered_by_value(numbers: list[int]) -> None:
    paths = sorted((Path(f"img{n}.png") for n in numbers), key=natural_order)
    assert [p.name for p in paths] == [f"img{n}.png" for n in sorted(numbers)]


@given(st.lists(st.text("ab01²٣ .-", min_size=1), min_size=2))
def test_any_names_can_be_ordered(names: list[str]) -> None:
    sorted((Path(name) for name in names), key=natural_order)
