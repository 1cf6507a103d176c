"""Whether a picture differs from the one that was segmented last: the masks of a still scene are kept.

The picture is compared as a thumbnail of 32 × 18 averages: half a millisecond at 720p. It is compared with what was
*segmented*, not with the frame before, so that a slow drift adds up until it is seen.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

import cv2
import numpy as np

from stream.message import Picture, Pixels
from stream.settings.pace import Pace

_THUMBNAIL_PX: Final = (32, 18)


class Motion(Enum):
    """What has become of the scene since it was segmented last."""

    STILL = "still"
    MOVED = "moved"


class _Segmented(NamedTuple):
    """The picture that was segmented last."""

    pts_ns: int
    thumbnail: Pixels


class StillGate:
    """Remembers the picture of one camera that was segmented last, and compares others with it."""

    def __init__(self, settings: Pace) -> None:
        self._max_still_ns = settings.still_ms * 1e6
        self._still_levels = settings.still_levels
        self._segmented: _Segmented | None = None
        self._cache: tuple[Picture, Pixels] | None = None

    def compare(self, picture: Picture) -> Motion:
        """Whether the picture may keep the masks of the one that was segmented last."""
        last = self._segmented
        # Also a scene that never moves is segmented now and then: what the network got wrong is not kept for ever.
        if last is None or picture.pts_ns - last.pts_ns >= self._max_still_ns:
            return Motion.MOVED
        change = max_difference(self._thumbnail(picture), last.thumbnail)
        return Motion.STILL if change < self._still_levels else Motion.MOVED

    def remember(self, picture: Picture) -> None:
        """The picture is segmented now."""
        self._segmented = _Segmented(picture.pts_ns, self._thumbnail(picture))

    def reset(self) -> None:
        """Forget it: there are no masks to keep."""
        self._segmented = None

    def _thumbnail(self, picture: Picture) -> Pixels:
        # A picture that waits for a worker is asked about at every event, and is shrunk once.
        if self._cache is None or self._cache[0] is not picture:
            self._cache = picture, thumbnail(picture.pixels)
        return self._cache[1]


def thumbnail(pixels: Pixels) -> Pixels:
    """The picture (H, W, 3) as 32 × 18 averages of green, (18, 32) uint8: noise is gone, motion is not."""
    # Green is most of what is seen as brightness and the least noisy channel; every second pixel of it is enough.
    green = np.ascontiguousarray(pixels[::2, ::2, 1])
    return np.asarray(cv2.resize(green, _THUMBNAIL_PX, interpolation=cv2.INTER_AREA), np.uint8)


def max_difference(now: Pixels, then: Pixels) -> float:
    """The largest difference of two thumbnails, in grey levels: a hand that moves changes few averages, but much."""
    return float(cv2.norm(now, then, cv2.NORM_INF))
