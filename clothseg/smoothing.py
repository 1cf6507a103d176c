"""Steadies class probabilities over time along the picture's motion, so that masks do not flicker."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import cv2
import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from clothseg.identity import EVIDENCE_PX, REACH, gather
from clothseg.labels import PERSON

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

_LEAST_SIDE_PX: Final = 32  # below this the flow has no patch to match
_SHRINK: Final = 2  # mask pixels to one of motion, each way
_FAINT: Final = 24  # of 255: less than this of a person is nobody
_MARGIN_PX: Final = 8  # around what is steadied; its corners are multiples of it
_ROUND_TRIP_PX: Final = 3.0  # there and, seen coarsely, back again may miss by so much, in mask pixels
_CUT: Final = 0.3  # a picture of which less can be explained is another scene
_NOMINAL_GAP_MS: Final = 33.0  # between frames whose timestamps stand still
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


class Area(NamedTuple):
    """A rectangle of a mask, in its pixels."""

    top: int
    left: int
    bottom: int
    right: int

    def over(self, size: tuple[int, ...], grid: tuple[int, ...]) -> tuple[slice, slice]:
        """The same part of a `grid` (h', w') that covers what the mask of `size` (h, w) covers."""
        height, width = size
        tall, wide = grid[:2]
        return (
            slice(self.top * tall // height, -(-self.bottom * tall // height)),
            slice(self.left * wide // width, -(-self.right * wide // width)),
        )


class SmoothingState(msgspec.Struct, frozen=True):
    """One camera's past.

    grey: (h', w') uint8, the picture at half the mask's size, but at least 32 px a side.
    pts_ns: when it was seen. size: (K, h, w). area: the part of (h, w) where anybody was.
    averages: the classes but the background there, in groups of up to four, each (…, …, C) float32, 0 to 255.
    evidence: per garment, (h / 4, w / 4) float32, see `identity.gather`.
    """

    grey: Pixels
    pts_ns: int
    size: tuple[int, ...]
    area: Area
    averages: tuple[Reals, ...]
    evidence: tuple[Reals, ...]


class _Carried(NamedTuple):
    """How the past comes to an area of the present.

    motion: (h', w', 2) float32 in its own px, and trust (h', w'), 0 to 1, at half the mask's size.
    """

    area: Area
    motion: Reals
    trust: Reals


def smooth(
    state: SmoothingState | None,
    probabilities: Pixels,
    picture: Pixels,
    pts_ns: int,
    settings: Smoothing,
) -> tuple[SmoothingState, Pixels]:
    """Average `probabilities` (K, h, w) uint8 with their past; return the new state and the average, same form.

    `state` is None on the first frame or a new epoch; `picture` is (H, W, 3) uint8 BGR. The past is carried
    to the present by dense optical flow (DIS, Kroeger et al. 2016) and counts where flow forwards and backwards
    agree and the carried picture matches: not where something was hidden or has changed. There it weighs
    exp(−gap / time constant), so that a dropped frame changes nothing. A cut, another size and a timestamp that
    jumps back start anew; one that stands still counts as 33 ms.
    """
    size = probabilities.shape[1:]
    grey = _grey(picture, size)
    area = _area(cv2.boundingRect(cv2.inRange(probabilities[0], 0, 255 - _FAINT)), size)
    carried = None
    if state is not None and state.size == probabilities.shape and pts_ns >= state.pts_ns:
        carried = _carry(state, grey, _union(area, state.area), settings.tolerance)
    if state is None or carried is None:
        whole, gap_ms = area, _NOMINAL_GAP_MS
        averages = _present(probabilities, whole)
        evidence = [np.zeros(_grid(size), np.float32) for _ in probabilities[PERSON + 1 :]]
    else:
        whole, gap_ms = carried.area, (pts_ns - state.pts_ns) / 1e6 or _NOMINAL_GAP_MS
        weight = _past_weight(probabilities, carried, gap_ms, settings)
        averages = [
            cv2.blendLinear(past, now, weight, 1 - weight)
            for past, now in zip(_past(state, carried), _present(probabilities, whole), strict=True)
        ]
        evidence = _carry_evidence(state, carried)
    planes = _planes(averages)
    evidence = _settle(evidence, planes, whole.over(size, _grid(size)), gap_ms, settings.garment_memory_ms)
    # Only where somebody is now will be asked for again.
    inner = np.s_[area.top - whole.top : area.bottom - whole.top, area.left - whole.left : area.right - whole.left]
    kept = tuple(group[inner] for group in averages)
    after = SmoothingState(grey, pts_ns, probabilities.shape, area, kept, tuple(evidence))
    return after, _fill(probabilities.copy(), planes, whole)


def carry(state: SmoothingState, picture: Pixels, settings: Smoothing) -> tuple[SmoothingState, Pixels]:
    """Carry the past on to a `picture` (H, W, 3) uint8 BGR that the network has not seen; return as `smooth` does.

    The state goes on counting from the last picture that it has seen. After a cut masks stay where they were.
    """
    size = state.size[1:]
    grey = _grey(picture, size)
    top, left, bottom, right = state.area
    around = _area(
        (left - _MARGIN_PX, top - _MARGIN_PX, right - left + 2 * _MARGIN_PX, bottom - top + 2 * _MARGIN_PX), size
    )
    carried = _carry(state, grey, around, settings.tolerance)
    area, averages, evidence = state.area, list(state.averages), list(state.evidence)
    if carried is not None:
        area, averages, evidence = around, _past(state, carried), _carry_evidence(state, carried)
    planes = _planes(averages)
    _settle(evidence, planes, area.over(size, _grid(size)), 0.0, settings.garment_memory_ms)
    after = structs.replace(state, grey=grey, area=area, averages=tuple(averages), evidence=tuple(evidence))
    nobody = np.zeros(state.size, np.uint8)
    nobody[0] = 255
    return after, _fill(nobody, planes, area)


def _area(box: Sequence[int], size: tuple[int, ...]) -> Area:
    """A box (x, y, w, h) and a margin, at corners that motion and evidence have too, and large enough for flow."""
    sides = []
    for start, length, side in ((box[1], box[3], size[0]), (box[0], box[2], size[1])):
        step = _MARGIN_PX
        first = max((start - step) // step * step, 0)
        last = max(-(-(start + length + step) // step) * step, first + 2 * _LEAST_SIDE_PX)
        if last > side:
            first, last = max(min(first, (side - 2 * _LEAST_SIDE_PX) // step * step), 0), side
        sides.append((first, last))
    return Area(sides[0][0], sides[1][0], sides[0][1], sides[1][1])


def _union(one: Area, other: Area) -> Area:
    return Area(*map(min, one[:2], other[:2]), *map(max, one[2:], other[2:]))


def _grid(size: tuple[int, ...]) -> tuple[int, int]:
    """The size of evidence for a mask of `size` (h, w)."""
    return max(size[0] // EVIDENCE_PX, 1), max(size[1] // EVIDENCE_PX, 1)


def _present(probabilities: Pixels, area: Area) -> list[Reals]:
    """What the network says of the classes but the background, in groups."""
    top, left, bottom, right = area
    inside = probabilities[:, top:bottom, left:right]
    return [cv2.merge([*inside[k : k + _GROUP]]).astype(np.float32) for k in range(1, len(inside), _GROUP)]


def _grey(picture: Pixels, size: tuple[int, ...]) -> Pixels:
    """The picture at half the mask's size, grey; sampled at its size first, because averaging large areas is slow."""
    height, width = (max(side // _SHRINK, _LEAST_SIDE_PX) for side in size)
    sampled = cv2.resize(picture, (_SHRINK * width, _SHRINK * height), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(sampled, cv2.COLOR_BGR2GRAY)
    small: Pixels = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return small


def _flow(preset_scale: int) -> cv2.DISOpticalFlow:
    """Dense inverse search down to a pyramid level; six descents do what the preset's twelve do."""
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow.setFinestScale(preset_scale)
    flow.setGradientDescentIterations(6)
    return flow


def _carry(state: SmoothingState, grey: Pixels, area: Area, tolerance: float) -> _Carried | None:
    """Motion from the present's `grey` back to the past and how far to trust it in `area`; None after a cut."""
    at = area.over(state.size[1:], grey.shape)
    before, now = np.ascontiguousarray(state.grey[at]), np.ascontiguousarray(grey[at])
    # The way back only has to tell right from wrong: a level coarser will do.
    back, forth = _flow(1).calc(now, before, None), _flow(2).calc(before, now, None)
    alike = _alike(_read(before, back), now, tolerance)
    missed_x, missed_y = _planes([cv2.add(back, _read(forth, back))])
    x, y = _planes([back])
    allowed = cv2.magnitude(x, y) * np.float32(0.1) + np.float32(_ROUND_TRIP_PX / _SHRINK)
    astray = cv2.magnitude(missed_x, missed_y) / allowed
    trust = alike * cv2.exp(-astray * astray)
    height, width = now.shape
    x += np.arange(width, dtype=np.float32)
    y += np.arange(height, dtype=np.float32)[:, None]
    trust *= (abs(x - (width - 1) / 2) <= width / 2) & (abs(y - (height - 1) / 2) <= height / 2)
    # A body may turn about; that its surroundings stay tells it from a cut.
    if cv2.mean(trust)[0] < _CUT and cv2.mean(_alike(state.grey, grey, tolerance))[0] < _CUT:
        return None
    return _Carried(area, back, trust)


def _alike(carried: Pixels, now: Pixels, tolerance: float) -> Reals:
    """How far one grey picture is the other, 0 to 1, (h', w') float32."""
    # Light that changes everywhere is no motion.
    brighter = float(cv2.mean(now)[0] - cv2.mean(carried)[0])
    error = cv2.blur(cv2.absdiff(cv2.add(carried, brighter), now), (3, 3))
    alike: Reals = cv2.LUT(error, np.exp(-((np.arange(256) / tolerance) ** 2)).astype(np.float32))
    return alike


def _past_weight(probabilities: Pixels, carried: _Carried, gap_ms: float, settings: Smoothing) -> Reals:
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


def _past(state: SmoothingState, carried: _Carried) -> list[Reals]:
    """The past's averages, carried to the area of the present."""
    top, left, bottom, right = carried.area
    moves = _moves(carried.motion, (bottom - top, right - left), (top - state.area.top, left - state.area.left))
    return [_read(group, moves) for group in state.averages]


def _moves(motion: Reals, size: tuple[int, ...], origin: tuple[int, int] = (0, 0)) -> Reals:
    """How far each pixel of a present part of `size` (h, w) is from its place in a past plane: (h, w, 2) float32.

    `origin` (y, x) is where the present part starts in the past plane.
    """
    height, width = size[:2]
    scale_x, scale_y = width / motion.shape[1], height / motion.shape[0]
    affine = np.array([[scale_x, 0, origin[1]], [0, scale_y, origin[0]]])
    moves: Reals = cv2.resize(cv2.transform(motion, affine), (width, height), interpolation=cv2.INTER_LINEAR)
    return moves


def _read(past: NDArray[Any], moves: Reals) -> NDArray[Any]:
    how = cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP
    read: NDArray[Any] = cv2.remap(past, moves, None, how, borderMode=cv2.BORDER_REPLICATE)
    return read


def _carry_evidence(state: SmoothingState, carried: _Carried) -> list[Reals]:
    """Evidence moved to the present; where motion is not trusted it stays: what a hand hid is there again after."""
    if not state.evidence:
        return []
    at = carried.area.over(state.size[1:], state.evidence[0].shape)
    motion = cv2.multiply(carried.motion, cv2.merge([carried.trust] * 2))
    moves = _moves(motion, state.evidence[0][at].shape, (at[0].start, at[1].start))
    moved = [plane.copy() for plane in state.evidence]
    for plane, past in zip(moved, state.evidence, strict=True):
        plane[at] = _read(past, moves)
    return moved


def _settle(
    evidence: Sequence[Reals], planes: list[Reals], at: tuple[slice, slice], gap_ms: float, memory_ms: float
) -> list[Reals]:
    """Weigh the garments among `planes`, in place, by evidence `at` their area; return the new evidence."""
    if not memory_ms or len(evidence) < 2:
        return []
    reach = max(evidence[0].shape[0] // REACH, 1)
    fade = math.exp(-gap_ms / memory_ms)
    here = [plane[at] for plane in evidence]
    gathered, planes[PERSON:] = gather(here, planes[PERSON:], gap_ms, memory_ms, reach)
    after = []
    for plane, new in zip(evidence, gathered, strict=True):
        faded = plane * np.float32(fade)
        faded[at] = new
        after.append(faded)
    return after


def _planes(groups: Sequence[Reals]) -> list[Reals]:
    """The planes of all groups; numpy takes them apart in a third of OpenCV's time."""
    return [np.ascontiguousarray(plane) for group in groups for plane in np.moveaxis(np.atleast_3d(group), 2, 0)]


def _fill(probabilities: Pixels, planes: Sequence[Reals], area: Area) -> Pixels:
    """Put class planes but the background (float32, 0 to 255) into an area; the background is the rest."""
    inside = probabilities[:, area.top : area.bottom, area.left : area.right]
    people = np.zeros(inside.shape[1:], np.uint8)
    for plane, target in zip(planes, inside[1:], strict=True):
        rounded = cv2.convertScaleAbs(plane)
        people = cv2.add(people, rounded)
        target[:] = rounded
    inside[0] = cv2.bitwise_not(people)
    return probabilities
