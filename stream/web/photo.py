"""Pictures from a page and to it: JPEG and PNG, their size looked at before anything is decoded."""

from __future__ import annotations

import cv2
import numpy as np

from clothseg.image_header import MAX_SCANS, read_image_header
from stream.message import Pixels

_QUALITY = 82


class PhotoError(ValueError):
    """Bytes that are no supported picture; the text says what was expected."""


def from_jpeg(data: bytes, max_px: int) -> Pixels:
    """The picture (H, W, 3) uint8 BGR in a JPEG of at most `max_px` pixels; raises PhotoError."""
    header = read_image_header(data)
    if header is None or header.kind != "jpeg" or header.bits != 8 or header.scans > MAX_SCANS:
        raise PhotoError("expected a JPEG picture")
    height, width = header.height, header.width
    if not min(height, width) >= 32 or height * width > max_px:
        raise PhotoError(f"expected a picture of at most {max_px} pixels, got {width}x{height}")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[:2] != (height, width):
        raise PhotoError("expected a whole JPEG picture")
    return np.asarray(pixels, np.uint8)


def to_jpeg(picture: Pixels) -> bytes:
    """A picture (H, W, 3) as JPEG, fine enough to look at and quick: 2 ms at 640×480."""
    return bytes(cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1].tobytes())


def to_png(picture: Pixels) -> bytes:
    """A picture (H, W, 3 or 4) as PNG."""
    return bytes(cv2.imencode(".png", picture)[1].tobytes())


def snapshot_cutout(composite: Pixels, alpha: Pixels) -> Pixels:
    """The dressed person alone: (H, W, 4) uint8 BGRA, straight alpha.

    `composite` (H, W, 3) has the background blended into its soft edges; there the colour of the nearest pixel that is
    the person's alone is taken instead, so that no fringe of the old background is cut out with it.
    """
    soft = np.asarray(alpha < _SOLID, np.uint8)
    if soft.all():
        return np.dstack((composite, alpha))
    _, labels = cv2.distanceTransformWithLabels(soft, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(soft == 0)
    nearest = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    nearest[labels[rows, columns]] = composite[rows, columns]
    return np.dstack((nearest[labels], alpha))


_SOLID = 250
