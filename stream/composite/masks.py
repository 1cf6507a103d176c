"""One camera's masks at full size: smoothed, matted, and propagated where the network has not answered yet.

A frame's own masks may come with it, after it (it went ahead of them, so as not to be late), before it, or never.
`MaskTimeline` takes both as they come: `push_frame` gives the masks to show now, `push_masks` corrects what was shown
without its own masks, so that the next frame goes on as if they had come in time.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import cv2
import numpy as np

from clothseg.classes import ClassMap
from clothseg.matting.matting import Matte, Matting, matte, previous_matte, upsample
from clothseg.temporal.smoothing import Smoothing, correct_history, propagate, smooth
from clothseg.temporal.state import SmoothingState
from stream.composite.resequence import MaskedFrame
from stream.message import LateMasks, Picture, Pixels, PropagatedFrame, SegmentedFrame

_MAX_PROVISIONAL: Final = 16  # frames after which late masks are no longer waited for: some 1.2 MB each


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


class MaskTimeline:
    """The masks of one camera within one epoch; after an exception, start a new one."""

    def __init__(self, smoothing: Smoothing | Literal["off"], matting: Matting | Literal["off"]) -> None:
        self._smoothing = smoothing
        self._matting = matting
        self._last: Masks | None = None
        self._last_seq = -1
        self._early_masks: LateMasks | None = None
        # The frames since the first whose own masks are still to come: a correction there is carried through them all.
        self._provisional: tuple[_Provisional, ...] = ()
        self._corrected = False  # since the last frame

    def push_frame(self, item: MaskedFrame) -> Masks:
        """Return the masks of the next frame; frames come in order.

        Raises ValueError for a frame that propagates masks where there are none.
        """
        early = self._early_masks
        if isinstance(item, PropagatedFrame) and early is not None and early.seq == item.frame.seq:
            item = SegmentedFrame(item.frame, early.classes, early.probabilities)
        if isinstance(item, SegmentedFrame):
            masks = self._segment(item)
            self._provisional = ()  # what older masks could still correct, these know better
        else:
            masks = self._propagate(item)
            self._remember(item, masks)
        self._last, self._last_seq, self._corrected = masks, item.frame.seq, False
        if early is not None and early.seq <= self._last_seq:
            self._early_masks = None
        return masks

    def push_masks(self, item: LateMasks) -> None:
        """Take masks that come apart from their frame: early ones wait for it, late ones correct the state.

        Masks older than those that corrected it already are ignored. Raises ValueError for masks of other classes.
        """
        if item.seq > self._last_seq:
            self._early_masks = item
            return
        since = [shown for shown in self._provisional if shown.seq >= item.seq]
        # Nothing is owed to a frame that newer masks have overtaken.
        if not since or since[0].seq > item.seq or self._last is None or self._smoothing == "off":
            return
        if item.classes != self._last.classes:
            raise ValueError(f"expected masks of {self._last.classes.names}, got {item.classes.names}")
        network_pts_ns = since[0].pts_ns
        history = [shown.state for shown in since]
        corrected = correct_history(history, item.probabilities, network_pts_ns, self._smoothing)
        pairs = zip(since, corrected, strict=True)
        self._provisional = tuple(shown._replace(state=state) for shown, state in pairs)[1:]
        self._last = self._last._replace(smoothing=corrected[-1], network_pts_ns=network_pts_ns)
        self._corrected = True

    def _remember(self, item: PropagatedFrame, masks: Masks) -> None:
        """Keep a frame along which corrections are propagated; one that has not moved equals the one before it."""
        moved = self._last is None or masks.smoothing is not self._last.smoothing
        if masks.smoothing is not None and moved and (self._provisional or item.how == "ahead"):
            frame = item.frame
            shown = _Provisional(frame.seq, frame.picture.pts_ns, masks.smoothing)
            self._provisional = (*self._provisional, shown)[-_MAX_PROVISIONAL:]

    def _segment(self, item: SegmentedFrame) -> Masks:
        """Smooth and matte the masks of a frame that the network has seen."""
        picture, probabilities, classes = item.frame.picture, item.probabilities, item.classes
        state = self._last.smoothing if self._last is not None else None
        if self._smoothing != "off":
            garments = len(classes.garments)
            state, probabilities = smooth(
                state, probabilities, picture.pixels, picture.pts_ns, self._smoothing, garments=garments
            )
        matted = self._matte(probabilities, classes, picture, state)
        return Masks(classes, probabilities, matted, state, picture.pts_ns, picture.pts_ns)

    def _propagate(self, item: PropagatedFrame) -> Masks:
        """Propagate the masks of the frame before; ValueError where there are none."""
        last, picture = self._last, item.frame.picture
        if last is None:
            raise ValueError("it is to go on from the masks before it, and there are none")
        # A still scene shows a correction too, and so is carried once, over no motion.
        still = item.how == "still" and not self._corrected
        if still or last.smoothing is None or self._smoothing == "off":
            # The picture stays live; only at the edges the colours freed of the background are kept.
            inside = cv2.compare(last.matte.alpha, 255, cv2.CMP_EQ)
            foreground = np.asarray(cv2.copyTo(picture.pixels, inside, last.matte.foreground.copy()), np.uint8)
            return last._replace(matte=last.matte._replace(foreground=foreground))
        state, probabilities = propagate(last.smoothing, picture.pixels, self._smoothing)
        matted = self._matte(probabilities, last.classes, picture, state)
        return last._replace(probabilities=probabilities, matte=matted, smoothing=state, matte_pts_ns=picture.pts_ns)

    def _matte(self, probabilities: Pixels, classes: ClassMap, picture: Picture, state: SmoothingState | None) -> Matte:
        """Matte masks at full size; edges are blended with those of the frame before, so that they do not flicker."""
        if self._matting == "off":
            return upsample(probabilities, picture.pixels, classes)
        last = self._last
        previous = None if last is None else previous_matte(last.matte, last.matte_pts_ns, state, picture.pts_ns)
        return matte(probabilities, picture.pixels, classes, self._matting, previous)
