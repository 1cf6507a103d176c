"""Pictures that are small to send and large to open: PNG and JPEG, made without being large here."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

_SOF, _SOS, _EOI = b"\xff\xc0", b"\xff\xda", b"\xff\xd9"
_ROWS = 64


def png(width_px: int, height_px: int, bits: int = 8) -> bytes:
    """A black PNG (RGBA) of that size, with so many bits for each channel."""
    row = bytes(1 + width_px * 4 * bits // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row * min(_ROWS, height_px - y)) for y in range(0, height_px, _ROWS))
    header = struct.pack(">IIBBBBB", width_px, height_px, bits, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed + packer.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def jpeg(width_px: int, height_px: int, *, fill_bytes: int = 0) -> bytes:
    """A grey JPEG that says it is of that size and holds nothing more; `fill_bytes` before the marker that says so."""
    small = _encoded(np.full((16, 16, 3), 128, np.uint8))
    at = small.index(_SOF)
    size = struct.pack(">HH", height_px, width_px)
    return small[:at] + b"\xff" * fill_bytes + small[at : at + 5] + size + small[at + 9 :]


def jpeg_of_scans(side_px: int, scans: int) -> bytes:
    """A JPEG whose last scan comes so many times over: each is decoded over the whole picture."""
    noise = np.random.default_rng(0).integers(0, 255, (side_px // 16, side_px // 16, 3), np.uint8)
    whole = _encoded(cv2.resize(noise, (side_px, side_px)), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    last, end = whole.rindex(_SOS), whole.rindex(_EOI)
    return whole[:last] + whole[last:end] * scans + whole[end:]


def _encoded(picture: cv2.typing.MatLike, options: tuple[int, ...] = ()) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, options)[1].tobytes())
