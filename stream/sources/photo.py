"""One photo, read as it was taken: its own pixels, upright, whatever is broken beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from av import Packet, VideoFrame, VideoStream
from av.container import InputContainer
from av.stream import Disposition

from stream.media.address import readable
from stream.media.opening import AV_ERRORS, BOUNDS, ffmpeg_reason, open_local
from stream.media.orientation import photo_matrix, stream_matrix
from stream.media.pixels import EXACT, BgrConverter
from stream.message import Pixels
from stream.sources.container import video_stream
from stream.sources.decoder import LENIENT, STRICT
from stream.sources.error import SourceError

_PNG_SIGNATURE_BYTES = 8
_PNG_FRAME_BYTES = 12  # length, name and checksum of a chunk
_JPEG_EXIF, _JPEG_SCAN, _JPEG_COMMENT = 0xE1, 0xDA, 0xFE
_JPEG_COLOURS = (0xE0, 0xEE)
"""JFIF and Adobe, which define the components."""


def read_photo(path: Path) -> Pixels:
    """Read one photo as (H, W, 3) uint8 BGR, upright by its EXIF orientation.

    The print density is not taken for the shape of pixels. `SourceError` where the file is truncated,
    unreadable, or made of tiles.
    """
    address = readable(path)
    try:
        with open_local(path) as container:
            stream = video_stream(container, address)
            if stream.disposition & Disposition.dependent:
                tiles = len(container.streams.video)
                raise SourceError(f"{address} is made of {tiles} tiles, which cannot be read: save it as JPEG or PNG")
            stream.codec_context.options = BOUNDS | (STRICT if stream.codec_context.name in LENIENT else {})
            frame = _frame(container, stream)
            if frame is None:
                raise SourceError(f"{address} holds no picture that can be decoded")
            return BgrConverter(EXACT)(frame, photo_matrix(frame, stream_matrix(stream)))
    except AV_ERRORS as error:
        raise SourceError(f"{address} cannot be read as a photo: {ffmpeg_reason(error)}") from None


def _frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    """The first picture, if need be without its broken neighbours; the first failure is raised where none helps."""
    failure: Exception | None = None
    for packet in container.demux(stream):
        for candidate in (packet, *_bared(packet, stream.codec_context.name)):
            try:
                frames = stream.decode(candidate)
            except AV_ERRORS as error:
                failure = failure or error
                continue
            if frames:
                return frames[0]
            break
    if failure is not None:
        raise failure
    return None


def _bared(packet: Packet[VideoStream], codec: str) -> Iterator[Packet[VideoStream]]:
    """Yield a photo without its metadata: first with its EXIF, which may hold the orientation, then bare."""
    bare = {"png": bare_png, "mjpeg": bare_jpeg}.get(codec)
    if bare is not None and packet.size:
        for exif in (True, False):
            yield cast("Packet[VideoStream]", Packet(bare(bytes(packet), exif=exif)))


def bare_png(content: bytes, *, exif: bool) -> bytes:
    """A PNG with its critical chunks alone, and its EXIF where asked."""
    kept, at = [content[:_PNG_SIGNATURE_BYTES]], _PNG_SIGNATURE_BYTES
    while at < len(content):
        end = at + _PNG_FRAME_BYTES + int.from_bytes(content[at : at + 4])
        name = content[at + 4 : at + 8]
        if name[:1].isupper() or (exif and name == b"eXIf"):
            kept.append(content[at:end])
        at = end
    return b"".join(kept)


def bare_jpeg(content: bytes, *, exif: bool) -> bytes:
    """A JPEG without comments and segments of applications but those on colours, and its EXIF where asked."""
    kept, at = [content[:2]], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != _JPEG_SCAN:
        marker, end = content[at + 1], at + 2 + int.from_bytes(content[at + 2 : at + 4])
        is_metadata = 0xE0 <= marker <= 0xEF or marker == _JPEG_COMMENT
        if not is_metadata or marker in _JPEG_COLOURS or (exif and marker == _JPEG_EXIF):
            kept.append(content[at:end])
        at = end
    return b"".join((*kept, content[at:]))
