"""One camera's masks at full size: steadied, with true edges, carried on where the network has not answered yet."""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np

from clothseg.classes import ClassMap
from clothseg.matting.matting import Matte, hold, matte, upsample
from clothseg.temporal.smoothing import carry, correct, smooth
from clothseg.temporal.state import SmoothingState
from stream.composite.resequence import Masked
from stream.message import CarriedFrame, LateMasks, Picture, Pixels, SegmentedFrame
from stream.settings.config import Run

_MOST_SHOWN: Final = 16  # frames after which masks that have not come are given up


class Masks(NamedTuple):
    """The masks of one frame, and how to go on from them; `seen_ns` is when the network's picture was shown.

    `moved_ns`: when the last frame was shown that they were made for: a still one has those before.
    """

    classes: ClassMap
    probabilities: Pixels
    matte: Matte
    smoothing: SmoothingState | None
    seen_ns: int
    moved_ns: int


class _Shown(NamedTuple):
    """A frame that was shown before its own masks, or after one that was, and what smoothing knew then."""

    seq: int
    pts_ns: int
    state: SmoothingState


class MaskPast(NamedTuple):
    """What is remembered of a camera's masks.

    `seq`: the last frame. `shown`: the frames since the first whose own masks are still to come. `early`: masks that
    came before their frame. `corrected`: late masks have come since the last frame.
    """

    masks: Masks | None = None
    seq: int = -1
    shown: tuple[_Shown, ...] = ()
    early: LateMasks | None = None
    corrected: bool = False


def make_masks(item: Masked, past: MaskPast, settings: Run) -> tuple[MaskPast, Masks]:
    """The masks of the next frame, and what is to be remembered.

    ValueError for a frame that is to go on from masks where there are none.
    """
    early = past.early
    if isinstance(item, CarriedFrame) and early is not None and early.seq == item.frame.seq:
        item = SegmentedFrame(item.frame, early.classes, early.probabilities)
    if isinstance(item, SegmentedFrame):
        masks = _mask(item, past.masks, settings)
        shown: tuple[_Shown, ...] = ()
    else:
        masks = _carry_on(item, past, settings)
        shown = _remember(item, past, masks)
    seq = item.frame.seq
    return MaskPast(masks, seq, shown, early if early is not None and early.seq > seq else None), masks


def take_late(item: LateMasks, past: MaskPast, settings: Run) -> MaskPast:
    """The past once a frame's own masks have come: from the next frame on, as if they had come in time."""
    if item.seq > past.seq:
        return past._replace(early=item)
    since = [shown for shown in past.shown if shown.seq >= item.seq]
    # Nothing is owed to a frame that newer masks have overtaken.
    if not since or since[0].seq > item.seq or past.masks is None or settings.smoothing == "off":
        return past
    if item.classes != past.masks.classes:
        raise ValueError(f"expected masks of {past.masks.classes.names}, got {item.classes.names}")
    states = correct([shown.state for shown in since], item.probabilities, since[0].pts_ns, settings.smoothing)
    later = tuple(shown._replace(state=state) for shown, state in zip(since, states, strict=True))[1:]
    masks = past.masks._replace(classes=item.classes, smoothing=states[-1], seen_ns=since[0].pts_ns)
    return past._replace(masks=masks, shown=later, corrected=True)


def _remember(item: CarriedFrame, past: MaskPast, masks: Masks) -> tuple[_Shown, ...]:
    """The frames since the first whose own masks are still to come; one that has not moved is as the one before it."""
    moved = past.masks is None or masks.smoothing is not past.masks.smoothing
    if masks.smoothing is None or not moved or not (past.shown or item.carry == "ahead"):
        return past.shown
    frame = item.frame
    return (*past.shown, _Shown(frame.seq, frame.picture.pts_ns, masks.smoothing))[-_MOST_SHOWN:]


def _mask(item: SegmentedFrame, last: Masks | None, settings: Run) -> Masks:
    """The masks of a frame that the network has seen, steadied and with true edges."""
    picture, probabilities = item.frame.picture, item.probabilities
    smoothing = last.smoothing if last is not None else None
    if settings.smoothing != "off":
        garments = len(item.classes.garments)
        smoothing, probabilities = smooth(
            smoothing, probabilities, picture.pixels, picture.pts_ns, settings.smoothing, garments=garments
        )
    matted = _matte(probabilities, picture, last, smoothing, settings, classes=item.classes)
    return Masks(item.classes, probabilities, matted, smoothing, picture.pts_ns, picture.pts_ns)


def _carry_on(item: CarriedFrame, past: MaskPast, settings: Run) -> Masks:
    """The masks of the frame before, for one that does not wait for its own; ValueError where there are none."""
    last = past.masks
    if last is None:
        raise ValueError("it is to go on from the masks before it, and there are none")
    picture = item.frame.picture
    still = item.carry == "still" and not past.corrected
    if still or last.smoothing is None or settings.smoothing == "off":
        # The picture stays live; only at the edges the colours freed of the background are kept.
        inside = cv2.compare(last.matte.alpha, 255, cv2.CMP_EQ)
        foreground = np.asarray(cv2.copyTo(picture.pixels, inside, last.matte.foreground.copy()), np.uint8)
        return last._replace(matte=last.matte._replace(foreground=foreground))
    smoothing, probabilities = carry(last.smoothing, picture.pixels, settings.smoothing)
    matted = _matte(probabilities, picture, last, smoothing, settings, classes=last.classes)
    return last._replace(probabilities=probabilities, matte=matted, smoothing=smoothing, moved_ns=picture.pts_ns)


def _matte(
    probabilities: Pixels,
    picture: Picture,
    last: Masks | None,
    smoothing: SmoothingState | None,
    settings: Run,
    *,
    classes: ClassMap,
) -> Matte:
    if settings.matting == "off":
        return upsample(probabilities, picture.pixels, classes)
    held = None if last is None else hold(last.matte, last.moved_ns, smoothing, picture.pts_ns)
    return matte(probabilities, picture.pixels, classes, settings.matting, held)
