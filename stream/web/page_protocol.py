"""Messages between a page and its server over the WebSocket: JSON here, pictures as JPEG or PNG in between.

Binary messages to the server are stamped JPEG pictures of the visitor's camera; to the page they are stamped JPEG
pictures to look at, or a PNG, the snapshot it asked for.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from clothseg.classes import ClassName, Region, Role
from clothseg.tryon.colour import Colour
from clothseg.tryon.part import Garment
from stream.transport import untrusted_json

MAX_TEXT_BYTES = 4_194_304
"""Bound of a message; a visitor's own photo is the longest."""

Name = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
PhotoUse = ClassName
"""Use of a visitor's own photo: the background, or a garment of the model."""
MAX_GARMENTS = 15

PagePanel = Literal["composite", "raw"]
StreamState = Literal["full", "running", "no_signal", "ended"]
"""State of the watched stream; `full`: no capacity for another visitor."""


def _tag(class_name: str) -> str:
    """`ViewOptions` → `view_options`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()


class _PageMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag=_tag):
    """Any message; the key `type` names it."""


class ColourChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="colour"):
    """One colour."""

    colour: Colour


class LibraryChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="library"):
    """A garment, texture or background of the library, by its name."""

    name: Name


class PhotoChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="photo"):
    """The visitor's own photo for this use."""


class BlurChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="blur"):
    """The real background out of focus."""

    strength: Annotated[float, msgspec.Meta(ge=0.002, le=0.1)] = 0.02


GarmentChoice = ColourChoice | LibraryChoice | PhotoChoice
BackgroundChoice = ColourChoice | LibraryChoice | PhotoChoice | BlurChoice


# From the page.


class WatchCamera(_PageMessage, frozen=True):
    """Watch a configured camera."""

    camera: Name


class SendCamera(_PageMessage, frozen=True):
    """The page sends its own camera, as binary messages."""


class SdpOffer(_PageMessage, frozen=True):
    """The page sends its own camera over WebRTC: a session description."""

    sdp: Annotated[str, msgspec.Meta(max_length=65_536)]


class StopWatching(_PageMessage, frozen=True):
    """Stop watching, and free the page's camera."""


class Outfit(_PageMessage, frozen=True):
    """Background and garments to show; a garment class that is not named stays as it is worn."""

    background: BackgroundChoice | None = None
    garments: Annotated[dict[Garment, GarmentChoice], msgspec.Meta(max_length=MAX_GARMENTS)] = {}


class ViewOptions(_PageMessage, frozen=True):
    """Panels side by side, and tinted classes, of each picture."""

    panels: Annotated[tuple[PagePanel, ...], msgspec.Meta(min_length=1, max_length=2)] = ("composite",)
    masks: Annotated[tuple[Name, ...], msgspec.Meta(max_length=16)] = ()


class UploadPhoto(_PageMessage, frozen=True):
    """A photo of the visitor's own: PNG or JPEG, base64. It is forgotten when the visitor leaves."""

    use: PhotoUse
    data: bytes


class Snapshot(_PageMessage, frozen=True):
    """Request for the current picture as PNG: the person `cutout` with alpha, or the `whole` picture."""

    kind: Literal["cutout", "whole"] = "cutout"


class FrameShown(_PageMessage, frozen=True):
    """The page has shown the last picture: the next may be sent."""


class Ping(_PageMessage, frozen=True):
    """Request for the server's time; `clock_ms` is the page's."""

    clock_ms: float


FromPage = (
    WatchCamera
    | SendCamera
    | SdpOffer
    | StopWatching
    | Outfit
    | ViewOptions
    | UploadPhoto
    | Snapshot
    | FrameShown
    | Ping
)


# To the page.


class LibraryItem(msgspec.Struct, frozen=True):
    """An asset on offer: a garment or texture with the class it is for, or a background."""

    name: str
    title: str
    picture: str
    part: Garment | None = None


class Class(msgspec.Struct, frozen=True):
    """A class of the network, as in `ModelClass`, but for the colour, which is red, green, blue."""

    name: str
    role: Role
    region: Region | None
    colour: tuple[int, int, int]


class Hello(_PageMessage, frozen=True):
    """First message to a page: configured cameras, the library, and settings for the page's camera."""

    cameras: tuple[str, ...]
    garments: tuple[LibraryItem, ...]
    textures: tuple[LibraryItem, ...]
    backgrounds: tuple[LibraryItem, ...]
    classes: tuple[Class, ...]
    size_px: tuple[int, int]
    rate_hz: float


class StreamStateChanged(_PageMessage, frozen=True):
    """The watched stream's state changed, and why."""

    state: StreamState
    camera: str | None = None
    cause: str | None = None


class SdpAnswer(_PageMessage, frozen=True):
    """The session description that answers an offer."""

    sdp: str


class RequestRejected(_PageMessage, frozen=True):
    """A request was rejected; one sentence."""

    cause: str


class Pong(_PageMessage, frozen=True):
    """Reply to Ping: the page's time, and the server's monotonic clock."""

    clock_ms: float
    server_ms: float


ToPage = Hello | StreamStateChanged | SdpAnswer | RequestRejected | Pong


def decode(text: str | bytes) -> FromPage:
    """Decode a page's message; raises UntrustedJsonError for anything else."""
    message: FromPage = untrusted_json.decode(text, FromPage, max_bytes=MAX_TEXT_BYTES)
    return message


def encode(item: ToPage) -> str:
    """Encode a message to the page as JSON text."""
    return msgspec.json.encode(item).decode()
