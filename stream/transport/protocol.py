"""The publisher's protocol: topics, JSON headers and binary planes; pure, no sockets (docs/protocol.md).

A frame is `[topic, header, plane, …]`, the roster of streams `[b"/streams", roster]`. Bytes from outside are
bounded and checked before memory is taken for them.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar

import msgspec
import numpy as np

from clothseg.classes import ClassMap, ModelClass
from stream import bounds
from stream.bounds import MAX_PIXELS, MAX_SIDE_PX, MessageError
from stream.message import CompositedFrame, Mode, Pixels, to_bgra
from stream.stage import StreamError
from stream.transport import codec, untrusted_json
from stream.transport.codec import Buffer, CodecError, Encoding
from stream.transport.untrusted_json import UntrustedJsonError

VERSION = 2
MAX_HEADER_BYTES = 65_536
MAX_TOPIC_BYTES = 256
MAX_STREAMS = 1024
ROSTER_TOPIC = "/streams"

Kind = Literal["cutout", "composite", "picture", "parts", "alpha", "probabilities"]
KINDS: tuple[Kind, ...] = typing.get_args(Kind)
ENCODINGS: tuple[Encoding, ...] = typing.get_args(Encoding)
PlaneName = Literal["cutout", "colour", "composite", "picture", "parts", "alpha", "probabilities"]


class ProtocolError(StreamError):
    """Bytes that break the protocol; the text says what was expected and what came."""


class VersionError(ProtocolError):
    """A publisher of another release, which this one cannot understand."""


class Topic(NamedTuple):
    """A subscription: a camera, the planes wanted, and their encoding: `front/cutout+parts/raw`."""

    camera: str
    kinds: tuple[Kind, ...]
    encoding: Encoding

    def __str__(self) -> str:
        return f"{self.camera}/{'+'.join(self.kinds)}/{self.encoding}"


def topic_of(camera: str, kinds: Sequence[str], encoding: str) -> Topic:
    """The topic of the given kinds in their fixed order; ProtocolError for a kind or encoding that is none."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ProtocolError(f"expected kinds of {', '.join(KINDS)}, got {', '.join(unknown) or 'none'}")
    if encoding not in ENCODINGS:
        raise ProtocolError(f"expected an encoding of {', '.join(ENCODINGS)}, got {encoding!r}")
    return Topic(camera, tuple(kind for kind in KINDS if kind in kinds), encoding)


def parse_subscription(subscription: bytes, default: Encoding) -> Topic | None:
    """The topic a subscription asks for; `camera/kinds` alone means the `default` encoding. None: it is no topic."""
    text = subscription.decode("ascii", errors="replace")
    camera, *rest = text.split("/")
    if len(text) > MAX_TOPIC_BYTES or not camera or len(rest) not in (1, 2):
        return None
    kinds = rest[0].split("+")
    try:
        topic = topic_of(camera, kinds, rest[1] if len(rest) == 2 else default)
    except ProtocolError:
        return None
    return topic if list(topic.kinds) == kinds else None  # one order, so that a topic has one spelling


def stats_topic(camera: str) -> str:
    """Return the topic of a camera's statistics."""
    return f"{camera}/stats"


class PlaneHeader(msgspec.Struct, frozen=True):
    """One binary part of a frame: its name, its (H, W[, C]) or (K, h, w) `shape`, and how it is encoded.

    `crop` is its place (x, y, width, height) in the camera's picture, all around it being 0; without one
    the plane is whole.
    """

    name: PlaneName
    encoding: Encoding
    shape: tuple[int, ...]
    crop: tuple[int, int, int, int] | None = None


class FrameHeader(msgspec.Struct, frozen=True):
    """The JSON part of a frame; `v` is the protocol's version, `height` and `width` the camera's picture's."""

    v: int
    camera: str
    epoch: int
    seq: int
    pts_ns: int
    captured_ns: int
    mask_age_ns: int
    height: int
    width: int
    classes: tuple[ModelClass, ...]
    planes: tuple[PlaneHeader, ...]

    def __post_init__(self) -> None:
        ClassMap(self.classes)  # raises ValueError, which decoding makes its own


