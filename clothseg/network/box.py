"""Where people are in a picture: travels with frames, and needs no library."""

from typing import NamedTuple


class Box(NamedTuple):
    """A part of a picture, its sides as shares of the picture's, 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float
