"""Message ⇄ buffers: a versioned JSON header and raw or JPEG planes; no sockets, and never pickle.

A message is `[header, plane, …]`. The header is `{"v": 1, "type": NAME, "body": {…}}`; an array in the
body stands as `{"plane": i, "shape": […], "encoding": "raw" | "jpeg"}` and its bytes as part `1 + i`.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np

from stream import bounds, message
from stream.stage import StreamError
from stream.transport import codec, untrusted_json
from stream.transport.codec import Buffer
from stream.transport.untrusted_json import UntrustedJsonError

VERSION = 1
MAX_HEADER_BYTES = 65_536
MAX_PLANES = 4
_MAX_TYPE_CHARS = 64
MAX_PLANE_BYTES = 3 * bounds.MAX_PIXELS
MAX_MESSAGE_BYTES = MAX_PLANE_BYTES + 16_777_216
"""Bounds that are checked before memory is taken; sockets reject longer parts, and more of them."""

FrameEncoding = Literal["raw", "jpeg"]
Message = TypeVar("Message")

TYPES: dict[str, type] = {
    type_.__name__: type_
    for type_ in (
        message.Frame,
        message.SegmentedFrame,
        message.PropagatedFrame,
        message.LateMasks,
        message.NewPicture,
        message.SourceOpened,
        message.SourceLost,
        message.SourceEnded,
        message.PictureRequest,
        message.WorkerReady,
        message.FramesSent,
        message.Ack,
        message.DemandChanged,
        message.StreamStart,
        message.Outage,
        message.EndOfStream,
        message.Dropped,
        message.EndOfRun,
    )
}


class WireError(StreamError):
    """Bytes that are not a valid message."""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: int
    type: str
    body: msgspec.Raw


class _PlaneRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    plane: int
    shape: tuple[int, ...]
    encoding: FrameEncoding = "raw"


def encode(item: object, pictures: FrameEncoding = "raw") -> list[Buffer]:
    """Encode a message into buffers; raw planes share its memory. `pictures` is the encoding of (H, W, 3) planes."""
    planes: list[Buffer] = []

    def array(value: object) -> _PlaneRef:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"expected an array, got {type(value).__name__}")
        encoding: FrameEncoding = pictures if value.ndim == 3 and value.shape[2] == 3 else "raw"
        planes.append(codec.encode(value, encoding))
        return _PlaneRef(len(planes) - 1, value.shape, encoding)

    body = msgspec.json.encode(item, enc_hook=array)
    header = msgspec.json.encode(_Header(VERSION, type(item).__name__, msgspec.Raw(body)))
    return [header, *planes]


def decode(buffers: Sequence[Buffer]) -> object:
    """Decode the message in `buffers`, its raw planes in their memory; WireError says what is wrong with them."""
    if not buffers or len(buffers) > 1 + MAX_PLANES:
        raise WireError(f"expected 1 to {1 + MAX_PLANES} parts, got {len(buffers)}")
    try:
        header = untrusted_json.decode(buffers[0], _Header, max_bytes=MAX_HEADER_BYTES)
    except UntrustedJsonError as error:
        raise WireError(f"expected a JSON header with v, type and body ({error})") from error
    if header.v != VERSION:
        raise WireError(f"expected protocol version {VERSION}, got {header.v}: run the same release on both ends")
    if header.type not in TYPES:
        raise WireError(f"expected one of {', '.join(TYPES)}, got {header.type[:_MAX_TYPE_CHARS]!r}")
    hook = _planes(buffers[1:])
    try:
        return untrusted_json.decode(header.body, TYPES[header.type], max_bytes=MAX_HEADER_BYTES, dec_hook=hook)
    except UntrustedJsonError as error:
        raise WireError(f"{header.type}: {error}") from error


def decode_as(type_: type[Message] | tuple[type[Message], ...], buffers: Sequence[Buffer]) -> Message:
    """The message in `buffers` where it is of the expected `type_`; WireError for any other."""
    item = decode(buffers)
    if not isinstance(item, type_):
        raise WireError(f"expected {type_}, got {type(item).__name__}")
    return item


def _planes(buffers: Sequence[Buffer]) -> Callable[[type, Any], Any]:
    def array(type_: type, value: Any) -> Any:
        if (typing.get_origin(type_) or type_) is not np.ndarray:
            raise ValueError(f"expected {type_.__name__}")
        plane = msgspec.convert(value, _PlaneRef)
        if not 0 <= plane.plane < len(buffers):
            raise ValueError(f"expected a plane below {len(buffers)}, got {plane.plane}")
        if not 1 <= len(plane.shape) <= 3 or min(plane.shape) < 1:
            raise ValueError(f"expected a shape of 1 to 3 positive sizes, got {plane.shape}")
        size = math.prod(plane.shape)
        if size > MAX_PLANE_BYTES:
            raise ValueError(f"expected at most {MAX_PLANE_BYTES} bytes a plane, got {size}")
        return codec.decode(buffers[plane.plane], plane.encoding, plane.shape)

    return array
