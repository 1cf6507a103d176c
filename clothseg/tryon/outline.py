"""Finds the landmarks of a garment, worn or laid flat, in the outline of its mask: shoulders, sides,
sleeves, hem."""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import Region

Mask = NDArray[np.bool_]
"""(H, W), True where something is."""

Points = NDArray[np.float64]
"""(N, 2) x, y in pixels; NaN where a landmark is not seen."""

SIDES: Final = (0.3, 0.5, 0.75, 0.96)
"""How far down from the shoulders to the hem the sides of a top or dress are measured."""
LEGS: Final = (0.02, 0.25, 0.5, 0.75, 0.98)
"""How far down from the waist to the hem the outer sides of a bottom are measured."""
INNER: Final = (0.5, 0.96)
"""How far down from the crotch to the hem the inner sides of trouser legs are measured."""
SLEEVE: Final = (0.5, 0.95)
"""How far down from the shoulder to the cuff the edge of a sleeve is measured."""

# how far the sides of a torso at SIDES may be from its middle, in half shoulder widths: wider is an arm
_WIDEST: Final = {"upper": (1.06, 1.1, 1.15, 1.18), "whole": (1.06, 1.15, 9.0, 9.0)}
_BESIDE_ARM: Final = 1.0  # where the side is taken to be when an arm hides it, in half shoulder widths
_ARM: Final = 0.07  # how far in from the outline's corner a shoulder's seam is, in widths between the corners
_UNSEEN: Final = (math.nan, math.nan)
_NARROWEST_PX: Final = 4  # between the sides of a garment, and
_MIN_LENGTH_PX: Final = 4  # from its top to its hem: below, nothing can be distinguished


def landmarks(garment: Mask, person: Mask, region: Region, length: float | None) -> Points | None:
    """The landmarks of `garment` (H, W); None where too little of it is seen.

    `person` (H, W) is whatever belongs to the wearer, the garment included: where skin hides a side, the
    side is guessed. Laid flat, `person` is `garment`. `length` is the length to be expected in units of the
    width, for a garment cut by the picture's bottom edge; None for one seen whole. What the picture's edge
    hides is NaN.

    Upper and whole: collar left and right, shoulder left and right, left and right at each of `SIDES`, then
    the outer edge at each of `SLEEVE` and the middle of the cuff of the left and of the right sleeve.
    Lower: left and right at each of `LEGS`, crotch, left and right at each of `INNER`. Left is the
    picture's left.
    """
    rows = np.flatnonzero(garment.any(axis=1))
    if len(rows) < 8 or np.count_nonzero(garment) < 64:
        return None
    return _bottom(garment, person, length) if region == "lower" else _torso(garment, person, region, length)


def proportion(points: Points, region: Region) -> float:
    """Length over width of a garment seen whole, from its landmarks."""
    if region == "lower":
        first, last = points[0:2], points[2 * len(LEGS) - 2 : 2 * len(LEGS)]
    else:
        first, last = points[3:5], points[5 + 3 * len(SIDES) - 3 : 5 + 3 * len(SIDES) - 1]
    return float((last[:, 1].mean() - first[:, 1].mean()) / (first[1, 0] - first[0, 0]))


def _torso(garment: Mask, person: Mask, region: Region, length: float | None) -> Points | None:
    """The landmarks of a top or a dress: (23, 2); None where its torso is not seen."""
    upper = _upper_contour(garment)
    shoulders = _shoulders(garment, upper)
    if shoulders is None:
        return None
    width = shoulders[1, 0] - shoulders[0, 0]
    hem = _hem(garment, shoulders, length)
    if hem - shoulders[:, 1].mean() < _MIN_LENGTH_PX:
        return None
    sides = _sides(garment, person, shoulders, hem, _WIDEST[region])
    # Below, a dress flares.
    reach = round(hem) if region == "upper" else round(shoulders[:, 1].mean() * 0.5 + hem * 0.5)
    sleeves = [_sleeve(garment[:reach], shoulders[side], sides[side::3], width, side) for side in (0, 1)]
    return np.vstack([_collar(upper, shoulders), shoulders, sides, *sleeves])


