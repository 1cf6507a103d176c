"""One camera's past: class averages and evidence of garments, and how both come from one picture to another."""

from typing import Final, NamedTuple

import cv2
import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from clothseg.temporal.garment_vote import EVIDENCE_PX
from clothseg.temporal.motion import Motion, find_motion, moves, read
from clothseg.temporal.rect import MARGIN_PX, Area, area_around

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

NOMINAL_GAP_MS: Final = 33.0  # between frames whose timestamps stand still


class SmoothingState(msgspec.Struct, frozen=True):
    """One camera's past.

    grey: (h', w') uint8, the picture at half the mask's size, but at least 32 px a side.
    pts_ns: when it was seen. size: (K, h, w). area: the part of (h, w) where anybody was.
    averages: the classes but the background there, in groups of up to four, each (…, …, C) float32, 0 to 255.
    evidence: per garment, (h / 4, w / 4) float32, see `identity.gather`.
    trust: (…, …) float32, 0 to 1, the grey picture's part at the area: how far the averages are still what the network
    said of that place, after they were carried along. motion: how the past came to the area, None where it was not
    carried: in the first picture and after a cut.
    """

    grey: Pixels
    pts_ns: int
    size: tuple[int, ...]
    area: Area
    averages: tuple[Reals, ...]
    evidence: tuple[Reals, ...]
    trust: Reals
    motion: Motion | None = None


class Carried(NamedTuple):
    """A past and how it comes to an area of the present.

    motion: (h', w') in the grey picture's pixels. trust: (h', w') float32, 0 to 1, of all the way since it was seen.
    """

    past: SmoothingState
    area: Area
    motion: Motion
    trust: Reals


def gap_between_ms(before_ns: int, now_ns: int) -> float:
    """Milliseconds from one frame to the next, of timestamps that do not jump back."""
    return (now_ns - before_ns) / 1e6 or NOMINAL_GAP_MS


def lead(state: SmoothingState, grey: Pixels, area: Area, tolerance: float) -> Carried | None:
    """How the past comes to `area` of the present's `grey`; None after a cut."""
    found = find_motion(state.grey, grey, area.over(state.size[1:], grey.shape), tolerance)
    return None if found is None else _along(state, area, found)


def stay(state: SmoothingState, area: Area) -> Carried:
    """The past in `area` of its own picture: nothing moves, and is trusted as far as it was."""
    return _along(state, area, _placed(None, state, area))


def carry_on(state: SmoothingState, grey: Pixels, tolerance: float) -> SmoothingState:
    """The past at the present's `grey`, which the network has not seen; where it was after a cut, and not trusted."""
    carried = lead(state, grey, _surroundings(state), tolerance)
    return _lost(state, grey) if carried is None else _moved(carried, grey)


def carry_again(state: SmoothingState, other: SmoothingState) -> SmoothingState:
    """The past at the picture of `other`, by the motion that brought another past there."""
    if other.motion is None:
        return _lost(state, other.grey)
    area = _surroundings(state)
    return _moved(_along(state, area, _placed(other.motion, other, area)), other.grey)


def way_back(state: SmoothingState) -> Motion | None:
    """How to come from each pixel of its whole grey picture to the one before; not trusted where nobody is."""
    return None if state.motion is None else _placed(state.motion, state, Area(0, 0, *state.size[1:]))


def averages_of(carried: Carried) -> list[Reals]:
    """The past's averages, carried to the area of the present."""
    past = carried.past
    top, left, bottom, right = carried.area
    way = moves(carried.motion.way, (bottom - top, right - left), (top - past.area.top, left - past.area.left))
    return [read(group, way) for group in past.averages]


def evidence_of(carried: Carried) -> list[Reals]:
    """Evidence moved to the present; where motion is not trusted it stays: what a hand hid is there again after."""
    past = carried.past
    if not past.evidence:
        return []
    at = carried.area.over(past.size[1:], past.evidence[0].shape)
    motion = cv2.multiply(carried.motion.way, cv2.merge([carried.trust] * 2))
    way = moves(motion, past.evidence[0][at].shape, (at[0].start, at[1].start))
    moved = [plane.copy() for plane in past.evidence]
    for plane, before in zip(moved, past.evidence, strict=True):
        plane[at] = read(before, way)
    return moved


def grid(size: tuple[int, ...]) -> tuple[int, int]:
    """The size of evidence for a mask of `size` (h, w)."""
    return max(size[0] // EVIDENCE_PX, 1), max(size[1] // EVIDENCE_PX, 1)


def motion_in(carried: Carried, area: Area) -> Motion:
    """The motion by which the past came, in an `area` within the one it came to."""
    size, shape = carried.past.size[1:], carried.past.grey.shape
    inner, outer = area.over(size, shape), carried.area.over(size, shape)
    at = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
    return Motion(carried.motion.way[at], carried.motion.trust[at])


def _surroundings(state: SmoothingState) -> Area:
    """Where the people of the past may have come to."""
    top, left, bottom, right = state.area
    box = (left - MARGIN_PX, top - MARGIN_PX, right - left + 2 * MARGIN_PX, bottom - top + 2 * MARGIN_PX)
    return area_around(box, state.size[1:])


def _along(state: SmoothingState, area: Area, motion: Motion) -> Carried:
    """The past on its way to an area, trusted no more than before."""
    shape = state.grey.shape
    at, held = area.over(state.size[1:], shape), state.area.over(state.size[1:], shape)
    origin = at[0].start - held[0].start, at[1].start - held[1].start
    before = read(state.trust, moves(motion.way, motion.trust.shape, origin))
    return Carried(state, area, motion, motion.trust * before)


def _placed(motion: Motion | None, state: SmoothingState, area: Area) -> Motion:
    """Motion over `area`, from what is known of it in the area of `state`; nothing moves elsewhere."""
    shape = state.grey.shape
    at, known = area.over(state.size[1:], shape), state.area.over(state.size[1:], shape)
    way, trust = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
    trust[known] = 1
    if motion is not None:
        way[known], trust[known] = motion
    return Motion(np.ascontiguousarray(way[at]), np.ascontiguousarray(trust[at]))


def _moved(carried: Carried, grey: Pixels) -> SmoothingState:
    return structs.replace(
        carried.past,
        grey=grey,
        area=carried.area,
        averages=tuple(averages_of(carried)),
        evidence=tuple(evidence_of(carried)),
        trust=carried.trust,
        motion=carried.motion,
    )


def _lost(state: SmoothingState, grey: Pixels) -> SmoothingState:
    """What was before a cut, left where it was."""
    return structs.replace(state, grey=grey, trust=np.zeros_like(state.trust), motion=None)
