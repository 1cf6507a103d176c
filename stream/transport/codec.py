"""Pixels ⇄ bytes: raw, JPEG, PNG or LZ4; sizes are checked before anything is unpacked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Final, Literal

import numpy as np

from clothseg.image_header import MAX_SCANS, read_image_header
from stream.message import Pixels

Buffer = bytes | memoryview
Encoding = Literal["raw", "jpeg", "png", "lz4"]
"""`raw`: rows of pixels as they lie in memory; `lz4`: the same as one LZ4 block; `jpeg`, `png`: such a file."""

_PACKAGES: Final[Mapping[Encoding, tuple[tuple[str, str], ...]]] = {
    "raw": (),
    "lz4": (("lz4", "lz4"),),
    "png": (("cv2", "opencv-python"),),
    "jpeg": (("cv2", "opencv-python"), ("lz4", "lz4")),
}
"""What each encoding needs, as module and package; beside JPEG masks travel as LZ4. A subscriber may have neither."""
_LZ4_MAX = 255  # bytes that one of a block can stand for (its format: lengths are sums of bytes of at most 255)
_JPEG_QUALITY = 90


class CodecError(ValueError):
    """Bytes that are not the pixels they claim to be."""


def missing(encoding: Encoding) -> tuple[str, ...]:
    """The packages that an encoding needs and that are not installed."""
    return tuple(package for module, package in _PACKAGES[encoding] if find_spec(module) is None)


def encode(pixels: Pixels, encoding: Encoding) -> Buffer:
    """The bytes of `pixels` (H, W), (H, W, 3) or (H, W, 4) uint8; raw shares their memory."""
    match encoding:
        case "raw":
            return np.ascontiguousarray(pixels).reshape(-1).data
        case "lz4":
            import lz4.block

            return bytes(lz4.block.compress(np.ascontiguousarray(pixels).reshape(-1).data, store_size=False))
        case "jpeg":
            import cv2

            return _imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
        case "png":
            return _imencode(".png", pixels, ())


def decode(buffer: Buffer, encoding: Encoding, shape: Sequence[int]) -> Pixels:
    """The pixels in `buffer`, which must be of `shape`; CodecError where they are not.

    The caller has bounded `shape`; no more memory is taken than it needs.
    """
    try:
        return _decode(buffer, encoding, shape)
    except ModuleNotFoundError as error:
        raise CodecError(f"expected what was asked for, got {encoding}, which needs {error.name}") from error


def _decode(buffer: Buffer, encoding: Encoding, shape: Sequence[int]) -> Pixels:
    size = math.prod(shape)
    match encoding:
        case "raw":
            data = buffer
        case "lz4":
            if size > _LZ4_MAX * memoryview(buffer).nbytes:  # known before memory is taken
                raise CodecError(f"expected an LZ4 block of {size} bytes, got {memoryview(buffer).nbytes} packed")
            import lz4.block

            try:
                data = lz4.block.decompress(buffer, uncompressed_size=size)
            except (lz4.block.LZ4BlockError, ValueError, OverflowError) as error:
                raise CodecError(f"expected an LZ4 block of {size} bytes") from error
        case "jpeg" | "png":
            return _imdecode(buffer, encoding, tuple(shape))
    if memoryview(data).nbytes != size:
        raise CodecError(f"expected {size} bytes for {tuple(shape)}, got {memoryview(data).nbytes}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _imencode(ending: str, pixels: Pixels, options: Sequence[int]) -> bytes:
    import cv2

    written, coded = cv2.imencode(ending, pixels, options)
    if not written:
        raise CodecError(f"expected a picture that {ending} can hold, got {pixels.shape}")
    return bytes(coded.tobytes())


def _imdecode(buffer: Buffer, encoding: Encoding, shape: tuple[int, ...]) -> Pixels:
    """The picture in a file whose own size is looked at before it is decoded."""
    import cv2

    view = memoryview(buffer)
    header = read_image_header(view)
    size = (header.height, header.width) if header is not None and header.kind == encoding else None
    if header is None or size != shape[:2] or header.bits != 8 or header.scans > MAX_SCANS:
        raise CodecError(f"expected a {encoding} of {shape}, 8 bits a channel, got {size}")
    try:
        pixels = cv2.imdecode(np.frombuffer(view, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise CodecError(f"expected a whole {encoding} ({error.err})") from error
    if pixels is None or pixels.dtype != np.uint8 or pixels.shape != shape:
        raise CodecError(f"expected a whole {encoding} of {shape}, 8 bits a channel")
    return np.asarray(pixels, np.uint8)
