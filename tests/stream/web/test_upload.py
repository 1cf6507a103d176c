"""Visitors' photos: what is dangerous is refused by its header, the rest is read away from everybody else."""

from __future__ import annotations

import asyncio
import resource
import struct
import time
import zlib

import cv2
import numpy as np
import pytest

from stream.web.photo import PhotoError
from stream.web.upload import MAX_PX, PhotoProcessor, check, process_photo
from tests.running import ROOT

HOODIE = (ROOT / "configs/garments/hoodie.png").read_bytes()


def png(height: int, width: int, bits: int = 8) -> bytes:
    """A grey PNG of zeros: the larger, the smaller a share of it is the file."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    pixels = zlib.compress(bytes((1 + width * bits // 8) * height), 9)
    head = struct.pack(">II5B", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def scans(count: int) -> bytes:
    """A progressive JPEG that says the same over and over."""
    picture = np.zeros((256, 256, 3), np.uint8)
    whole = bytes(cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))[1].tobytes())
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * count + whole[-2:]


@pytest.mark.parametrize(
    ("photo", "cause"),
    [
        (png(5000, 5000), "pixels"),
        (png(400, 400, 16), "8 bits"),
        (scans(5000), "scans"),
        (b"GIF89a", "neither PNG nor JPEG"),
        (b"", "neither PNG nor JPEG"),
        (HOODIE + bytes(3_000_000), "bytes"),
    ],
)
def test_what_would_cost_much_is_refused_by_its_header(photo: bytes, cause: str) -> None:
    begun_s = time.monotonic()
    with pytest.raises(PhotoError, match=cause):
        check(photo)
    assert time.monotonic() - begun_s < 0.5


def test_a_photo_comes_back_small_and_of_8_bits() -> None:
    made = cv2.imdecode(np.frombuffer(process_photo(png(3000, 4000), "background"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert made.shape == (1440, 1920, 3)
    garment = cv2.imdecode(np.frombuffer(process_photo(HOODIE, "top"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert garment.shape[2] == 4
    assert garment.dtype == np.uint8


def test_the_largest_photo_takes_no_memory_here() -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    async def send() -> bytes:
        return await PhotoProcessor().process(png(4000, MAX_PX // 4000), "background")

    assert asyncio.run(send())[:4] == b"\x89PNG"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 20_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(largest_kib, 500_000)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)])
def test_a_photo_too_small_to_show_anything_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(PhotoError, match="at least 16 pixels a side"):
        check(bytes(cv2.imencode(".png", np.full((*shape, 4), 200, np.uint8))[1].tobytes()))


def test_an_odd_photo_is_refused_in_a_sentence_without_paths() -> None:
    stripes = np.zeros((64, 64, 4), np.uint8)
    stripes[::4] = 255
    with pytest.raises(PhotoError, match="the photo shows no garment") as refused:
        asyncio.run(PhotoProcessor().process(bytes(cv2.imencode(".png", stripes)[1].tobytes()), "top"))
    assert "/" not in str(refused.value)


def test_a_photo_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(PhotoError, match="takes too long"):
        asyncio.run(PhotoProcessor(deadline_s=0.001).process(HOODIE, "top"))
