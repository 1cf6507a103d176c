"""The settings of a live camera's pace."""

from __future__ import annotations

from typing import Annotated

import msgspec


class Pace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much work a live camera is worth; files are always segmented frame by frame."""

    latency_ms: Annotated[float, msgspec.Meta(ge=10, le=5000)] = 80.0
    """10 to 5000 ms that 95 % of frames may be old when the outputs take them. Too low: masks are made rarely."""
    still_levels: Annotated[float, msgspec.Meta(ge=0, le=64)] = 3.0
    """Grey levels of 255, 0 to 64, by which the picture may differ, averaged over any of 32 × 18 cells, from the one
    last segmented and still keep its masks; 0: never. Too high: small motions are followed late."""
    still_ms: Annotated[float, msgspec.Meta(ge=0, le=60_000)] = 1000.0
    """0 to 60 000 ms after which the masks of a still scene are made anew all the same."""
