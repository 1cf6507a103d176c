"""A colour as it is written in settings, and the range of lightness that cloth can have."""

from typing import Annotated

import msgspec

Colour = Annotated[str, msgspec.Meta(pattern=r"^#[0-9a-fA-F]{6}\Z")]
"""`#rrggbb`, sRGB."""

GAMMA = 2.2
"""Linear light is (value / 255) ** GAMMA: sRGB's curve as a power, so that a product in linear light is a
product of values too, and shading can be applied to 8-bit pictures without decoding them."""


def to_bgr(colour: Colour) -> tuple[int, int, int]:
    """`#rrggbb` as blue, green, red, each 0 to 255."""
    red, green, blue = bytes.fromhex(colour[1:])
    return blue, green, red
