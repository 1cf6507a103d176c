"""What a page and its server say to each other over the WebSocket: JSON here, pictures as JPEG or PNG between it.

Binary messages to the server are stamped JPEG pictures of the visitor's camera; to the page they are stamped JPEG
pictures to look at, or a PNG, the snapshot it asked for.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from clothseg.classes import ClassName, Region, Role
from clothseg.tryon.colour import Colour
from clothseg.tryon.part import Part
from stream.transport import untrusted_json

MAX_TEXT_BYTES = 4_194_304
"""A photo of the visitor's own is the longest thing that is said."""

Name = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Slot = ClassName
"""Where a photo of the visitor's own is used: the background, or a garment of the model."""
MAX_WORN = 15

Panel = Literal["composite", "raw"]
Standing = Literal["full", "running", "no_signal", "ended"]
"""How what is watched stands; `full`: there is no room for another visitor."""


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="say", tag=str.lower):
    """Anything said; the key `say` tells what."""


class AsPainted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="as", tag="colour"):
    """One colour."""

    colour: Colour


class AsShelved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="as", tag="shelf"):
    """A garment, texture or background of the house, by its name."""

    name: Name


class AsPhoto(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="as", tag="photo"):
    """The photo that the visitor has sent for this place."""


class AsBlur(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="as", tag="blur"):
    """The real background out of focus."""

    strength: Annotated[float, msgspec.Meta(ge=0.002, le=0.1)] = 0.02


Cloth = AsPainted | AsShelved | AsPhoto
Behind = AsPainted | AsShelved | AsPhoto | AsBlur


# From the page.


class Watch(_Said, frozen=True):
    """Show me this camera of the house."""

    camera: Name


class Join(_Said, frozen=True):
    """Here comes my own camera, as binary messages."""


class Offer(_Said, frozen=True):
    """Here comes my own camera, over WebRTC: a session description."""

    sdp: Annotated[str, msgspec.Meta(max_length=65_536)]


class Leave(_Said, frozen=True):
    """Show me nothing any more, and forget my camera."""


class Wear(_Said, frozen=True):
    """Dress me, or whom I watch, like this; a part that is not named stays as it is worn."""

    background: Behind | None = None
    worn: Annotated[dict[Part, Cloth], msgspec.Meta(max_length=MAX_WORN)] = {}


class Show(_Said, frozen=True):
    """What I want to see of each picture: which panels side by side, and which classes tinted."""

    panels: Annotated[tuple[Panel, ...], msgspec.Meta(min_length=1, max_length=2)] = ("composite",)
    masks: Annotated[tuple[Name, ...], msgspec.Meta(max_length=16)] = ()


class Photo(_Said, frozen=True):
    """A photo of my own for a place: PNG or JPEG, base64. It is forgotten when I leave."""

    slot: Slot
    data: bytes


class Snapshot(_Said, frozen=True):
    """Give me this moment as PNG: the person `cutout` with alpha, or the `whole` picture."""

    kind: Literal["cutout", "whole"] = "cutout"


class Shown(_Said, frozen=True):
    """I have shown the last picture: send the next."""


class Ping(_Said, frozen=True):
    """What time is it? `clock_ms` is the page's."""

    clock_ms: float


FromPage = Watch | Join | Offer | Leave | Wear | Show | Photo | Snapshot | Shown | Ping


# To the page.


class Item(msgspec.Struct, frozen=True):
    """Something on the shelf: a garment or texture with the part it is for, or a background."""

    name: str
    title: str
    picture: str
    part: Part | None = None


class Class(msgspec.Struct, frozen=True):
    """A class of the network, as in `ModelClass`, but for the colour, which is red, green, blue."""

    name: str
    role: Role
    region: Region | None
    colour: tuple[int, int, int]


class Hello(_Said, frozen=True):
    """What there is: cameras of the house, what can be worn, how the page's camera should be set."""

    cameras: tuple[str, ...]
    garments: tuple[Item, ...]
    textures: tuple[Item, ...]
    backgrounds: tuple[Item, ...]
    classes: tuple[Class, ...]
    size_px: tuple[int, int]
    rate_hz: float


class State(_Said, frozen=True):
    """How what is watched stands, and why."""

    state: Standing
    camera: str | None = None
    cause: str | None = None


class Answer(_Said, frozen=True):
    """The session description that answers an offer."""

    sdp: str


class Refused(_Said, frozen=True):
    """What was asked cannot be; one sentence."""

    cause: str


class Pong(_Said, frozen=True):
    """The page's time given back, and the server's monotonic clock."""

    clock_ms: float
    server_ms: float


ToPage = Hello | State | Answer | Refused | Pong


def decode(text: str | bytes) -> FromPage:
    """What the page said; raises UntrustedJsonError for anything else."""
    said: FromPage = untrusted_json.decode(text, FromPage, max_bytes=MAX_TEXT_BYTES)
    return said


def encode(item: ToPage) -> str:
    """What is said to the page, as JSON text."""
    return msgspec.json.encode(item).decode()
