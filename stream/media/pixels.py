"""From a decoded frame to what people see: BGR in the right colours, upright, with square pixels."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from stream.media.orientation import Matrix
from stream.message import Pixels

HD_HEIGHT_PX = 720
"""From here on a picture that does not name its matrix is BT.709, below BT.601, as players have it."""

FAST = Interpolation.BILINEAR
"""Within 3 of 255, chroma repeated: 2.7 ms for 720p, for video."""
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Within 1 of 255, chroma interpolated: 15 ms for 720p, for photos."""

SQUARE = Fraction(1)
_UNSPECIFIED = 2


class BgrConverter:
    """Turns decoded frames of any pixel format into (H, W, 3) uint8 BGR; remembers the scaler between them.

    Colour matrix and range are those the frame names. Depths over 8 bits are rounded, grey becomes
    three equal channels, an alpha channel is dropped (what is under it stays as it was stored), and
    pixels that are not square are made so by stretching the width.
    """

    def __init__(self, interpolation: Interpolation) -> None:
        """`interpolation` is `FAST` or `EXACT`."""
        self._interpolation = interpolation
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame, turned: Matrix, pixel_aspect: Fraction = SQUARE) -> Pixels:
        """The frame as it should be seen, in memory of its own: `pixel_aspect` is a pixel's width over its height."""
        matrix = None
        if frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb:
            matrix = Colorspace.ITU709 if frame.height >= HD_HEIGHT_PX else Colorspace.ITU601
        converted = self._scaler.reformat(
            frame,
            width=max(1, round(frame.width * pixel_aspect)),
            format="bgr24",
            src_colorspace=matrix,
            dst_color_range=ColorRange.JPEG,
            interpolation=self._interpolation,
            threads=1,
        )
        return apply_display_matrix(np.asarray(converted.to_ndarray(), dtype=np.uint8), turned)


def apply_display_matrix(pixels: Pixels, matrix: Matrix) -> Pixels:
    """`pixels` turned and flipped as `matrix` asks: by quarter turns, anything in between is rounded to them."""
    a, b, c, d = matrix
    if abs(a) + abs(d) < abs(b) + abs(c):
        pixels, a, d = cv2.transpose(pixels), c, b
    if a < 0 or d < 0:
        pixels = cv2.flip(pixels, {(True, True): -1, (True, False): 1, (False, True): 0}[a < 0, d < 0])
    return pixels
