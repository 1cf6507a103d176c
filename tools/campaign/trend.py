"""A straight line through measurements: how fast something grows, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_SURE = 2.0  # standard errors


class Trend(NamedTuple):
    """The slope of a line fitted by least squares, and its standard error, both a unit of x."""

    slope: float
    error: float

    @property
    def least(self) -> float:
        """What the slope is at least, as far as the measurements tell (two standard errors below)."""
        return self.slope - _SURE * self.error


def fit(x: Sequence[float], y: Sequence[float]) -> Trend:
    """The line through the points; ValueError for fewer than three, or where all have the same x."""
    if len(x) != len(y) or len(x) < 3:
        raise ValueError(f"expected at least three points, as many x as y, got {len(x)} and {len(y)}")
    centred = np.asarray(x, float) - np.mean(x)
    spread = float(centred @ centred)
    if spread == 0:
        raise ValueError("expected points at different x")
    values = np.asarray(y, float)
    slope = float(centred @ values) / spread
    residuals = values - values.mean() - slope * centred
    return Trend(slope, float(np.sqrt(residuals @ residuals / (len(x) - 2) / spread)))
