"""What a page and its server say to each other over the WebSocket: JSON here, pictures as JPEG or PNG between it.

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
"""A photo of the visitor's own is the longest thing that is said."""

Name = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
PhotoUse = ClassName
"""Where a photo of the visitor's own is used: the background, or a garment of the model."""
MAX_GARMENTS = 15

PagePanel = Literal["composite", "raw"]
StreamState = Literal["full", "running", "no_signal", "ended"]
"""How what is watched stands; `full`: there is no room for another visitor."""


def _tag(class_name: str) -> str:
    """`ViewOptions` → `view_options`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()


class _PageMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag=_tag):
    """Any message; the key `type` names it."""


class ColourChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="colour"):
    """One colour."""

    colour: Colour


class LibraryChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="library"):
    """A garment, texture or background of the house, by its name."""

    name: Name


class PhotoChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="photo"):
    """The photo that the visitor has sent for this place."""


class BlurChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="blur"):
    """The real background out of focus."""

    strength: Annotated[float, msgspec.Meta(ge=0.002, le=0.1)] = 0.02


GarmentChoice = ColourChoice | LibraryChoice | PhotoChoice
BackgroundChoice = ColourChoice | LibraryChoice | PhotoChoice | BlurChoice


# From the page.


class WatchCamera(_PageMessage, frozen=True):
    """Show me this camera of the house."""

    camera: Name


class SendCamera(_PageMessage, frozen=True):
    """Here comes my own camera, as binary messages."""


class SdpOffer(_PageMessage, frozen=True):
    """Here comes my own camera, over WebRTC: a session description."""

    sdp: Annotated[str, msgspec.Meta(max_length=65_536)]


class StopWatching(_PageMessage, frozen=True):
    """Show me nothing any more, and forget my camera."""


class Outfit(_PageMessage, frozen=True):
    """Dress me, or whom I watch, like this; a part that is not named stays as it is worn."""

    background: BackgroundChoice | None = None
    garments: Annotated[dict[Garment, GarmentChoice], msgspec.Meta(max_length=MAX_GARMENTS)] = {}


class ViewOptions(_PageMessage, frozen=True):
    """What I want to see of each picture: which panels side by side, and which classes tinted."""

    panels: Annotated[tuple[PagePanel, ...], msgspec.Meta(min_length=1, max_length=2)] = ("composite",)
    masks: Annotated[tuple[Name, ...], msgspec.Meta(max_length=16)] = ()


class UploadPhoto(_PageMessage, frozen=True):
    """A photo of my own for a place: PNG or JPEG, base64. It is forgotten when I leave."""

    use: PhotoUse
    data: bytes


class Snapshot(_PageMessage, frozen=True):
    """Give me this moment as PNG: the person `cutout` with alpha, or the `whole` picture."""

    kind: Literal["cutout", "whole"] = "cutout"


class FrameShown(_PageMessage, frozen=True):
    """I have shown the last picture: send the next."""


class Ping(_PageMessage, frozen=True):
    """What time is it? `clock_ms` is the page's."""

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
    """Something on the shelf: a garment or texture with the part it is for, or a background."""

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
    """What there is: cameras of the house, what can be worn, how the page's camera should be set."""

    cameras: tuple[str, ...]
    garments: tuple[LibraryItem, ...]
    textures: tuple[LibraryItem, ...]
    backgrounds: tuple[LibraryItem, ...]
    classes: tuple[Class, ...]
    size_px: tuple[int, int]
    rate_hz: float


class StreamStateChanged(_PageMessage, frozen=True):
    """How what is watched stands, and why."""

    state: StreamState
    camera: str | None = None
    cause: str | None = None


class SdpAnswer(_PageMessage, frozen=True):
    """The session description that answers an offer."""

    sdp: str


class RequestRejected(_PageMessage, frozen=True):
    """What was asked cannot be; one sentence."""

    cause: str


class Pong(_PageMessage, frozen=True):
    """The page's time given back, and the server's monotonic clock."""

    clock_ms: float
    server_ms: float


ToPage = Hello | StreamStateChanged | SdpAnswer | RequestRejected | Pong


def decode(text: str | bytes) -> FromPage:
    """What the page said; raises UntrustedJsonError for anything else."""
    message: FromPage = untrusted_json.decode(text, FromPage, max_bytes=MAX_TEXT_BYTES)
    return message


def encode(item: ToPage) -> str:
    """What is said to the page, as JSON text."""
    return msgspec.json.encode(item).decode()
