"""The orientation of pictures, read without frame side data.

PyAV frees the metadata of frame side data twice (a photo with a colour profile crashes the process sooner or later)
and ties each frame to the list of its side data in a cycle, which keeps its memory until the garbage collector runs.
So FFmpeg is asked to write down what it read: a stream's matrix into the header of an empty MOV, a photo's EXIF into
a PNG of one pixel.
"""

from __future__ import annotations

import io
import math
import struct
from fractions import Fraction

import av
from av import VideoFrame, VideoStream
from av.codec import CodecContext

Matrix = tuple[int, int, int, int]
"""The 2×2 part `(a, b, c, d)` of a display matrix: a stored point (x, y) is shown at (a·x + c·y, b·x + d·y)."""
UPRIGHT: Matrix = (1, 0, 0, 1)

_EXIF: dict[int, Matrix] = {
    1: UPRIGHT,
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}
_ORIENTATION_TAG = 0x112
_MATRIX_IN_TKHD = 44  # bytes from the name of the box
_FAILURES = (av.FFmpegError, ValueError, struct.error)


def stream_matrix(stream: VideoStream) -> Matrix:
    """Return the orientation of `stream`, by its container; upright where that does not say."""
    header = io.BytesIO()
    try:
        with av.open(header, "w", format="mov", container_options={"movflags": "empty_moov"}) as container:
            container.add_stream_from_template(stream, opaque=True)
            container.start_encoding()
        content = header.getvalue()
        a, b, _, c, d = struct.unpack_from(">5i", content, content.index(b"tkhd") + _MATRIX_IN_TKHD)
    except _FAILURES:  # a codec that no MOV holds
        return UPRIGHT
    return _sign(a), _sign(b), _sign(c), _sign(d)


def frame_matrix(frame: VideoFrame, of_stream: Matrix) -> Matrix:
    """Return the orientation of `frame`: its stream's, unless it has a rotation of its own (then without a flip)."""
    turn = math.radians(frame.rotation)
    cosine, sine = round(math.cos(turn)), round(math.sin(turn))
    if of_stream[:2] == (cosine, -sine):
        return of_stream
    return cosine, -sine, sine, cosine


def photo_matrix(frame: VideoFrame, of_stream: Matrix) -> Matrix:
    """Return the orientation of a photo: by its EXIF where it has one, else as `frame_matrix` says."""
    try:
        return _EXIF[_exif_orientation(_png(frame))]
    except (KeyError, *_FAILURES):  # there is no EXIF, or it is broken
        return frame_matrix(frame, of_stream)


def _png(frame: VideoFrame) -> bytes:
    """A PNG of one pixel with the EXIF of `frame`."""
    encoder = CodecContext.create("png", "w")
    encoder.width = encoder.height = 1
    encoder.pix_fmt, encoder.time_base = "rgb24", Fraction(1)
    pixel = frame.reformat(width=1, height=1, format="rgb24")
    return b"".join(bytes(packet) for packet in encoder.encode(pixel) + encoder.encode(None))


def _exif_orientation(png: bytes) -> int:
    """The value of the orientation tag, which FFmpeg leaves out where it is 1; ValueError where there is no EXIF."""
    start = png.index(b"eXIf") + 4
    order = "<" if png[start : start + 2] == b"II" else ">"
    (offset,) = struct.unpack_from(f"{order}I", png, start + 4)
    (entries,) = struct.unpack_from(f"{order}H", png, start + offset)
    for index in range(entries):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", png, start + offset + 2 + 12 * index)
        if tag == _ORIENTATION_TAG:
            return int(value)
    return 1


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
