from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.message import Pixels
from stream.transport import codec
from stream.transport.codec import CodecError, Encoding

SHAPES = [(5, 7), (5, 7, 3), (5, 7, 4), (1, 1), (33, 17, 4)]


def noise(shape: tuple[int, ...]) -> Pixels:
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("encoding", ["raw", "lz4", "png"])
@pytest.mark.parametrize("shape", SHAPES)
def test_comes_back_as_it_was(encoding: Encoding, shape: tuple[int, ...]) -> None:
    pixels = noise(shape)
    assert np.array_equal(codec.decode(codec.encode(pixels, encoding), encoding, shape), pixels)


def test_jpeg_comes_back_nearly_as_it_was() -> None:
    pixels = cv2.GaussianBlur(noise((64, 48, 3)), (0, 0), 4)
    back = codec.decode(codec.encode(pixels, "jpeg"), "jpeg", pixels.shape)
    assert np.abs(back.astype(int) - pixels).mean() < 2


def test_a_part_of_a_picture_is_encoded_alone() -> None:
    pixels = noise((20, 30, 4))
    box = pixels[5:15, 10:20]
    assert np.array_equal(codec.decode(codec.encode(box, "raw"), "raw", box.shape), box)


@pytest.mark.parametrize("encoding", ["raw", "lz4", "png", "jpeg"])
def test_another_size_than_was_said_is_refused(encoding: Encoding) -> None:
    coded = codec.encode(noise((16, 16, 3)), encoding)
    for shape in [(16, 15, 3), (16, 17, 3), (8, 8, 3), (16, 16)]:
        with pytest.raises(CodecError, match="expected"):
            codec.decode(coded, encoding, shape)


@pytest.mark.parametrize("encoding", ["raw", "lz4", "png", "jpeg"])
@given(data=st.binary(max_size=200))
def test_garbage_is_refused(encoding: Encoding, data: bytes) -> None:
    with pytest.raises(CodecError, match="expected"):
        codec.decode(data, encoding, (16, 16, 3))


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_a_file_cut_short_or_damaged_is_refused_or_has_the_size_it_should(encoding: Encoding) -> None:
    coded = bytes(codec.encode(noise((16, 16, 3)), encoding))
    for end in range(0, len(coded), 7):
        damaged = coded[:end] + b"\xff" + coded[end + 1 :]
        for data in (coded[:end], damaged):
            try:
                assert codec.decode(data, encoding, (16, 16, 3)).shape == (16, 16, 3)
            except CodecError:
                continue


def test_a_huge_picture_in_a_small_file_is_refused_before_it_is_decoded() -> None:
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    with pytest.raises(CodecError, match=r"got \(60000, 60000\)"):
        codec.decode(header, "png", (16, 16, 3))


@pytest.mark.parametrize(
    ("encoding", "module", "packages"),
    [("raw", "cv2", ()), ("lz4", "lz4", ("lz4",)), ("png", "cv2", ("opencv-python",)), ("jpeg", "lz4", ("lz4",))],
)
def test_what_an_encoding_lacks_is_named(encoding: Encoding, module: str, packages: tuple[str, ...]) -> None:
    """In a process of its own, where `module` is not found."""
    program = (
        f"import sys; from importlib.machinery import PathFinder; found = PathFinder.find_spec\n"
        f"PathFinder.find_spec = lambda name, *rest: None if name == {module!r} else found(name, *rest)\n"
        f"from stream.transport import codec; print(*codec.missing({encoding!r}))"
    )
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert tuple(made.stdout.split()) == packages


def test_what_cannot_be_unpacked_here_is_refused_as_bytes_that_were_not_asked_for() -> None:
    program = (
        "import sys; sys.modules['cv2'] = None\n"
        "from stream.transport import codec\n"
        "try: codec.decode(b'any', 'png', (1, 1))\n"
        "except codec.CodecError as refusal: print(refusal)"
    )
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert made.stdout == "expected what was asked for, got png, which needs cv2\n"
