"""Trade-off curves: settings around the defaults on the same frames, and what no smoother can better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import USUAL
from clothseg.labels import BACKGROUND
from clothseg.matting.matting import Matting, class_shares, matte
from clothseg.temporal.smoothing import Smoothing
from clothseg.training.video.clips import ClipFrame
from clothseg.training.video.evaluation import MaskMaker, stream_masks
from clothseg.training.video.metrics import warp

Pixels = NDArray[np.uint8]
Planes = NDArray[np.float32]

_CONSTANTS_MS = ((30, 100), (200, 800), (500, 2000))  # where the network is sure, and where it wavers
_AVERAGE_MS = (100, 400, 2000)
_OUTLINE_PX = 5
_Place = Literal["at the outline", "but at the outline"]


class ClipReplay:
    """The frames of a clip as they pass, for makers that know of them what no smoother can.

    The reference flow is the exact one on animated clips, and elsewhere the flow by which stability is judged.
    """

    def __init__(self, frames: Iterable[ClipFrame]) -> None:
        self._frames = frames
        self._before: ClipFrame | None = None
        self._now: ClipFrame | None = None

    def __iter__(self) -> Iterator[ClipFrame]:
        for frame in self._frames:
            self._before, self._now = self._now, frame
            yield frame

    def flow_averaged(self) -> dict[str, MaskMaker]:
        """Return masks averaged along the reference flow, by name."""
        return {
            f"along the reference flow, {constant_ms} ms": self._flow_averaged(constant_ms)
            for constant_ms in _AVERAGE_MS
        }

    def truth(self) -> dict[str, MaskMaker]:
        """Truth itself, and masks that are true at the person's outline or all but there, by name.

        Asked for a frame of which truth is not known, they raise ValueError.
        """
        places: tuple[_Place, ...] = ("at the outline", "but at the outline")
        return {f"true {place}": self._corrected_at(place) for place in places} | {"truth itself": self._truth}

    def _flow_averaged(self, constant_ms: float) -> MaskMaker:
        """Return a maker of matted masks, averaged over a time constant along the exact flow."""
        previous: Planes | None = None

        def make(probabilities: Pixels, picture: Pixels, _: int) -> Pixels:
            nonlocal previous
            made = class_shares(matte(probabilities, picture, USUAL, Matting()), len(probabilities))
            present = np.ascontiguousarray(np.moveaxis(made, 0, 2), np.float32)
            previous = present if previous is None else self._averaged(previous, present, constant_ms)
            return np.ascontiguousarray(np.moveaxis(np.rint(previous), 2, 0), np.uint8)

        return make

    def _averaged(self, previous: Planes, present: Planes, constant_ms: float) -> Planes:
        """Past and present shares (H, W, K), 0 to 255, as one; what was hidden, or is not explained, has no past."""
        assert self._before is not None
        assert self._now is not None
        flow = warp(self._before.picture, self._now.picture, self._now.motion)
        warped = cv2.remap(previous, flow.points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        known = flow.valid if self._now.motion is None else ~np.isnan(self._now.motion[..., 0])
        kept = math.exp((self._before.pts_ns - self._now.pts_ns) / 1e6 / constant_ms)
        averaged: Planes = present + np.where(known, np.float32(kept), np.float32(0))[..., None] * (warped - present)
        return averaged

    def _corrected_at(self, place: _Place) -> MaskMaker:
        """Masks as the stream makes them, but true in one place."""
        made = stream_masks(Smoothing(), Matting())

        def make(probabilities: Pixels, picture: Pixels, pts_ns: int) -> Pixels:
            masks, truth = made(probabilities, picture, pts_ns), self._truth(probabilities, picture, pts_ns)
            true = (_near_outline(truth) > 0) == (place == "at the outline")
            return np.where(true, truth, masks)

        return make

    def _truth(self, _: Pixels, __: Pixels, ___: int) -> Pixels:
        if self._now is None or self._now.truth is None:
            raise ValueError("expected a clip with truth, animated:SCENE:SEED, got one without")
        return self._now.truth


def _near_outline(shares: Pixels) -> Pixels:
    """Mark what is within `_OUTLINE_PX` of the person's outline, (H, W) uint8, not 0; `shares` (K, H, W) uint8."""
    _, person = cv2.threshold(shares[BACKGROUND], 127, 255, cv2.THRESH_BINARY_INV)
    outline = cv2.morphologyEx(person, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    near: Pixels = cv2.dilate(outline, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _OUTLINE_PX + 1,) * 2))
    return near


def variants() -> dict[str, MaskMaker]:
    """Settings around the defaults, each changed in one thing, by name; new for each clip."""
    tried: dict[str, tuple[Smoothing | None, Matting | None]] = {
        f"time constants {sure} / {unsure} ms": (
            Smoothing(time_constant_ms=sure, unsure_time_constant_ms=unsure),
            Matting(),
        )
        for sure, unsure in _CONSTANTS_MS
    }
    tried |= {f"tolerance {levels}": (Smoothing(tolerance=levels), Matting()) for levels in (6, 48)}
    tried |= {f"colour evidence {odds}": (Smoothing(), Matting(colour_evidence=odds)) for odds in (2, 4)}
    tried |= {"no smoothing": (None, Matting()), "no matting": (Smoothing(), None)}
    return {name: stream_masks(*settings) for name, settings in tried.items()}
