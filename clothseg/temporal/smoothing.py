"""Steadies class probabilities over time along the picture's motion, so that masks do not flicker."""

import math
from collections.abc import Sequence
from typing import Annotated, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.temporal.garment_vote import REACH, gather
from clothseg.temporal.motion import planes
from clothseg.temporal.rect import LEAST_SIDE_PX, Area, area_around, union
from clothseg.temporal.state import (
    NOMINAL_GAP_MS,
    Carried,
    SmoothingState,
    averages_of,
    carry_again,
    carry_on,
    evidence_of,
    gap_between_ms,
    grid,
    lead,
    motion_in,
    stay,
)

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

_SHRINK: Final = 2  # mask pixels to one of motion, each way
_FAINT: Final = 24  # of 255: less than this of a person is nobody
_LEFT: Final = 4.0  # a quarter of a person is all of one, where it comes to having left
_GROUP: Final = 4  # planes OpenCV carries at once


class Smoothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How strongly masks lean on their past."""

    time_constant_ms: Annotated[float, msgspec.Meta(gt=0, le=5000)] = 100.0
    """1 to 5000 ms after which 37 % of the past is left where the network is sure. Too high: what really changed,
    an opened jacket, comes late."""
    unsure_time_constant_ms: Annotated[float, msgspec.Meta(gt=0, le=5000)] = 400.0
    """The same where the network wavers. Too high: a wrong first guess stays."""
    tolerance: Annotated[float, msgspec.Meta(ge=1, le=128)] = 16.0
    """Grey levels of 255, 1 to 128, by which the picture may differ from the past carried to it and still be the
    same thing. Too high: ghosts behind fast hands. Too low: flicker in dim, noisy pictures."""
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
    """Average `probabilities` (K, h, w) uint8 with their past; return the new state and the average, same form.

    The last `garments` of the K classes are garments, as in a `ClassMap`. `state` is None on the first frame or a new
    epoch; `picture` is (H, W, 3) uint8 BGR. The past is carried to the present by dense optical flow (DIS, Kroeger et
    al. 2016) and counts where flow forwards and backwards agree and the carried picture matches: not where something
    was hidden or has changed, nor where somebody has surely left. There it weighs exp(−gap / time constant), so that a
    dropped frame changes nothing. A cut, another size and a timestamp that jumps back start anew; one that stands still
    counts as 33 ms.
    """
    grey = _grey(picture, probabilities.shape[1:])
    carried = None
    if state is not None and state.size == probabilities.shape and pts_ns >= state.pts_ns:
        carried = lead(state, grey, union(_occupied(probabilities), state.area), settings.tolerance)
    after, steadied, whole = _take_in(carried, grey, probabilities, pts_ns, settings, garments=garments)
    return after, _fill(probabilities.copy(), steadied, whole)


def carry(state: SmoothingState, picture: Pixels, settings: Smoothing) -> tuple[SmoothingState, Pixels]:
    """Carry the past on to a `picture` (H, W, 3) uint8 BGR that the network has not seen; return as `smooth` does.

    The state goes on counting from the last picture that it has seen. After a cut masks stay where they were.
    """
    after = carry_on(state, _grey(picture, state.size[1:]), settings.tolerance)
    steadied = planes(after.averages)
    at = after.area.over(state.size[1:], grid(state.size[1:]))
    _settle(after.evidence, steadied, at, 0.0, settings.garment_memory_ms)
    nobody = np.zeros(state.size, np.uint8)
    nobody[0] = 255
    return after, _fill(nobody, steadied, after.area)


def correct(
    states: Sequence[SmoothingState], probabilities: Pixels, pts_ns: int, settings: Smoothing
) -> list[SmoothingState]:
    """What `states` become once the network's `probabilities` (K, h, w) uint8 of the first one's picture are known.

    `carry` made them, one from the other, while the network was still at the first one's picture, shown at `pts_ns`.
    What could not be trusted on the way there counts nothing; the ways from there are gone once more.
    """
    first, *later = states
    garments = len(first.evidence)
    if first.size != probabilities.shape:
        # The picture's shape has changed: there is no way from before.
        height, width = _grey_size(probabilities.shape[1:])
        grey = np.asarray(cv2.resize(first.grey, (width, height)), np.uint8)
        return [_take_in(None, grey, probabilities, pts_ns, settings, garments=garments)[0]] * len(states)
    carried = stay(first, union(_occupied(probabilities), first.area))
    corrected = [_take_in(carried, first.grey, probabilities, pts_ns, settings, garments=garments)[0]]
    for state in later:
        corrected.append(carry_again(corrected[-1], state))
    return corrected


def _take_in(
    carried: Carried | None, grey: Pixels, probabilities: Pixels, pts_ns: int, settings: Smoothing, *, garments: int
) -> tuple[SmoothingState, list[Reals], Area]:
    """Average with the past as it was `carried`, if it was; return the state, and the planes of the area they cover."""
    size = probabilities.shape[1:]
    area = _occupied(probabilities)
    if carried is None:
        whole, gap_ms = area, NOMINAL_GAP_MS
        averages = _present(probabilities, whole)
        evidence = [np.zeros(grid(size), np.float32) for _ in range(garments)]
    else:
        whole, gap_ms = carried.area, gap_between_ms(carried.past.pts_ns, pts_ns)
        before = averages_of(carried)
        weight = _past_weight(probabilities, carried, gap_ms, settings) * _staying(before, probabilities[0], whole)
        averages = [
            cv2.blendLinear(past, now, weight, 1 - weight)
            for past, now in zip(before, _present(probabilities, whole), strict=True)
        ]
        evidence = evidence_of(carried)
    steadied = planes(averages)
    evidence = _settle(evidence, steadied, whole.over(size, grid(size)), gap_ms, settings.garment_memory_ms)
    # Only where somebody is now will be asked for again.
    inner = np.s_[area.top - whole.top : area.bottom - whole.top, area.left - whole.left : area.right - whole.left]
    kept = tuple(group[inner] for group in averages)
    trust = np.ones_like(grey[area.over(size, grey.shape)], np.float32)
    motion = None if carried is None else motion_in(carried, area)
    return (
        SmoothingState(grey, pts_ns, probabilities.shape, area, kept, tuple(evidence), trust, motion),
        steadied,
        whole,
    )


def _occupied(probabilities: Pixels) -> Area:
    """Where anybody is."""
    somebody = cv2.inRange(probabilities[0], 0, 255 - _FAINT)
    return area_around(cv2.boundingRect(somebody), probabilities.shape[1:])


def _present(probabilities: Pixels, area: Area) -> list[Reals]:
    """What the network says of the classes but the background, in groups."""
    top, left, bottom, right = area
    inside = probabilities[:, top:bottom, left:right]
    return [cv2.merge([*inside[k : k + _GROUP]]).astype(np.float32) for k in range(1, len(inside), _GROUP)]


def _grey_size(size: tuple[int, ...]) -> tuple[int, int]:
    height, width = (max(side // _SHRINK, LEAST_SIDE_PX) for side in size)
    return height, width


def _grey(picture: Pixels, size: tuple[int, ...]) -> Pixels:
    """The picture at half the mask's size, grey; sampled at its size first, because averaging large areas is slow."""
    height, width = _grey_size(size)
    sampled = cv2.resize(picture, (_SHRINK * width, _SHRINK * height), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(sampled, cv2.COLOR_BGR2GRAY)
    small: Pixels = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return small


def _past_weight(probabilities: Pixels, carried: Carried, gap_ms: float, settings: Smoothing) -> Reals:
    """The past's weight at each pixel of the area, float32, 0 to 1."""
    top, left, bottom, right = carried.area
    surest, *others = probabilities[:, top:bottom, left:right]
    for plane in others:
        surest = cv2.max(surest, plane)
    unsure = np.clip((255 - np.arange(256, dtype=np.float32)) / 127, 0, 1)
    constant = settings.time_constant_ms * (1 - unsure) + settings.unsure_time_constant_ms * unsure
    kept = cv2.LUT(surest, np.exp(-gap_ms / constant).astype(np.float32))
    weight: Reals = kept * cv2.resize(carried.trust, surest.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return weight


def _staying(before: Sequence[Reals], background: Pixels, area: Area) -> Reals:
    """How far the past counts in an area (h, w), float32, 0 to 1, for what it shows there may have left.

    `before`: the past's class groups, (h, w, C) float32, 0 to 255. `background`: what the network says, (H, W) uint8.
    Where the past has a quarter of a person or more that the network is sure is gone, it does not count: that a hand of
    the wall's colour has left is not to be seen in the picture.
    """
    now = cv2.bitwise_not(background[area.top : area.bottom, area.left : area.right])
    people = sum(cv2.transform(group, np.ones((1, np.atleast_3d(group).shape[2]), np.float32)) for group in before)
    gone = np.clip((people - now) * np.float32(_LEFT / 255), 0, 1)
    sure = np.clip(2 - 2 * np.arange(256, dtype=np.float32) / _FAINT, 0, 1)
    staying: Reals = 1 - gone * cv2.LUT(now, sure)
    return staying


def _settle(
    evidence: Sequence[Reals], steadied: list[Reals], at: tuple[slice, slice], gap_ms: float, memory_ms: float
) -> list[Reals]:
    """Weigh the garments, the last of the `steadied` planes, in place, by evidence `at` their area.

    Returns the new evidence, a plane for each garment; none where there are not two kinds to weigh.
    """
    if not memory_ms or len(evidence) < 2:
        return []
    reach = max(evidence[0].shape[0] // REACH, 1)
    fade = math.exp(-gap_ms / memory_ms)
    here = [plane[at] for plane in evidence]
    first = len(steadied) - len(evidence)
    gathered, steadied[first:] = gather(here, steadied[first:], gap_ms, memory_ms, reach)
    after = []
    for plane, new in zip(evidence, gathered, strict=True):
        faded = plane * np.float32(fade)
        faded[at] = new
        after.append(faded)
    return after


def _fill(probabilities: Pixels, steadied: Sequence[Reals], area: Area) -> Pixels:
    """Put class planes but the background (float32, 0 to 255) into an area; the background is the rest."""
    inside = probabilities[:, area.top : area.bottom, area.left : area.right]
    people = np.zeros(inside.shape[1:], np.uint8)
    for plane, target in zip(steadied, inside[1:], strict=True):
        rounded = cv2.convertScaleAbs(plane)
        people = cv2.add(people, rounded)
        target[:] = rounded
    inside[0] = cv2.bitwise_not(people)
    return probabilities
