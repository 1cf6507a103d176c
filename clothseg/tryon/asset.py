"""Reads the pictures that effects show: PNG or JPEG, sizes bounded before memory is taken."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.image_header import MAX_SCANS, read_image_header
from clothseg.regular import open_regular

MAX_FILE_BYTES = 64 * 2**20
MAX_AREA_PX = 50_000_000


class EffectError(ValueError):
    """An effect cannot be opened; the text is one sentence: what was expected, what came, what to do."""


def read_picture(path: Path, longest_px: int) -> NDArray[np.uint8]:
    """The picture at `path` as (H, W, 4) uint8 BGRA, made smaller until no side is over `longest_px`.

    Raises EffectError if it is missing, too large, damaged, or neither PNG nor JPEG.
    """
    try:
        with open_regular(path) as file:
            if (size_bytes := path.stat().st_size) > MAX_FILE_BYTES:
                raise EffectError(f"{path} has {size_bytes} bytes, expected at most {MAX_FILE_BYTES}: make it smaller")
            content = file.read(MAX_FILE_BYTES + 1)  # the stated length of a file is not always true
    except OSError as error:
        raise EffectError(f"cannot read the picture {path}: {error.strerror}") from error
    return decode_picture(content, str(path), longest_px, MAX_AREA_PX)


def decode_picture(content: bytes, name: str, longest_px: int, max_px: int) -> NDArray[np.uint8]:
    """The picture in a file's `content`, of at most `max_px` pixels, as `read_picture` gives it.

    Raises EffectError, which calls it `name`.
    """
    if len(content) > MAX_FILE_BYTES:
        raise EffectError(f"{name} has over {MAX_FILE_BYTES} bytes, expected at most so many: make it smaller")
    header = read_image_header(content)
    if header is None:
        raise EffectError(f"{name} is neither a PNG nor a JPEG picture: convert it to one of them")
    if header.width * header.height * max(header.bits, 8) > 8 * max_px:
        raise EffectError(
            f"{name} is {header.width}×{header.height}, expected at most {max_px} pixels of 8 bits: make it smaller"
        )
    if header.scans > MAX_SCANS:
        raise EffectError(f"{name} is a JPEG of over {MAX_SCANS} scans: save it anew")
    # only JPEG has an orientation worth applying, and only PNG an alpha worth keeping
    flags = cv2.IMREAD_COLOR if header.kind == "jpeg" else cv2.IMREAD_UNCHANGED
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        picture = None
    if picture is None:
        raise EffectError(f"{name} is damaged, its pixels cannot be decoded: save it anew")
    return _shrink(_bgra(picture), longest_px)


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
