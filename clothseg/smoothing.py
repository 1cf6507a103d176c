"""Steadies class probabilities over time along the picture's motion, so that masks do not flicker."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import cv2
import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from clothseg.identity import gather
from clothseg.labels import PERSON

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

_LEAST_SIDE_PX: Final = 32  # below this the flow has no patch to match
_ROUND_TRIP_PX: Final = 1.5  # there and back again may miss by so much
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


class SmoothingState(msgspec.Struct, frozen=True):
    """One camera's past.

    grey: (h', w') uint8, the picture at the mask's size, but at least 32 px a side.
    pts_ns: when it was seen. size: (K, h, w).
    averages: the classes but the background in groups of up to four, each (h, w, C) float32, 0 to 255.
    evidence: per garment, (h / 2, w / 2) float32, see `identity.gather`.
    """

    grey: Pixels
    pts_ns: int
    size: tuple[int, ...]
    averages: tuple[Reals, ...]
    evidence: tuple[Reals, ...]


class _Carried(NamedTuple):
    """How the past comes to the present: motion (h', w', 2) in px of h', w' and trust (h', w'), 0 to 1."""

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
    present = [
        cv2.merge([*probabilities[k : k + _GROUP]]).astype(np.float32) for k in range(1, len(probabilities), _GROUP)
    ]
    grey = _grey(picture, probabilities.shape[1:])
    carried = None
    if state is not None and state.size == probabilities.shape and pts_ns >= state.pts_ns:
        carried = _carry(state.grey, grey, settings.tolerance)
    if state is None or carried is None:
        averages, evidence, gap_ms = present, None, _NOMINAL_GAP_MS
    else:
        gap_ms = (pts_ns - state.pts_ns) / 1e6 or _NOMINAL_GAP_MS
        weight = _past_weight(probabilities, carried.trust, gap_ms, settings)
        maps = _maps(carried.motion, weight.shape)
        averages = [
            cv2.blendLinear(_read(past, maps), now, weight, 1 - weight)
            for past, now in zip(state.averages, present, strict=True)
        ]
        evidence = _carry_evidence(state.evidence, carried)
    planes = [plane for group in averages for plane in cv2.split(group)]
    gathered: Sequence[Reals] = ()
    if settings.garment_memory_ms and len(planes) > PERSON + 1:
        gathered, planes[PERSON:] = gather(evidence, planes[PERSON:], gap_ms, settings.garment_memory_ms)
    after = SmoothingState(grey, pts_ns, probabilities.shape, tuple(averages), tuple(gathered))
    return after, _whole(planes)


def carry(state: SmoothingState, picture: Pixels, settings: Smoothing) -> tuple[SmoothingState, Pixels]:
    """Carry the past on to a `picture` (H, W, 3) uint8 BGR that the network has not seen; return as `smooth` does.

    The state goes on counting from the last picture that it has seen. After a cut masks stay where they were.
    """
    grey = _grey(picture, state.size[1:])
    carried = _carry(state.grey, grey, settings.tolerance)
    averages, evidence = state.averages, state.evidence
    if carried is not None:
        maps = _maps(carried.motion, state.size[1:])
        averages = tuple(_read(past, maps) for past in averages)
        evidence = tuple(_carry_evidence(evidence, carried))
    planes = [plane for group in averages for plane in cv2.split(group)]
    if evidence:
        _, planes[PERSON:] = gather(evidence, planes[PERSON:], 0.0, settings.garment_memory_ms)
    return structs.replace(state, grey=grey, averages=averages, evidence=evidence), _whole(planes)


def _grey(picture: Pixels, size: tuple[int, ...]) -> Pixels:
    """The picture at the mask's size, grey; halved first, because averaging large areas is slow."""
    width, height = (max(side, _LEAST_SIDE_PX) for side in size[::-1])
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    while grey.shape[0] >= 3 * height and grey.shape[1] >= 3 * width:
        grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    small: Pixels = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return small


def _carry(before: Pixels, now: Pixels, tolerance: float) -> _Carried | None:
    """Motion from `now` back to `before` and how far to trust it; None after a cut."""
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    back, forth = flow.calc(now, before, None), flow.calc(before, now, None)
    maps = _maps(back, now.shape)
    seen = _read(before, maps)
    # Light that changes everywhere is no motion.
    brighter = float(cv2.mean(now)[0] - cv2.mean(seen)[0])
    error = cv2.blur(cv2.absdiff(cv2.add(seen, brighter), now), (3, 3))
    alike = cv2.LUT(error, np.exp(-((np.arange(256) / tolerance) ** 2)).astype(np.float32))
    missed = cv2.magnitude(*cv2.split(cv2.add(back, _read(forth, maps))))
    astray = missed / (cv2.magnitude(*cv2.split(back)) * np.float32(0.1) + np.float32(_ROUND_TRIP_PX))
    trust = alike * np.exp(-astray * astray)
    inside = cv2.inRange(cv2.merge(maps), (-0.5, -0.5), (now.shape[1] - 0.5, now.shape[0] - 0.5))
    trust = cv2.copyTo(trust, inside)
    return None if cv2.mean(trust)[0] < _CUT else _Carried(back, trust)


def _past_weight(probabilities: Pixels, trust: Reals, gap_ms: float, settings: Smoothing) -> Reals:
    """The past's weight at each pixel (h, w) float32, 0 to 1."""
    surest = probabilities[0]
    for plane in probabilities[1:]:
        surest = cv2.max(surest, plane)
    unsure = np.clip((255 - np.arange(256, dtype=np.float32)) / 127, 0, 1)
    constant = settings.time_constant_ms * (1 - unsure) + settings.unsure_time_constant_ms * unsure
    kept = cv2.LUT(surest, np.exp(-gap_ms / constant).astype(np.float32))
    weight: Reals = kept * cv2.resize(trust, surest.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return weight


def _maps(motion: Reals, size: tuple[int, ...]) -> tuple[Reals, Reals]:
    """Where in a past plane of `size` (h, w) each present pixel was: x and y, (h, w) float32."""
    height, width = size[:2]
    if motion.shape[:2] != (height, width):
        scale = np.array([width / motion.shape[1], height / motion.shape[0]], np.float32)
        motion = cv2.resize(motion, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    grid_y, grid_x = np.indices((height, width), np.float32, sparse=True)
    x, y = cv2.split(motion)
    return x + grid_x, y + grid_y


def _read(past: NDArray[Any], maps: tuple[Reals, Reals]) -> NDArray[Any]:
    read: NDArray[Any] = cv2.remap(past, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return read


def _carry_evidence(evidence: Sequence[Reals], carried: _Carried) -> list[Reals]:
    """Evidence moved to the present; where motion is not trusted it stays: what a hand hid is there again after."""
    if not evidence:
        return []
    moved = cv2.multiply(carried.motion, cv2.merge([carried.trust] * 2))
    maps = _maps(moved, evidence[0].shape)
    return [_read(plane, maps) for plane in evidence]


def _whole(planes: Sequence[Reals]) -> Pixels:
    """Class planes but the background (float32, 0 to 255) as (K, h, w) uint8, the background being the rest."""
    background = np.maximum(255 - sum(planes[1:], start=planes[0]), 0)
    return np.stack([cv2.convertScaleAbs(plane) for plane in (background, *planes)])