def _shoulders(garment: Mask, upper: NDArray[np.float64]) -> Points | None:
    """Left and right shoulder (2, 2); None where nothing is seen between them, or of them.

    A shoulder is where the outline, followed outwards from the neck, turns down; on a garment laid flat
    with its sleeves spread it is above the side seam instead: whichever is nearer to the middle.
    """
    rows = np.flatnonzero(garment.any(axis=1))
    first, height = rows[0], rows[-1] - rows[0]
    chest = garment[first + height * 45 // 100 : first + height * 75 // 100 + 1]
    if not chest.any():  # two pieces, one above the other
        return None
    left, right = _run(chest, int(np.median(np.nonzero(chest)[1])))
    y, x = np.nonzero(garment[: first + height // 2 + 1])
    corners = float(x[np.argmax(-x - y)]), float(x[np.argmax(x - y)] + 1)
    arm = _ARM * (corners[1] - corners[0])  # hangs beside the torso where the outline is wider below its corners
    left = corners[0] + arm if left < corners[0] - arm else max(left, corners[0])
    right = corners[1] - arm if right > corners[1] + arm else min(right, corners[1])
    columns = np.clip(np.array([left, right - 1]).round().astype(int), 0, len(upper) - 1)
    if right - left < _NARROWEST_PX or np.isnan(upper[columns]).any():
        return None
    return np.array([[left, upper[columns[0]]], [right, upper[columns[1]]]])


def _collar(upper: NDArray[np.float64], shoulders: Points) -> Points:
    """Return where the shoulder lines meet the neck, left and right, and the middle of the neckline (3, 2)."""
    (left, _), (right, _) = shoulders
    middle, width = (left + right) / 2, right - left
    found = []
    for start, end in ((middle - 0.4 * width, middle - 0.1 * width), (middle + 0.1 * width, middle + 0.4 * width)):
        columns = np.arange(max(round(start), 0), min(round(end) + 1, len(upper)))
        heights = np.where(np.isnan(upper[columns]), math.inf, upper[columns])
        first = int(np.argmin(heights))
        found.append((columns[first] + 0.5, heights[first]) if heights[first] < math.inf else _UNSEEN)
    around = upper[max(round(middle - 0.03 * width), 0) : round(middle + 0.03 * width) + 1]
    lowest = float(np.median(around)) if len(around) else math.nan
    hidden = not 0 <= lowest - (found[0][1] + found[1][1]) / 2 <= 0.25 * width  # by a hand or hair
    return np.array([*found, _UNSEEN if hidden else (middle, lowest)])


def _hem(garment: Mask, shoulders: Points, length: float | None) -> float:
    """The row where the garment ends between its shoulders; guessed from `length` where the picture ends
    first."""
    (left, _), (right, _) = shoulders
    width, top = right - left, shoulders[:, 1].mean()
    start = max(round(left + 0.2 * width), 0)
    middle = garment[:, start : max(round(right - 0.2 * width), start + 1)]
    lowest = garment.shape[0] - np.argmax(middle[::-1], axis=0)[middle.any(axis=0)]
    hem = float(np.sort(lowest)[len(lowest) * 7 // 10]) if len(lowest) else top + width
    if length is not None and hem >= garment.shape[0] - 1:
        hem = max(hem, top + length * width)
    return hem


def _sides(garment: Mask, person: Mask, shoulders: Points, hem: float, widest: tuple[float, ...]) -> Points:
    """Left, right and middle of the torso at each of `SIDES` (3 · len(SIDES), 2)."""
    (left, _), (right, _) = shoulders
    middle, half, top = (left + right) / 2, (right - left) / 2, shoulders[:, 1].mean()
    found: list[tuple[float, float]] = []
    for down, limit in zip(SIDES, widest, strict=True):
        y = top + down * (hem - top)
        row = min(int(y), round(hem) - 2)
        if row >= garment.shape[0]:
            found += [_UNSEEN] * 3
            continue
        ends = (max(round(middle - limit * half), 0), min(round(middle + limit * half), garment.shape[1]))
        edges, beyond = _edges_near(garment[:, slice(*ends)], row), _edges_near(person, row)
        for sign, end, inside, person_edge in zip((-1, 1), ends, edges, beyond, strict=True):
            edge = ends[0] + inside
            reach = sign * (edge - middle) / half
            behind_arm = abs(edge - end) < 1 or (reach < 0.75 and sign * (person_edge - edge) > 0.1 * half)
            cut = edge <= 1 or edge >= garment.shape[1] - 1
            found.append(_UNSEEN if cut else (middle + sign * half * (_BESIDE_ARM if behind_arm else reach), y))
        found.append(((found[-2][0] + found[-1][0]) / 2, y))  # NaN where a side is
    return np.array(found)


def _sleeve(garment: Mask, shoulder: NDArray[np.float64], sides: Points, width: float, side: int) -> Points:
    """The outer edge of a sleeve at each of `SLEEVE` and the middle of its cuff (3, 2), from what is beside
    the torso."""
    unseen = np.full((len(SLEEVE) + 1, 2), math.nan)
    seam = np.vstack([shoulder, sides[np.isfinite(sides[:, 0])]])
    sign = 2 * side - 1
    rows, columns = np.arange(garment.shape[0]), np.arange(garment.shape[1])
    border = np.interp(rows, seam[:, 1], seam[:, 0])[:, None] + sign * 0.06 * width
    outside = columns > border if side else columns < border
    _, pieces, sizes, _ = cv2.connectedComponentsWithStats(np.asarray(garment & outside, np.uint8))
    if len(sizes) < 2 or sizes[1:, cv2.CC_STAT_AREA].max() < 0.015 * width**2:
        return unseen
    y, x = np.nonzero(pieces == 1 + np.argmax(sizes[1:, cv2.CC_STAT_AREA]))
    away = np.column_stack([x, y]) + 0.5 - shoulder
    distance = np.hypot(away[:, 0], away[:, 1])
    far = max(len(distance) // 20, 1)
    tip = away[np.argpartition(distance, -far)[-far:]].mean(axis=0)
    reach = float(np.hypot(*tip))
    if reach < 0.25 * width:
        return unseen
    along = tip / reach
    across = np.array([-along[1], along[0]])
    across *= sign * np.sign(across[0]) or 1  # outwards
    found = []
    for down in SLEEVE:
        offsets = (away @ across)[np.abs(away @ along - down * reach) < max(0.06 * reach, 1)]
        if len(offsets) == 0:
            return unseen
        found.append(shoulder + down * reach * along + offsets.max() * across)
    return np.array([*found, shoulder + down * reach * along + offsets.mean() * across])


def _bottom(garment: Mask, person: Mask, length: float | None) -> Points:
    """The landmarks of trousers, shorts or a skirt: (15, 2)."""
    upper, lower = _upper_contour(garment), garment.shape[0] - _upper_contour(garment[::-1])
    waist, hem = float(np.nanpercentile(upper, 25)), float(np.nanpercentile(lower, 75))
    left, right = _edges_near(garment, round(waist + 0.1 * (hem - waist)))
    if length is not None and hem >= garment.shape[0] - 1:
        hem = max(hem, waist + length * (right - left))
    outer = []
    for down in LEGS:
        y = waist + down * (hem - waist)
        row = round(y)
        seen = row < garment.shape[0]
        for edge in _edges_near(garment, row) if seen else (math.nan, math.nan):
            outer.append((edge, y) if 1 < edge < garment.shape[1] - 1 else _UNSEEN)
    return np.vstack([np.array(outer), _inner(garment, waist, hem)])


def _inner(garment: Mask, waist: float, hem: float) -> Points:
    """Crotch, then left and right of the gap between the legs at each of `INNER` (5, 2); NaN where there is
    no gap."""
    unseen = np.full((1 + 2 * len(INNER), 2), math.nan)
    first, last = round(waist + 0.2 * (hem - waist)), min(round(hem), garment.shape[0])
    gaps = np.array([_gap(row) for row in garment[first:last]])
    if len(gaps) == 0 or np.isfinite(gaps[:, 0]).mean() < 0.3:
        return unseen
    crotch = int(np.flatnonzero(np.isfinite(gaps[:, 0]))[0])
    found = [(float(gaps[crotch].mean()), float(first + crotch))]
    for down in INNER:
        row = round(crotch + down * (hem - first - crotch))
        near = gaps[max(row - 2, 0) : row + 3]
        near = near[np.isfinite(near[:, 0])]
        found += [(float(x), float(first + row)) for x in np.median(near, axis=0)] if len(near) else [_UNSEEN, _UNSEEN]
    return np.array(found)


def _gap(row: Mask) -> tuple[float, float]:
    """Left and right of the widest gap in a row (W,), NaN where it has none."""
    seen = np.flatnonzero(row)
    if len(seen) < 2:
        return math.nan, math.nan
    steps = np.diff(seen)
    widest = int(np.argmax(steps))
    if steps[widest] < 2:
        return math.nan, math.nan
    return float(seen[widest] + 1), float(seen[widest + 1])


def _upper_contour(mask: Mask) -> NDArray[np.float64]:
    """The first row of `mask` (H, W) in each column (W,), NaN in an empty column."""
    return np.where(mask.any(axis=0), np.argmax(mask, axis=0), math.nan)


def _run(mask: Mask, column: int) -> tuple[float, float]:
    """Left and right end of what is connected to `column` in each row, the median of the rows that have
    it."""
    rows = mask[mask[:, column]]
    if len(rows) == 0:  # the middle of two pieces side by side
        return float(column), float(column)
    end = np.zeros((len(rows), 1), np.bool_)
    left = column - np.argmin(np.hstack([rows[:, column::-1], end]), axis=1) + 1
    right = column + np.argmin(np.hstack([rows[:, column:], end]), axis=1)
    return float(np.sort(left)[len(left) // 2]), float(np.sort(right)[len(right) // 2])


def _edges(mask: Mask, first: int, last: int) -> NDArray[np.float64]:
    """Left and right end (N, 2) of those rows from `first` to `last` in which something is."""
    rows = mask[first:last]
    rows = rows[rows.any(axis=1)]
    return np.column_stack([np.argmax(rows, axis=1), mask.shape[1] - np.argmax(rows[:, ::-1], axis=1)]).astype(float)


def _edges_near(mask: Mask, row: int) -> tuple[float, float]:
    """Left and right end of `mask` around `row`, the median of five rows; NaN where there is nothing."""
    edges = _edges(mask, max(row - 2, 0), row + 3)
    if len(edges) == 0:
        return math.nan, math.nan
    left, right = np.sort(edges, axis=0)[len(edges) // 2]
    return float(left), float(right)
