"""The subscriber's side of the protocol: a message as a frame, a roster or statistics."""

from __future__ import annotations

import math
import typing
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from clothseg.classes import ClassMap
from stream import bounds
from stream.bounds import MAX_PIXELS, MAX_SIDE_PX, MessageError
from stream.message import Pixels, to_bgra
from stream.transport import codec
from stream.transport.codec import Buffer, CodecError
from stream.transport.framing import MAX_HEADER_BYTES, VersionMismatchError, decode_header
from stream.transport.protocol import (
    MAX_STREAMS,
    MAX_TOPIC_BYTES,
    ROSTER_TOPIC,
    VERSION,
    FrameHeader,
    PlaneHeader,
    PlaneName,
    ProtocolError,
    Roster,
    Stats,
    VersionError,
    encoded_shape,
)
from stream.transport.untrusted_json import UntrustedJsonError

OfCamera = TypeVar("OfCamera", FrameHeader, Stats)


class PublishedFrame:
    """A frame as a subscriber has it: full-size arrays of the kinds that were asked for.

    Asking for another raises ProtocolError. `crop` is (x, y, width, height) of what is cut out: outside of it
    `cutout`, `alpha` and `parts` are 0.
    """

    def __init__(self, header: FrameHeader, planes: dict[PlaneName, Pixels]) -> None:
        self.camera = header.camera
        self.epoch = header.epoch
        self.seq = header.seq
        self.pts_ns = header.pts_ns
        self.captured_ns = header.captured_ns
        self.mask_age_ns = header.mask_age_ns
        self.height, self.width = header.height, header.width
        self.classes = ClassMap(header.classes)
        self.crop = next((plane.crop for plane in header.planes if plane.crop), (0, 0, self.width, self.height))
        self._planes = planes

    @property
    def cutout(self) -> Pixels:
        """The cut-out, (H, W, 4) uint8 BGRA, straight alpha."""
        if "cutout" not in self._planes and "colour" in self._planes:
            self._planes["cutout"] = to_bgra(self._plane("colour"), self.alpha)
        return self._plane("cutout")

    @property
    def alpha(self) -> Pixels:
        """The alpha of the cut-out, (H, W) uint8."""
        if "alpha" not in self._planes and "cutout" in self._planes:
            self._planes["alpha"] = self._planes["cutout"][..., 3]
        return self._plane("alpha")

    @property
    def parts(self) -> Pixels:
        """The class of each pixel, (H, W) uint8, an index into `classes`."""
        return self._plane("parts")

    @property
    def composite(self) -> Pixels:
        """The finished view, (H', W', 3) uint8 BGR."""
        return self._plane("composite")

    @property
    def picture(self) -> Pixels:
        """The camera's own picture, (H, W, 3) uint8 BGR."""
        return self._plane("picture")

    @property
    def probabilities(self) -> Pixels:
        """Class probabilities (K, h, w) uint8, 0 to 255, at the network's resolution."""
        return self._plane("probabilities")

    def _plane(self, name: PlaneName) -> Pixels:
        if name not in self._planes:
            raise ProtocolError(
                f"expected one of {', '.join(self._planes)}, got {name}: name it in the kinds asked for"
            )
        return self._planes[name]


def decode(parts: Sequence[Buffer]) -> PublishedFrame | Roster | Stats:
    """Decode a publisher's message; VersionError for another version, ProtocolError for a malformed one."""
    if not 2 <= len(parts) <= 2 + len(typing.get_args(PlaneName)):
        raise ProtocolError(f"expected a topic, a header and planes, got {len(parts)} parts")
    topic, header = (memoryview(part) for part in parts[:2])
    if topic.nbytes > MAX_TOPIC_BYTES or header.nbytes > MAX_HEADER_BYTES:
        raise ProtocolError(f"expected a topic of at most {MAX_TOPIC_BYTES} bytes, a header of {MAX_HEADER_BYTES}")
    try:
        if bytes(topic) == ROSTER_TOPIC.encode():
            return _bounded_roster(decode_header(header, Roster, VERSION))
        if bytes(topic).endswith(b"/stats"):
            return _of_topic(topic, _bounded_stats(decode_header(header, Stats, VERSION)))
        return _decode_frame(_of_topic(topic, decode_header(header, FrameHeader, VERSION)), parts[2:])
    except VersionMismatchError as error:
        raise VersionError(f"{error}: install the publisher's release") from error
    except (UntrustedJsonError, MessageError, CodecError) as error:
        raise ProtocolError(f"expected a header as in docs/protocol.md ({error})") from error


