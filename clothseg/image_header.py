"""Headers of JPEG and PNG files: the picture's size and type, before memory is taken for it.

The parser is stricter than any decoder: where it finds a size, a decoder finds the same one, or rejects the file.
"""

import re
from typing import Final, Literal, NamedTuple

MAX_SCANS: Final = 40
"""Scans of a JPEG that are worth decoding: a progressive one has about ten, and each costs a pass over the picture."""

_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
_MARKER: Final = re.compile(
    rb"\xff+([^\x00\xff])", re.DOTALL
)  # any number of fill bytes before the code (T.81, B.1.1.2)
_FRAMES: Final = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive: Huffman coded, one of them a file
_TABLES: Final = (0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0))  # what may stand before the frame: tables, notes
_MAX_SEGMENTS: Final = 1000


class ImageHeader(NamedTuple):
    """Size in pixels, bits a channel, and how many scans there may be at most (1 for PNG)."""

    kind: Literal["jpeg", "png"]
    height: int
    width: int
    bits: int
    scans: int = 1


def read_image_header(data: bytes | memoryview) -> ImageHeader | None:
    """The header of the JPEG (ITU-T T.81, annex B) or PNG (11.2.2) file in `data`; None for anything else."""
    content = bytes(data)
    return _jpeg(content) if content.startswith(_JPEG) else _png(content)


def _png(data: bytes) -> ImageHeader | None:
    if not data.startswith(_PNG) or len(data) < 29 or data.count(b"IHDR") > 1:
        return None
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return ImageHeader("png", height, width, data[24]) if width and height else None


def _jpeg(data: bytes) -> ImageHeader | None:
    at = 2
    for _ in range(_MAX_SEGMENTS):
        marker = _MARKER.match(data, at)
        if marker is None:
            return None
        code, at = marker[1][0], marker.end()
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            return None
        if code in _FRAMES:
            return _frame(data[at : at + length], data.count(b"\xff\xda"))
        if code not in _TABLES:
            return None
        at += length
    return None


def _frame(segment: bytes, scans: int) -> ImageHeader | None:
    """The header in a start of frame, its length first. `scans` counts every "start of scan" in the file's bytes.

    That is never too few: within a scan's data 0xFF is followed by 0, a thumbnail only adds its own.
    """
    if len(segment) < 8 or len(segment) != 8 + 3 * segment[7]:
        return None
    height, width = int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[5:7], "big")
    return ImageHeader("jpeg", height, width, segment[2], scans) if width and height else None
