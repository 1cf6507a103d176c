"""What a header says is what a decoder finds, however the file was made or mended."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clothseg.image_header import ImageHeader, read_image_header

SIDES = st.integers(1, 70)


def coded(ending: str, height: int, width: int, channels: int = 3, *options: int) -> bytes:
    picture = np.random.default_rng(height).integers(0, 256, (height, width, channels), np.uint8)
    return bytes(cv2.imencode(ending, picture, options)[1].tobytes())


def segments(jpeg: bytes) -> tuple[list[bytes], bytes]:
    """The segments of a JPEG up to its first scan, each with its marker, and the rest."""
    found, at = [], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        found.append(jpeg[at:end])
        at = end
    return found, jpeg[at:]


def decoded(data: bytes) -> tuple[int, int] | None:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if pixels is None else pixels.shape[:2]


NOTES = st.sampled_from([b"", b"\xff\xfe\x00\x04hi", b"\xff\xe0\x00\x07\xff\xc0\x00\x00\x00", b"\xff\xee\x00\x02"])


@settings(max_examples=150, deadline=None)
@given(SIDES, SIDES, st.sampled_from([1, 3]), st.booleans(), st.lists(st.tuples(NOTES, st.integers(0, 5)), max_size=8))
def test_the_size_a_jpeg_says_is_the_size_decoded_with_notes_and_fill_bytes(
    height: int, width: int, channels: int, progressive: bool, between: list[tuple[bytes, int]]
) -> None:
    parts, rest = segments(coded(".jpg", height, width, channels, cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)))
    parts = [part for index, part in enumerate(parts) for part in (note(between, index), part)]
    data = b"\xff\xd8" + b"".join(parts) + rest
    said = read_image_header(data)
    assert said is not None
    assert (said.height, said.width) == decoded(data) == (height, width)
    assert (said.kind, said.bits) == ("jpeg", 8)


def note(between: list[tuple[bytes, int]], index: int) -> bytes:
    """What stands before the segment of that number: a note, then fill bytes before the next marker."""
    if index >= len(between):
        return b""
    text, fill = between[index]
    return text + b"\xff" * fill


@settings(max_examples=100, deadline=None)
@given(SIDES, SIDES, st.sampled_from([1, 3, 4]), st.booleans())
def test_the_size_a_png_says_is_the_size_decoded(height: int, width: int, channels: int, deep: bool) -> None:
    picture = np.zeros((height, width, channels), np.uint16 if deep else np.uint8)
    data = bytes(cv2.imencode(".png", picture)[1].tobytes())
    assert read_image_header(data) == ImageHeader("png", height, width, 16 if deep else 8)
    assert decoded(data) == (height, width)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([".jpg", ".png"]), st.data())
def test_whatever_is_done_to_a_file_a_decoder_finds_no_other_size_than_the_header_says(
    ending: str, data: st.DataObject
) -> None:
    whole = coded(ending, 24, 40)
    at = data.draw(st.integers(0, 200), label="at")
    inserted = data.draw(st.one_of(st.binary(max_size=12), st.sampled_from(SPLICES)), label="inserted")
    removed = data.draw(st.integers(0, 6), label="removed")
    changed = whole[:at] + inserted + whole[at + removed :]
    said, found = read_image_header(changed), decoded(changed)
    assert found is None or said is None or found == (said.height, said.width)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


SPLICES = [
    b"\xff\xc0\x00\x11\x08\x00\x50\x00\x60\x03\x01\x11\x00\x02\x11\x01\x03\x11\x01",  # a frame of another size
    b"\xff\xff\xc2\x00\x0b\x08\x00\x50\x00\x60\x01\x01\x11\x00",
    b"\xff\xd0", b"\xff\x01", b"\xff\xd8", b"\x00\x00", b"\xff\xdc\x00\x04\x00\x50",
    chunk(b"IHDR", struct.pack(">II5B", 96, 80, 8, 2, 0, 0, 0)),
    chunk(b"acTL", struct.pack(">II", 1, 0)),
    chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 96, 80, 0, 0, 1, 1, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize("splice", SPLICES)
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_second_header_never_makes_a_larger_picture_than_the_first(ending: str, splice: bytes) -> None:
    whole = coded(ending, 24, 40)
    for at in range(len(whole[:700])):
        changed = whole[:at] + splice + whole[at:]
        said, found = read_image_header(changed), decoded(changed)
        assert found is None or said is None or found == (said.height, said.width), at


def test_fill_bytes_hide_no_size() -> None:
    whole = coded(".jpg", 24, 40)
    at = whole.index(b"\xff\xc0")
    said = read_image_header(whole[:at] + b"\xff" * 9 + whole[at : at + 5] + b"\xff\xff\xff\xff" + whole[at + 9 :])
    assert said == ImageHeader("jpeg", 65535, 65535, 8)


def test_scans_are_counted() -> None:
    baseline = read_image_header(coded(".jpg", 24, 40))
    progressive = read_image_header(coded(".jpg", 24, 40, 3, cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    assert baseline is not None
    assert progressive is not None
    assert (baseline.scans, progressive.scans > 5) == (1, True)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8", b"\xff\xd8\xff", b"GIF89a", b"\xff\xd8\xff\xc0", b"\xff\xd8" + b"\xff\xfe\x00\x02" * 2000,
     b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"a\0b")],
)  # fmt: skip
def test_what_is_neither_has_no_header(data: bytes) -> None:
    assert read_image_header(data) is None
