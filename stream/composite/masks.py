"""One camera's masks at full size: smoothed, matted, and propagated where the network has not answered yet."""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np

from clothseg.classes import ClassMap
from clothseg.matting.matting import Matte, matte, previous_matte, upsample
from clothseg.temporal.smoothing import correct_history, propagate, smooth
from clothseg.temporal.state import SmoothingState
from stream.composite.resequence import MaskedFrame
from stream.message import LateMasks, Picture, Pixels, PropagatedFrame, SegmentedFrame
from stream.settings.config import Run

_MAX_PROVISIONAL: Final = 16  # frames after which late masks are no longer waited for


class Masks(NamedTuple):
    """The masks of one frame, and how to go on from them; `network_pts_ns` is when the network's picture was shown.

    `matte_pts_ns`: when the last frame was shown that they were made for: a still one has those before.
    """

    classes: ClassMap
    probabilities: Pixels
    matte: Matte
    smoothing: SmoothingState | None
    network_pts_ns: int
    matte_pts_ns: int


class _Provisional(NamedTuple):
    """A frame that was shown before its own masks, or after one that was, and what smoothing knew then."""

    seq: int
    pts_ns: int
    state: SmoothingState


class MaskState(NamedTuple):
    """One camera's masks, and what late masks may still correct.

    `seq`: the last frame. `provisional`: the frames since the first whose own masks are still to come. `early_masks`:
    masks that came before their frame. `corrected`: late masks have come since the last frame.
    """

    masks: Masks | None = None
    seq: int = -1
    provisional: tuple[_Provisional, ...] = ()
    early_masks: LateMasks | None = None
    corrected: bool = False


def make_masks(item: MaskedFrame, mask_state: MaskState, settings: Run) -> tuple[MaskState, Masks]:
    """The masks of the next frame, and what is to be remembered.

    ValueError for a frame that is to go on from masks where there are none.
    """
    early = mask_state.early_masks
    if isinstance(item, PropagatedFrame) and early is not None and early.seq == item.frame.seq:
        item = SegmentedFrame(item.frame, early.classes, early.probabilities)
    if isinstance(item, SegmentedFrame):
        masks = _masks_from_network(item, mask_state.masks, settings)
        provisional: tuple[_Provisional, ...] = ()
    else:
        masks = _propagated_masks(item, mask_state, settings)
        provisional = _with_provisional(item, mask_state, masks)
    seq = item.frame.seq
    return MaskState(masks, seq, provisional, early if early is not None and early.seq > seq else None), masks


def apply_late_masks(item: LateMasks, mask_state: MaskState, settings: Run) -> MaskState:
    """Correct the state with a frame's late masks: from the next frame on it is as if they had been in time."""
    if item.seq > mask_state.seq:
        return mask_state._replace(early_masks=item)
    corrected_from = [provisional for provisional in mask_state.provisional if provisional.seq >= item.seq]
    # Nothing is owed to a frame that newer masks have overtaken.
    if (
        not corrected_from
        or corrected_from[0].seq > item.seq
        or mask_state.masks is None
        or settings.smoothing == "off"
    ):
        return mask_state
    if item.classes != mask_state.masks.classes:
        raise ValueError(f"expected masks of {mask_state.masks.classes.names}, got {item.classes.names}")
    states = correct_history(
        [provisional.state for provisional in corrected_from],
        item.probabilities,
        corrected_from[0].pts_ns,
        settings.smoothing,
    )
    later = tuple(provisional._replace(state=state) for provisional, state in zip(corrected_from, states, strict=True))[
        1:
    ]
    masks = mask_state.masks._replace(
        classes=item.classes, smoothing=states[-1], network_pts_ns=corrected_from[0].pts_ns
    )
    return mask_state._replace(masks=masks, provisional=later, corrected=True)


def _with_provisional(item: PropagatedFrame, mask_state: MaskState, masks: Masks) -> tuple[_Provisional, ...]:
    """The frames since the first whose own masks are still to come; one that has not moved is as the one before it."""
    moved = mask_state.masks is None or masks.smoothing is not mask_state.masks.smoothing
    if masks.smoothing is None or not moved or not (mask_state.provisional or item.how == "ahead"):
        return mask_state.provisional
    frame = item.frame
    return (*mask_state.provisional, _Provisional(frame.seq, frame.picture.pts_ns, masks.smoothing))[-_MAX_PROVISIONAL:]


def _masks_from_network(item: SegmentedFrame, last: Masks | None, settings: Run) -> Masks:
    """Smooth and matte the masks of a frame that the network has seen."""
    picture, probabilities = item.frame.picture, item.probabilities
    smoothing = last.smoothing if last is not None else None
    if settings.smoothing != "off":
        garments = len(item.classes.garments)
        smoothing, probabilities = smooth(
            smoothing, probabilities, picture.pixels, picture.pts_ns, settings.smoothing, garments=garments
        )
    matted = _matte(probabilities, picture, last, smoothing, settings, classes=item.classes)
    return Masks(item.classes, probabilities, matted, smoothing, picture.pts_ns, picture.pts_ns)


def _propagated_masks(item: PropagatedFrame, mask_state: MaskState, settings: Run) -> Masks:
    """The masks of the frame before, for one that does not wait for its own; ValueError where there are none."""
    last = mask_state.masks
    if last is None:
        raise ValueError("it is to go on from the masks before it, and there are none")
    picture = item.frame.picture
    still = item.how == "still" and not mask_state.corrected
    if still or last.smoothing is None or settings.smoothing == "off":
        # The picture stays live; only at the edges the colours freed of the background are kept.
        inside = cv2.compare(last.matte.alpha, 255, cv2.CMP_EQ)
        foreground = np.asarray(cv2.copyTo(picture.pixels, inside, last.matte.foreground.copy()), np.uint8)
        return last._replace(matte=last.matte._replace(foreground=foreground))
    smoothing, probabilities = propagate(last.smoothing, picture.pixels, settings.smoothing)
    matted = _matte(probabilities, picture, last, smoothing, settings, classes=last.classes)
    return last._replace(probabilities=probabilities, matte=matted, smoothing=smoothing, matte_pts_ns=picture.pts_ns)


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
    previous = None if last is None else previous_matte(last.matte, last.matte_pts_ns, smoothing, picture.pts_ns)
    return matte(probabilities, picture.pixels, classes, settings.matting, previous)