class StreamInfo(msgspec.Struct, frozen=True):
    """One camera in the roster; `last_seq` is its last frame before an outage or its end.

    `cause` is why there is no signal or why it ended, a sentence; an end without one is the source's own
    end, or, where it is `interrupted`, a person's.
    """

    camera: str
    state: Literal["running", "no_signal", "ended"]
    mode: Mode = "live"
    epoch: int = 0
    rate_hz: float | None = None
    frames: int | None = None
    last_seq: int | None = None
    cause: str | None = None
    interrupted: bool = False


class Roster(msgspec.Struct, frozen=True):
    """Every stream there is, published when one changes, to each new subscriber, and every second as a heartbeat.

    `closing`, in the last roster: the publisher is closing in good order.
    """

    v: int
    closing: bool
    streams: tuple[StreamInfo, ...]


class Stats(msgspec.Struct, frozen=True):
    """Statistics of a camera: `rate_hz` since the last ones, `age_ms` of the newest frame since its capture."""

    v: int
    camera: str
    epoch: int
    last_seq: int
    rate_hz: float
    age_ms: float


OfCamera = TypeVar("OfCamera", FrameHeader, Stats)


class _Version(msgspec.Struct, frozen=True):
    v: int


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


_WHOLE: tuple[PlaneName, ...] = ("composite", "picture", "probabilities")  # never cropped to what is cut out


class FrameEncoder:
    """One frame on its way out: whatever several topics ask of it is cropped and encoded once."""

    def __init__(self, frame: CompositedFrame) -> None:
        self._frame = frame
        self._crop: tuple[int, int, int, int] | None = None
        self._coded: dict[tuple[PlaneName, Encoding], tuple[PlaneHeader, Buffer]] = {}

    def encode(self, topic: Topic) -> list[Buffer]:
        """The parts of the frame's message under `topic`."""
        names = dict.fromkeys(name for kind in topic.kinds for name in _planes_of(kind, topic.encoding))
        coded = [self._plane(name, topic.encoding) for name in names]
        frame, picture = self._frame.frame, self._frame.frame.picture
        height, width = picture.pixels.shape[:2]
        header = FrameHeader(
            VERSION,
            frame.camera,
            frame.epoch,
            frame.seq,
            picture.pts_ns,
            picture.captured_ns,
            self._frame.mask_age_ns,
            height,
            width,
            self._frame.classes.classes,
            tuple(plane for plane, _ in coded),
        )
        return [str(topic).encode(), msgspec.json.encode(header), *(buffer for _, buffer in coded)]

    def _plane(self, name: PlaneName, encoding: Encoding) -> tuple[PlaneHeader, Buffer]:
        if encoding == "jpeg" and name not in ("colour", "composite", "picture"):
            encoding = "lz4"  # a mask must come back as it was
        if (name, encoding) not in self._coded:
            whole = name in _WHOLE
            pixels = self._whole(name) if whole else self._cropped(name)
            plane = PlaneHeader(name, encoding, pixels.shape, None if whole else self._crop)
            self._coded[name, encoding] = plane, codec.encode(pixels.reshape(_encoded_shape(plane)), encoding)
        return self._coded[name, encoding]

    def _whole(self, name: PlaneName) -> Pixels:
        match name:
            case "composite":
                return self._frame.composite
            case "picture":
                return self._frame.frame.picture.pixels
            case _:
                return self._frame.probabilities

    def _cropped(self, name: PlaneName) -> Pixels:
        """The plane where something is cut out or a class is named; one pixel where nothing is."""
        if self._crop is None:
            import cv2  # a publisher has it, a subscriber may not

            seen = cv2.max(self._frame.alpha, self._frame.parts)
            x, y, width, height = cv2.boundingRect(seen)
            self._crop = (x, y, max(width, 1), max(height, 1))
        x, y, width, height = self._crop
        box = (slice(y, y + height), slice(x, x + width))
        match name:
            case "alpha":
                return self._frame.alpha[box]
            case "parts":
                return self._frame.parts[box]
            case "colour":
                return self._frame.foreground[box]
            case _:
                return to_bgra(self._frame.foreground[box], self._frame.alpha[box])


