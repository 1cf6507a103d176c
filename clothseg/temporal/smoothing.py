"""Smoothing: class probabilities are averaged over time along the picture's motion, so that masks do not flicker."""

import math
from collections.abc import Sequence
from typing import Annotated, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.temporal.garment_vote import WINDOW_FRACTION, vote
from clothseg.temporal.motion import planes
from clothseg.temporal.rect import MIN_SIDE_PX, Rect, rect_around, union
from clothseg.temporal.state import (
    NOMINAL_GAP_MS,
    SmoothingState,
    StateWarp,
    evidence_size,
    flow_in,
    gap_between_ms,
    identity_warp,
    propagate_like,
    propagate_state,
    warp_to,
    warped_averages,
    warped_evidence,
)

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

_FLOW_SHRINK: Final = 2  # mask pixels to one of motion, each way
_MIN_PERSON: Final = 24  # of 255: less than this is no person
_DEPARTURE_GAIN: Final = 4.0  # a quarter of a person is all of one, where it comes to having left
_GROUP: Final = 4  # planes OpenCV warps at once


class Smoothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of smoothing."""

    time_constant_ms: Annotated[float, msgspec.Meta(gt=0, le=5000)] = 100.0
    """1 to 5000 ms after which 37 % of the history is left where the network is certain. Too high: what really changed,
    an opened jacket, comes late."""
    unsure_time_constant_ms: Annotated[float, msgspec.Meta(gt=0, le=5000)] = 400.0
    """The same where the network wavers. Too high: a wrong first guess stays."""
    tolerance: Annotated[float, msgspec.Meta(ge=1, le=128)] = 16.0
    """Grey levels of 255, 1 to 128, by which the picture may differ from the warped previous one and still show
    the same thing. Too high: ghosts behind fast hands. Too low: flicker in dim, noisy pictures."""
    garment_memory_ms: Annotated[float, msgspec.Meta(ge=0, le=60_000)] = 2000.0
    """0 to 60 000 ms over which it is gathered whether cloth is a top, a bottom or a dress; 0: judged
    anew in each frame. Too high: a change of clothes is noticed late."""


def smooth(
    state: SmoothingState | None,
    probabilities: Pixels,
    picture: Pixels,
    pts_ns: int,
    settings: Smoothing,
    *,
    garments: int,
) -> tuple[SmoothingState, Pixels]:
    """Average `probabilities` (K, h, w) uint8 with their history; return the new state and the average, same form.

    The last `garments` of the K classes are garments, as in a `ClassMap`. `state` is None on the first frame or a new
    epoch; `picture` is (H, W, 3) uint8 BGR. The history is warped to the current frame by dense optical flow (DIS,
    Kroeger et al. 2016). It counts where forward and backward flow agree and the warped picture matches: not where
    something was occluded or has changed, nor where a person has certainly left. There it weighs exp(−gap / time
    constant), so that a dropped frame changes nothing. A cut, another size and a timestamp that jumps back start anew;
    an equal timestamp counts as 33 ms.
    """
    grey = _grey(picture, probabilities.shape[1:])
    state_warp = None
    if state is not None and state.size == probabilities.shape and pts_ns >= state.pts_ns:
        state_warp = warp_to(state, grey, union(_person_rect(probabilities), state.rect), settings.tolerance)
    after, smoothed, rect = _update(state_warp, grey, probabilities, pts_ns, settings, garments=garments)
    return after, _write_planes(probabilities.copy(), smoothed, rect)


def propagate(state: SmoothingState, picture: Pixels, settings: Smoothing) -> tuple[SmoothingState, Pixels]:
    """Propagate the state to a `picture` (H, W, 3) uint8 BGR that the network has not seen; return as `smooth` does.

    The mask's age goes on counting from the last picture the network saw. After a cut masks stay in place.
    """
    after = propagate_state(state, _grey(picture, state.size[1:]), settings.tolerance)
    smoothed = planes(after.averages)
    at = after.rect.scaled_to(state.size[1:], evidence_size(state.size[1:]))
    _apply_vote(after.evidence, smoothed, at, 0.0, settings.garment_memory_ms)
    background = np.zeros(state.size, np.uint8)
    background[0] = 255
    return after, _write_planes(background, smoothed, after.rect)


def correct_history(
    states: Sequence[SmoothingState], probabilities: Pixels, pts_ns: int, settings: Smoothing
) -> list[SmoothingState]:
    """Redo `states` now that the network's `probabilities` (K, h, w) uint8 of the first one's frame are known.

    `propagate` made them, one from the other, while the network was still working on the first one's frame, shown at
    `pts_ns`. Where confidence was lost on the way, the correction counts nothing.
    """
    first, *later = states
    garments = len(first.evidence)
    if first.size != probabilities.shape:
        # The picture's shape has changed: there is no way from before.
        height, width = _grey_size(probabilities.shape[1:])
        grey = np.asarray(cv2.resize(first.grey, (width, height)), np.uint8)
        return [_update(None, grey, probabilities, pts_ns, settings, garments=garments)[0]] * len(states)
    state_warp = identity_warp(first, union(_person_rect(probabilities), first.rect))
    corrected = [_update(state_warp, first.grey, probabilities, pts_ns, settings, garments=garments)[0]]
    for state in later:
        corrected.append(propagate_like(corrected[-1], state))
    return corrected


def _update(
    state_warp: StateWarp | None,
    grey: Pixels,
    probabilities: Pixels,
    pts_ns: int,
    settings: Smoothing,
    *,
    garments: int,
) -> tuple[SmoothingState, list[Reals], Rect]:
    """Average with the warped history, if any; return the state, and the planes of the rect they cover."""
    size = probabilities.shape[1:]
    person_rect = _person_rect(probabilities)
    if state_warp is None:
        rect, gap_ms = person_rect, NOMINAL_GAP_MS
        averages = _class_groups(probabilities, rect)
        evidence = [np.zeros(evidence_size(size), np.float32) for _ in range(garments)]
    else:
        rect, gap_ms = state_warp.rect, gap_between_ms(state_warp.state.pts_ns, pts_ns)
        before = warped_averages(state_warp)
        weight = _history_weight(probabilities, state_warp, gap_ms, settings) * _persistence(
            before, probabilities[0], rect
        )
        averages = [
            cv2.blendLinear(history, now, weight, 1 - weight)
            for history, now in zip(before, _class_groups(probabilities, rect), strict=True)
        ]
        evidence = warped_evidence(state_warp)
    smoothed = planes(averages)
    evidence = _apply_vote(
        evidence, smoothed, rect.scaled_to(size, evidence_size(size)), gap_ms, settings.garment_memory_ms
    )
    # Only where a person is now will be needed again.
    inner = np.s_[
        person_rect.top - rect.top : person_rect.bottom - rect.top,
        person_rect.left - rect.left : person_rect.right - rect.left,
    ]
    cropped = tuple(group[inner] for group in averages)
    confidence = np.ones_like(grey[person_rect.scaled_to(size, grey.shape)], np.float32)
    motion = None if state_warp is None else flow_in(state_warp, person_rect)
    return (
        SmoothingState(grey, pts_ns, probabilities.shape, person_rect, cropped, tuple(evidence), confidence, motion),
        smoothed,
        rect,
    )


def _person_rect(probabilities: Pixels) -> Rect:
    """Return the rect of all people."""
    person = cv2.inRange(probabilities[0], 0, 255 - _MIN_PERSON)
    return rect_around(cv2.boundingRect(person), probabilities.shape[1:])


def _class_groups(probabilities: Pixels, person_rect: Rect) -> list[Reals]:
    """Return the network's planes of all classes but the background, in groups."""
    top, left, bottom, right = person_rect
    inside = probabilities[:, top:bottom, left:right]
    return [cv2.merge([*inside[k : k + _GROUP]]).astype(np.float32) for k in range(1, len(inside), _GROUP)]


