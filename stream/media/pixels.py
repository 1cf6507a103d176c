"""From a decoded frame to what people see: BGR in the right colours, upright, with square pixels."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import cast

import cv2
import numpy as np
from av import VideoFrame
from av.buffer import Buffer
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from stream.message import Pixels

HD_HEIGHT_PX = 720
"""From here on a picture that does not name its matrix is BT.709, below BT.601, as players have it."""

FAST = Interpolation.BILINEAR
"""Within 3 of 255, chroma repeated: 2.7 ms for 720p, for video."""
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Within 1 of 255, chroma interpolated: 15 ms for 720p, for photos."""

_UNSPECIFIED = 2


class Converter:
    """Turns decoded frames of any pixel format into (H, W, 3) uint8 BGR; remembers the scaler between them.

    Colour matrix and range are those the frame names. Depths over 8 bits are rounded, grey becomes
    three equal channels, an alpha channel is dropped (what is under it stays as it was stored), and
    pixels that are not square are made so by stretching the width.
    """

    def __init__(self, pixel_aspect: Fraction | None, interpolation: Interpolation) -> None:
        """`pixel_aspect` is a pixel's width over its height; None or 0 where the stream does not say.

        `interpolation` is `FAST` or `EXACT`.
        """
        self._aspect = pixel_aspect or Fraction(1)
        self._interpolation = interpolation
        self._scaler = VideoReformatter()
        self._matrix: tuple[int, int, int, int] | None = None

    def __call__(self, frame: VideoFrame) -> Pixels:
        """The frame as it should be seen, in memory of its own."""
        matrix = None
        if frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb:
            matrix = Colorspace.ITU709 if frame.height >= HD_HEIGHT_PX else Colorspace.ITU601
        converted = self._scaler.reformat(
            frame,
            width=max(1, round(frame.width * self._aspect)),
            format="bgr24",
            src_colorspace=matrix,
            dst_color_range=ColorRange.JPEG,
            interpolation=self._interpolation,
            threads=1,
        )
        # A picture is turned from a key frame on. And PyAV ties a frame to the list of its side data in a cycle:
        # were each asked for it, hundreds of megabytes would wait for the garbage collector.
        if self._matrix is None or frame.key_frame:
            self._matrix = _display_matrix(frame)
        return upright(np.asarray(converted.to_ndarray(), dtype=np.uint8), self._matrix)


def upright(pixels: Pixels, matrix: tuple[int, int, int, int]) -> Pixels:
    """`pixels` turned and flipped as the 2×2 part `(a, b, c, d)` of a display matrix asks.

    It maps a stored point (x, y) to the shown point (a·x + c·y, b·x + d·y); only quarter turns and
    flips are followed, anything in between is rounded to the nearest of them.
    """
    a, b, c, d = matrix
    if abs(a) + abs(d) < abs(b) + abs(c):
        pixels, a, d = cv2.transpose(pixels), c, b
    if a < 0 or d < 0:
        pixels = cv2.flip(pixels, {(True, True): -1, (True, False): 1, (False, True): 0}[a < 0, d < 0])
    return pixels


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    try:
        found = cast("Mapping[str, Buffer]", frame.side_data).get("DISPLAYMATRIX")
    except ValueError:
        # PyAV 18.1 knows none of the kinds of side data that FFmpeg 8 added (EXIF, in most photos), and
        # one of them hides all others: let it take every such kind for one that nobody here asks for.
        SideDataType._missing_ = lambda _: SideDataType.VIDEO_HINT  # type: ignore[method-assign,assignment]
        found = cast("Mapping[str, Buffer]", frame.side_data).get("DISPLAYMATRIX")
    if found is None:
        return (1, 0, 0, 1)
    a, b, _, c, d = struct.unpack_from("=5i", bytes(found))
    return a, b, c, d