def _decode_frame(header: FrameHeader, buffers: Sequence[Buffer]) -> PublishedFrame:
    if len(header.planes) != len(buffers):
        raise ProtocolError(f"expected {len(header.planes)} planes, got {len(buffers)}")
    if not (1 <= header.height <= MAX_SIDE_PX and 1 <= header.width <= MAX_SIDE_PX):
        raise ProtocolError(f"expected sides of 1 to {MAX_SIDE_PX} pixels, got {header.width}x{header.height}")
    if header.height * header.width > MAX_PIXELS:
        raise ProtocolError(f"expected at most {MAX_PIXELS} pixels, got {header.width}x{header.height}")
    _expect_bounded(header)
    for plane in header.planes:
        _require_shape(plane, header)
    return PublishedFrame(
        header,
        {
            plane.name: _uncropped(codec.decode(buffer, plane.encoding, encoded_shape(plane)), plane, header)
            for plane, buffer in zip(header.planes, buffers, strict=True)
        },
    )


def _expect_bounded(header: FrameHeader) -> None:
    """Raise MessageError, saying which, for numbers and names that no frame has."""
    bounds.require_frame(header.camera, header.epoch, header.seq, min_seq=-1)
    bounds.require_time("pts_ns", header.pts_ns)
    bounds.require_time("captured_ns", header.captured_ns)
    bounds.require_time("mask_age_ns", header.mask_age_ns)
    names = [plane.name for plane in header.planes]
    bounds.require(len({*names}) == len(names), "planes of different names", names)


def _of_topic(topic: memoryview, claimed: OfCamera) -> OfCamera:
    """Return `claimed` where it is of the camera that its topic names; MessageError where it is of another."""
    bounds.require(
        bytes(topic).startswith(f"{claimed.camera}/".encode()),
        f"{claimed.camera} in the topic",
        bytes(topic)[:MAX_TOPIC_BYTES],
    )
    return claimed


def _bounded_roster(roster: Roster) -> Roster:
    """The roster where every number, name and sentence in it is bounded; MessageError where one is not."""
    bounds.require(len(roster.streams) <= MAX_STREAMS, f"at most {MAX_STREAMS} streams", len(roster.streams))
    for stream in roster.streams:
        bounds.require_frame(stream.camera, stream.epoch, stream.last_seq or 0, min_seq=-1)
        bounds.require_count("frames", stream.frames or 0)
        bounds.require_rate(stream.rate_hz)
        bounds.require_text("cause", stream.cause)
    return roster


def _bounded_stats(stats: Stats) -> Stats:
    """The statistics where every number and name in them is bounded; MessageError where one is not."""
    bounds.require_frame(stats.camera, stats.epoch, stats.last_seq, min_seq=-1)
    return stats


_CHANNELS: dict[PlaneName, tuple[int, ...]] = {
    "cutout": (4,),
    "colour": (3,),
    "composite": (3,),
    "picture": (3,),
    "parts": (),
    "alpha": (),
}


def _require_shape(plane: PlaneHeader, header: FrameHeader) -> None:
    """Raise MessageError for a plane whose size is not what its name, its crop and the picture allow."""
    if plane.name == "probabilities":
        fits = len(plane.shape) == 3 and plane.shape[0] == len(header.classes) and plane.crop is None
        height, width = plane.shape[1:] if fits else (0, 0)
        fits = fits and max(height, width) <= bounds.MAX_MASK_SIDE_PX and math.prod(plane.shape) <= 4 * MAX_PIXELS
    else:
        fits = len(plane.shape) >= 2 and plane.shape[2:] == _CHANNELS[plane.name]
        height, width = plane.shape[:2] if fits else (0, 0)
    within = 1 <= height <= MAX_SIDE_PX and 1 <= width <= MAX_SIDE_PX and height * width <= MAX_PIXELS
    if plane.crop is not None and fits:
        x, y, *size = plane.crop
        inside = x >= 0 and y >= 0 and x + width <= header.width and y + height <= header.height
        within = within and inside and size == [width, height]
    elif plane.name not in ("composite", "probabilities"):
        within = within and (height, width) == (header.height, header.width)
    if not fits or not within:
        raise ProtocolError(f"expected a {plane.name} that fits the picture, got {plane.shape} at {plane.crop}")


def _uncropped(pixels: Pixels, plane: PlaneHeader, header: FrameHeader) -> Pixels:
    """A cropped plane back in its place in the whole picture."""
    if plane.crop is None:
        return pixels.reshape(plane.shape)
    x, y, width, height = plane.crop
    whole = np.zeros((header.height, header.width, *plane.shape[2:]), np.uint8)
    whole[y : y + height, x : x + width] = pixels
    return whole