def _grey_size(size: tuple[int, ...]) -> tuple[int, int]:
    height, width = (max(side // _FLOW_SHRINK, MIN_SIDE_PX) for side in size)
    return height, width


def _grey(picture: Pixels, size: tuple[int, ...]) -> Pixels:
    """The picture at half the mask's size, grey; sampled at its size first, because averaging large areas is slow."""
    height, width = _grey_size(size)
    sampled = cv2.resize(picture, (_FLOW_SHRINK * width, _FLOW_SHRINK * height), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(sampled, cv2.COLOR_BGR2GRAY)
    small: Pixels = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return small


def _history_weight(probabilities: Pixels, state_warp: StateWarp, gap_ms: float, settings: Smoothing) -> Reals:
    """Return the weight of the warped history at each pixel of the rect, float32, 0 to 1."""
    top, left, bottom, right = state_warp.rect
    surest, *others = probabilities[:, top:bottom, left:right]
    for plane in others:
        surest = cv2.max(surest, plane)
    unsure = np.clip((255 - np.arange(256, dtype=np.float32)) / 127, 0, 1)
    constant = settings.time_constant_ms * (1 - unsure) + settings.unsure_time_constant_ms * unsure
    cropped = cv2.LUT(surest, np.exp(-gap_ms / constant).astype(np.float32))
    weight: Reals = cropped * cv2.resize(state_warp.confidence, surest.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return weight


def _persistence(before: Sequence[Reals], background: Pixels, person_rect: Rect) -> Reals:
    """Return how far the history counts in a rect (h, w), float32, 0 to 1: what it shows may have left.

    `before`: the history's class groups, (h, w, C) float32, 0 to 255. `background`: the network's, (H, W) uint8.
    Where the history has a quarter of a person or more that the network is certain has left, it does not count: the
    picture does not show that a hand of the wall's colour has gone.
    """
    now = cv2.bitwise_not(background[person_rect.top : person_rect.bottom, person_rect.left : person_rect.right])
    people = sum(cv2.transform(group, np.ones((1, np.atleast_3d(group).shape[2]), np.float32)) for group in before)
    gone = np.clip((people - now) * np.float32(_DEPARTURE_GAIN / 255), 0, 1)
    sure = np.clip(2 - 2 * np.arange(256, dtype=np.float32) / _MIN_PERSON, 0, 1)
    staying: Reals = 1 - gone * cv2.LUT(now, sure)
    return staying


def _apply_vote(
    evidence: Sequence[Reals], smoothed: list[Reals], at: tuple[slice, slice], gap_ms: float, memory_ms: float
) -> list[Reals]:
    """Weigh the garments, the last of the `smoothed` planes, in place, by evidence `at` their area.

    Returns the new evidence, a plane for each garment; none where there are not two kinds to weigh.
    """
    if not memory_ms or len(evidence) < 2:
        return []
    reach = max(evidence[0].shape[0] // WINDOW_FRACTION, 1)
    fade = math.exp(-gap_ms / memory_ms)
    here = [plane[at] for plane in evidence]
    first = len(smoothed) - len(evidence)
    gathered, smoothed[first:] = vote(here, smoothed[first:], gap_ms, memory_ms, reach)
    after = []
    for plane, new in zip(evidence, gathered, strict=True):
        faded = plane * np.float32(fade)
        faded[at] = new
        after.append(faded)
    return after


def _write_planes(probabilities: Pixels, smoothed: Sequence[Reals], person_rect: Rect) -> Pixels:
    """Put class planes but the background (float32, 0 to 255) into an area; the background is the rest."""
    inside = probabilities[:, person_rect.top : person_rect.bottom, person_rect.left : person_rect.right]
    people = np.zeros(inside.shape[1:], np.uint8)
    for plane, target in zip(smoothed, inside[1:], strict=True):
        rounded = cv2.convertScaleAbs(plane)
        people = cv2.add(people, rounded)
        target[:] = rounded
    inside[0] = cv2.bitwise_not(people)
    return probabilities
