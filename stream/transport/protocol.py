"""The publisher's protocol: topics, JSON headers and binary planes; pure, no sockets (docs/protocol.md).

A frame is `[topic, header, plane, …]`, the roster of streams `[b"/streams", roster]`. Bytes from outside are
bounded and checked before memory is taken for them.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from clothseg.classes import ClassMap, ModelClass
from stream.stage import StreamError
from stream.transport.camera_state import StreamInfo
from stream.transport.codec import Buffer, Encoding

VERSION = 2
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


def encoded_shape(plane: PlaneHeader) -> tuple[int, ...]:
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