def _planes_of(kind: Kind, encoding: Encoding) -> tuple[PlaneName, ...]:
    """Return the planes that carry a kind: JPEG has no alpha, so there a cut-out is two."""
    return ("colour", "alpha") if kind == "cutout" and encoding == "jpeg" else (kind,)


def _encoded_shape(plane: PlaneHeader) -> tuple[int, ...]:
    """The shape in which a plane is encoded: probabilities as one tall plane (K·h, w), which PNG can hold."""
    if plane.name == "probabilities":
        return (plane.shape[0] * plane.shape[1], plane.shape[2])
    return plane.shape


def encode_roster(roster: Roster) -> list[Buffer]:
    """The parts of the roster's message."""
    return [ROSTER_TOPIC.encode(), msgspec.json.encode(roster)]


def encode_stats(stats: Stats) -> list[Buffer]:
    """The parts of a camera's statistics."""
    return [stats_topic(stats.camera).encode(), msgspec.json.encode(stats)]


def decode(parts: Sequence[Buffer]) -> PublishedFrame | Roster | Stats:
    """Decode a publisher's message; VersionError for another version, ProtocolError for a malformed one."""
    if not 2 <= len(parts) <= 2 + len(typing.get_args(PlaneName)):
        raise ProtocolError(f"expected a topic, a header and planes, got {len(parts)} parts")
    topic, header = (memoryview(part) for part in parts[:2])
    if topic.nbytes > MAX_TOPIC_BYTES or header.nbytes > MAX_HEADER_BYTES:
        raise ProtocolError(f"expected a topic of at most {MAX_TOPIC_BYTES} bytes, a header of {MAX_HEADER_BYTES}")
    try:
        version = untrusted_json.decode(header, _Version, max_bytes=MAX_HEADER_BYTES).v
        if version != VERSION:
            raise VersionError(f"expected protocol version {VERSION}, got {version}: install the publisher's release")
        if bytes(topic) == ROSTER_TOPIC.encode():
            return _bounded_roster(untrusted_json.decode(header, Roster, max_bytes=MAX_HEADER_BYTES))
        if bytes(topic).endswith(b"/stats"):
            stats = _bounded_stats(untrusted_json.decode(header, Stats, max_bytes=MAX_HEADER_BYTES))
            return _of_topic(topic, stats)
        claimed = untrusted_json.decode(header, FrameHeader, max_bytes=MAX_HEADER_BYTES)
        return _decode_frame(_of_topic(topic, claimed), parts[2:])
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
            plane.name: _uncropped(codec.decode(buffer, plane.encoding, _encoded_shape(plane)), plane, header)
            for plane, buffer in zip(header.planes, buffers, strict=True)
        },
    )


def _expect_bounded(header: FrameHeader) -> None:
    """Raise MessageError, saying which, for numbers and names that no frame has."""
    _require_inside(header.camera, header.epoch, header.seq)
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


def _require_inside(camera: str, epoch: int, seq: int) -> None:
    bounds.require_camera(camera)
    bounds.require_count("epoch", epoch)
    bounds.require_count("seq", seq, min_count=-1)


def _bounded_roster(roster: Roster) -> Roster:
    """The roster where every number, name and sentence in it is bounded; MessageError where one is not."""
    bounds.require(len(roster.streams) <= MAX_STREAMS, f"at most {MAX_STREAMS} streams", len(roster.streams))
    for stream in roster.streams:
        _require_inside(stream.camera, stream.epoch, stream.last_seq or 0)
        bounds.require_count("frames", stream.frames or 0)
        bounds.require_rate(stream.rate_hz)
        bounds.require_text("cause", stream.cause)
    return roster


def _bounded_stats(stats: Stats) -> Stats:
    """The statistics where every number and name in them is bounded; MessageError where one is not."""
    _require_inside(stats.camera, stats.epoch, stats.last_seq)
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
