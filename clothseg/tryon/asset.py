"""Reads the pictures that effects show: PNG or JPEG, sizes bounded before memory is taken."""

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_FILE_BYTES = 64 * 2**20
MAX_AREA_PX = 50_000_000


class EffectError(ValueError):
    """An effect cannot be opened; the text is one sentence: what was expected, what came, what to do."""


def read_picture(path: Path, longest_px: int) -> NDArray[np.uint8]:
    """The picture at `path` as (H, W, 4) uint8 BGRA, made smaller until no side is over `longest_px`.

    Raises EffectError if it is missing, too large, damaged, or neither PNG nor JPEG.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_FILE_BYTES:
            raise EffectError(f"{path} has {size_bytes} bytes, expected at most {MAX_FILE_BYTES}: make it smaller")
        content = path.read_bytes()
    except OSError as error:
        raise EffectError(f"cannot read the picture {path}: {error.strerror}") from error
    size = _size_px(content)
    if size is None:
        raise EffectError(f"{path} is neither a PNG nor a JPEG picture: convert it to one of them")
    if size[0] * size[1] > MAX_AREA_PX:
        raise EffectError(f"{path} is {size[0]}×{size[1]}, expected at most {MAX_AREA_PX} pixels: make it smaller")
    # only JPEG carries an orientation worth obeying, and only PNG an alpha worth keeping
    flags = cv2.IMREAD_COLOR if content[:2] == _JPEG else cv2.IMREAD_UNCHANGED
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if picture is None:
        raise EffectError(f"{path} is damaged, its pixels cannot be decoded: save it anew")
    return _shrink(_bgra(picture), longest_px)


_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG\r\n\x1a\n"


def _size_px(content: bytes) -> tuple[int, int] | None:
    """Width and height as the header of a PNG or JPEG file says, before anything is decoded."""
    if content[:8] == _PNG and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if content[:2] != _JPEG:
        return None
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame carries the size
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


def _bgra(picture: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Any of PNG's layouts as (H, W, 4) uint8 BGRA."""
    eight = np.asarray(picture >> 8, np.uint8) if picture.dtype == np.uint16 else np.asarray(picture, np.uint8)
    if eight.ndim == 2:
        return np.asarray(cv2.cvtColor(eight, cv2.COLOR_GRAY2BGRA), np.uint8)
    return eight if eight.shape[2] == 4 else np.asarray(cv2.cvtColor(eight, cv2.COLOR_BGR2BGRA), np.uint8)


def _shrink(picture: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    """`picture` scaled down, its aspect kept, until no side is over `longest_px`."""
    height, width = picture.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return picture
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
