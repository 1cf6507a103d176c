"""Smoothing state of one camera: class averages and garment evidence, and their warp from one picture to another."""

from typing import Final, NamedTuple

import cv2
import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from clothseg.temporal.garment_vote import EVIDENCE_PX
from clothseg.temporal.motion import BackwardFlow, estimate_flow, resize_flow, warp
from clothseg.temporal.rect import MARGIN_PX, Rect, rect_around

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

NOMINAL_GAP_MS: Final = 33.0  # between frames whose timestamps stand still


class SmoothingState(msgspec.Struct, frozen=True):
    """Smoothing state of one camera.

    grey: (h', w') uint8, the picture at half the mask's size, but at least 32 px a side.
    pts_ns: its time. size: (K, h, w). rect: the part of (h, w) where people were.
    averages: the classes but the background there, in groups of up to four, each (…, …, C) float32, 0 to 255.
    evidence: per garment, (h / 4, w / 4) float32, see `garment_vote.vote`.
    confidence: (…, …) float32, 0 to 1, the grey picture's part at the rect: how far the averages, after warping, are
    still the network's for that pixel. motion: the flow that warped the history to the rect; None in the first picture
    and after a cut.
    """

    grey: Pixels
    pts_ns: int
    size: tuple[int, ...]
    rect: Rect
    averages: tuple[Reals, ...]
    evidence: tuple[Reals, ...]
    confidence: Reals
    flow: BackwardFlow | None = None


class StateWarp(NamedTuple):
    """A previous state and the flow that warps it onto a rect of the current frame.

    flow: (h', w') in the grey picture's pixels. confidence: (h', w') float32, 0 to 1, since the network saw it.
    """

    state: SmoothingState
    rect: Rect
    flow: BackwardFlow
    confidence: Reals


def gap_between_ms(before_ns: int, now_ns: int) -> float:
    """Milliseconds from one frame to the next, of timestamps that do not jump back."""
    return (now_ns - before_ns) / 1e6 or NOMINAL_GAP_MS


def warp_to(state: SmoothingState, grey: Pixels, rect: Rect, tolerance: float) -> StateWarp | None:
    """Warp the previous state onto `rect` of the current frame's `grey`; None at a scene cut."""
    found = estimate_flow(state.grey, grey, rect.scaled_to(state.size[1:], grey.shape), tolerance)
    return None if found is None else _warp_by(state, rect, found)


def identity_warp(state: SmoothingState, rect: Rect) -> StateWarp:
    """Return the state in `rect` of its own picture: nothing moves, confidence stays."""
    return _warp_by(state, rect, _flow_over(None, state, rect))


def propagate_state(state: SmoothingState, grey: Pixels, tolerance: float) -> SmoothingState:
    """Propagate the state to `grey`, which the network has not seen; after a cut in place, without confidence."""
    state_warp = warp_to(state, grey, _reachable_rect(state), tolerance)
    return _after_cut(state, grey) if state_warp is None else _apply(state_warp, grey)


def propagate_like(state: SmoothingState, other: SmoothingState) -> SmoothingState:
    """Propagate a state to the picture of `other`, by the flow that warped another state there."""
    if other.flow is None:
        return _after_cut(state, other.grey)
    rect = _reachable_rect(state)
    return _apply(_warp_by(state, rect, _flow_over(other.flow, other, rect)), other.grey)


def backward_flow(state: SmoothingState) -> BackwardFlow | None:
    """Return the flow from the state's whole grey picture to the one before; no confidence where no people are."""
    return None if state.flow is None else _flow_over(state.flow, state, Rect(0, 0, *state.size[1:]))


def warped_averages(state_warp: StateWarp) -> list[Reals]:
    """Return the averages, warped to the current rect."""
    history = state_warp.state
    top, left, bottom, right = state_warp.rect
    flow = resize_flow(
        state_warp.flow.flow, (bottom - top, right - left), (top - history.rect.top, left - history.rect.left)
    )
    return [warp(group, flow) for group in history.averages]


def warped_evidence(state_warp: StateWarp) -> list[Reals]:
    """Return the evidence, warped; without confidence it stays in place: what a hand occluded is there again after."""
    history = state_warp.state
    if not history.evidence:
        return []
    at = state_warp.rect.scaled_to(history.size[1:], history.evidence[0].shape)
    motion = cv2.multiply(state_warp.flow.flow, cv2.merge([state_warp.confidence] * 2))
    flow = resize_flow(motion, history.evidence[0][at].shape, (at[0].start, at[1].start))
    moved = [plane.copy() for plane in history.evidence]
    for plane, before in zip(moved, history.evidence, strict=True):
        plane[at] = warp(before, flow)
    return moved


def evidence_size(size: tuple[int, ...]) -> tuple[int, int]:
    """The size of evidence for a mask of `size` (h, w)."""
    return max(size[0] // EVIDENCE_PX, 1), max(size[1] // EVIDENCE_PX, 1)


def flow_in(state_warp: StateWarp, rect: Rect) -> BackwardFlow:
    """Return the state's flow in a `rect` within its own."""
    size, shape = state_warp.state.size[1:], state_warp.state.grey.shape
    inner, outer = rect.scaled_to(size, shape), state_warp.rect.scaled_to(size, shape)
    at = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
    return BackwardFlow(state_warp.flow.flow[at], state_warp.flow.confidence[at])


def _reachable_rect(state: SmoothingState) -> Rect:
    """Return where the people of the previous frame may have moved to."""
    top, left, bottom, right = state.rect
    box = (left - MARGIN_PX, top - MARGIN_PX, right - left + 2 * MARGIN_PX, bottom - top + 2 * MARGIN_PX)
    return rect_around(box, state.size[1:])


def _warp_by(state: SmoothingState, rect: Rect, motion: BackwardFlow) -> StateWarp:
    """Make the warp onto a rect, with no more confidence than before."""
    shape = state.grey.shape
    at, covered = rect.scaled_to(state.size[1:], shape), state.rect.scaled_to(state.size[1:], shape)
    origin = at[0].start - covered[0].start, at[1].start - covered[1].start
    before = warp(state.confidence, resize_flow(motion.flow, motion.confidence.shape, origin))
    return StateWarp(state, rect, motion, motion.confidence * before)


def _flow_over(motion: BackwardFlow | None, state: SmoothingState, rect: Rect) -> BackwardFlow:
    """Motion over `rect`, from what is known of it in the area of `state`; nothing moves elsewhere."""
    shape = state.grey.shape
    at, known = rect.scaled_to(state.size[1:], shape), state.rect.scaled_to(state.size[1:], shape)
    flow, confidence = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
    confidence[known] = 1
    if motion is not None:
        flow[known], confidence[known] = motion
    return BackwardFlow(np.ascontiguousarray(flow[at]), np.ascontiguousarray(confidence[at]))


def _apply(state_warp: StateWarp, grey: Pixels) -> SmoothingState:
    return structs.replace(
        state_warp.state,
        grey=grey,
        rect=state_warp.rect,
        averages=tuple(warped_averages(state_warp)),
        evidence=tuple(warped_evidence(state_warp)),
        confidence=state_warp.confidence,
        flow=state_warp.flow,
    )


def _after_cut(state: SmoothingState, grey: Pixels) -> SmoothingState:
    """Return the state from before a cut, left in place."""
    return structs.replace(state, grey=grey, confidence=np.zeros_like(state.confidence), flow=None)
