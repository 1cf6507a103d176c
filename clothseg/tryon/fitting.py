"""Fits a flat picture of cloth onto a worn garment: landmarks to landmarks, shaded by the folds that are
worn."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import Region
from clothseg.matting.matting import Matte
from clothseg.tryon.blend import Image, Slices, halve_until, replace_colour, strips
from clothseg.tryon.outline import Points, landmarks, proportion
from clothseg.tryon.part import Garment, class_mask, edge_px, garment_alpha
from clothseg.tryon.shading import Light, fold_gains, fold_levels, follow_light
from clothseg.tryon.spline import solve
from clothseg.tryon.tracking import Track, fill_missing, follow_motion, is_other_garment, pull_towards_observed

_MASK_PX = 128  # the longer side of the mask in which landmarks are looked for
_REMEASURE_MS = 90  # landmarks follow the outline slowly: it need not be looked at in every picture
_FLOW_PX = 320  # and of the picture in which motion is measured
_GRID_PX = 32  # the spline is evaluated this far apart; in between it is as good as straight
_STIFFNESS = 0.1
_PRINT_SPREADS = 1.1  # what the worn garment has on it that is this much brighter than its folds must not show through
_FOLD_PX = 100  # folds are looked for in a garment whose longer side is at least this, and under twice as much
_MIN_AREA_PX = 128  # the longer side of the smallest size that a flat garment is kept in
_MAX_WEARERS = 3  # people dressed at once


class FlatGarment(NamedTuple):
    """A garment laid flat, ready to be fitted.

    cloth: (H, W, 4) uint8 BGRA, and the same in half, quarter … size; its alpha says how much of the worn
    garment it hides (four channels are also twice as fast to remap as three). points: (N, 2) its landmarks, x
    and y in pixels of the largest, NaN where it has none. length: in units of its width. brightness: 1 to 255,
    its brightest channel on average. part, region: the class that it is put on, and where on the body that is.
    """

    part: Garment
    region: Region
    cloth: tuple[NDArray[np.uint8], ...]
    points: Points
    length: float | None
    brightness: float


FlatFor = Callable[[Region], FlatGarment]
"""The same cloth laid flat for a region of the body, chosen by the classes of the first frame."""


def pyramid(cloth: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """`cloth` (H, W, 4) and its halves, so that fine patterns do not shimmer where it is shown small."""
    sizes = [np.ascontiguousarray(cloth)]
    while max(sizes[-1].shape) >= 2 * _MIN_AREA_PX:
        size = ((sizes[-1].shape[1] + 1) // 2, (sizes[-1].shape[0] + 1) // 2)
        sizes.append(np.asarray(cv2.resize(sizes[-1], size, interpolation=cv2.INTER_AREA), np.uint8))
    return tuple(sizes)


class Wearer(NamedTuple):
    """One worn garment: its landmarks, its light, and which of the `FlatGarment`'s pyramid levels is shown."""

    track: Track
    light: Light
    size: int


class _WarpedGarment(NamedTuple):
    """`flat` (h, w, 4), looked up `where` (H, W, 2) x, y, and lit by `shade` (H, W) uint8, 128 is 1."""

    flat: NDArray[np.uint8]
    where: NDArray[np.float32]
    shade: NDArray[np.uint8]


class Observation(NamedTuple):
    """One frame in grey and its label map, both small, for measuring.

    grey: (h, w) uint8. parts: (h, w) uint8, class indices.
    """

    matte: Matte
    grey: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    pts_ns: int


def fit(
    wearers: tuple[Wearer, ...], picture: Image, matte: Matte, flat: FlatGarment, pts_ns: int
) -> tuple[tuple[Wearer, ...], Image]:
    """`picture` with `flat` on everyone who wears its part; `picture` itself where no one does.

    `wearers` are those of this camera's last picture, () at first. Painted is only where the worn garment
    shows: what is in front of it, hands, arms, hair, bags, is of another class and stays in front.
    """
    view = _observe(matte, pts_ns)
    covered = matte.classes.covered(flat.part)
    mask = class_mask(view.parts, covered)
    found = person_columns(mask)
    now, painted = [], picture.copy() if found else picture
    for columns in found:
        alone = mask
        if len(found) > 1:
            alone = np.zeros_like(mask)
            alone[:, columns] = mask[:, columns]
        before = _previous_wearer(wearers, columns, view)
        box, track = _box(alone, view), _update_track(before.track if before else None, alone, view, flat)
        if track is None:
            continue
        garment = class_mask(matte.parts[box], covered)
        light = follow_light(before.light if before else None, matte.foreground, matte.foreground[box], garment, pts_ns)
        if light is None:
            continue
        try:
            where, size = _lookup_map(track, before.size if before else None, box, view, flat)
        except np.linalg.LinAlgError:  # what is seen of the garment lies on one line
            continue
        worn, alpha = matte.foreground[box], garment_alpha(matte, garment, box)
        lit = _WarpedGarment(flat.cloth[size], where, _shade(worn, light, flat))
        _replace_garment(painted[box], alpha, worn, lit)
        now.append(Wearer(track, light, size))
    return tuple(now), painted if now else picture


def person_columns(mask: NDArray[np.uint8]) -> list[slice]:
    """Return the columns of each of at most `_MAX_WEARERS` people side by side who wear what is in `mask` (H, W).

    Empty columns separate two people; a piece under a quarter of the largest is someone's
    sleeve.
    """
    area = cv2.reduce(mask, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0] // 255
    ends = np.flatnonzero(np.diff(np.concatenate([[0], area > 0, [0]])))
    pieces = [(int(area[start:end].sum()), int(start), int(end)) for start, end in ends.reshape(-1, 2)]
    if not pieces:
        return []
    large = sorted(pieces, reverse=True)[:_MAX_WEARERS]
    chosen = sorted((start, end) for size, start, end in large if size > 0.25 * large[0][0])
    borders = [0, *((a[1] + b[0]) // 2 for a, b in pairwise(chosen)), mask.shape[1]]
    return [slice(start, end) for start, end in pairwise(borders)]


def _previous_wearer(wearers: tuple[Wearer, ...], columns: slice, view: Observation) -> Wearer | None:
    """Return who was in the middle of `columns` before; None for someone new, or a picture of another size."""
    for wearer in wearers:
        middle = np.nanmean(wearer.track.points[:, 0])
        if wearer.track.grey.shape == view.grey.shape and columns.start <= middle < columns.stop:
            return wearer
    return None


def _observe(matte: Matte, pts_ns: int) -> Observation:
    """The picture of `matte` in grey and its parts, small."""
    height, width = matte.parts.shape
    scale = min(_FLOW_PX / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    grey = cv2.cvtColor(cv2.resize(matte.foreground, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2GRAY)
    return Observation(matte, grey, cv2.resize(matte.parts, size, interpolation=cv2.INTER_NEAREST), pts_ns)


def _scale(view: Observation) -> tuple[float, float]:
    """Return how many pixels of the picture one of `view.grey` is, across and down."""
    (height, width), (h, w) = view.matte.parts.shape, view.grey.shape
    return width / w, height / h


def _box(mask: NDArray[np.uint8], view: Observation) -> Slices:
    """Return the part of the picture that holds what is in `mask` (h, w), with a margin for its soft edges."""
    room, (height, width), (across, down) = edge_px(view.matte.parts.shape[0]), view.matte.parts.shape, _scale(view)
    x, y, wide, high = cv2.boundingRect(mask)
    rows = slice(max(int((y - 1) * down) - room, 0), min(int((y + high + 1) * down) + room, height))
    return rows, slice(max(int((x - 1) * across) - room, 0), min(int((x + wide + 1) * across) + room, width))


def _update_track(before: Track | None, mask: NDArray[np.uint8], view: Observation, flat: FlatGarment) -> Track | None:
    """The landmarks of the garment in `mask` (h, w), in pixels of `view.grey`; None if too little of it is seen.

    The outline draws them slowly, and is not looked at in every picture while the cloth shows how it moves.
    """
    followed, share = follow_motion(before, view.grey, mask, view.pts_ns) if before else (None, 0.0)
    if (
        followed is not None
        and np.isfinite(followed.observed).any()
        and 0 <= view.pts_ns - followed.observed_ns < _REMEASURE_MS * 1e6
    ):
        return pull_towards_observed(followed, share)
    height, width = view.grey.shape
    scale = min(_MASK_PX / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    garment = cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127
    person = garment | (cv2.resize(view.parts, size, interpolation=cv2.INTER_NEAREST) > 0)
    seen = landmarks(garment, person, flat.region, flat.length)
    if seen is None:
        return None
    seen = seen * (width / size[0], height / size[1])
    if followed is None or is_other_garment(followed, seen):
        whole = fill_missing(seen, flat.points)
        return None if whole is None else Track(whole, seen, view.pts_ns, view.grey, mask, view.pts_ns)
    return pull_towards_observed(followed._replace(observed=seen, observed_ns=view.pts_ns), share)


def _lookup_map(
    track: Track, before: int | None, box: Slices, view: Observation, flat: FlatGarment
) -> tuple[NDArray[np.float32], int]:
    """Return the look-up map of `box` into the flat garment, x and y, (H, W, 2) of the box's size, and the
    pyramid level.

    The spline is evaluated in the middles of coarse cells, one more around the box, and interpolated.
    """
    common = np.isfinite(track.points[:, 0]) & np.isfinite(flat.points[:, 0])
    on_picture, on_flat = track.points[common] * _scale(view), flat.points[common]
    if flat.length is None:
        on_flat = on_flat[0] + (on_flat - on_flat[0]) * (1, proportion(track.points, flat.region))
    spline = solve(on_picture, on_flat, _STIFFNESS)
    size = _pyramid_level(float(np.ptp(on_flat[:, 0]) / max(np.ptp(on_picture[:, 0]), 1)), before, len(flat.cloth))
    rows, columns = (np.arange(side.start - 0.5 * _GRID_PX, side.stop + 1.5 * _GRID_PX, _GRID_PX) - 0.5 for side in box)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)
    coarse = ((spline(grid.reshape(-1, 2)).reshape(grid.shape) + 0.5) / 2**size - 0.5).astype(np.float32)
    fine = cv2.resize(coarse, None, fx=_GRID_PX, fy=_GRID_PX, interpolation=cv2.INTER_LINEAR)
    height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
    return fine[_GRID_PX : _GRID_PX + height, _GRID_PX : _GRID_PX + width], size


def _pyramid_level(reduction: float, before: int | None, count: int) -> int:
    """Which halving to show where the flat garment is shown `reduction` times as small as it is.

    The one in use is kept while it is not far off, so that someone who sways does not make it flicker.
    """
    if before is not None and 0.75 < reduction / 2**before < 2:
        return before
    return min(max(math.floor(math.log2(max(reduction, 1) * 1.15)), 0), count - 1)


def _shade(worn: Image, light: Light, flat: FlatGarment) -> NDArray[np.uint8]:
    """Return the gains of `flat`'s colours that show the folds in `worn` (H, W, 3): (H, W) uint8,
    128 is 1."""
    gains = 128 * fold_gains(light, flat.brightness, _PRINT_SPREADS) * (1 + light.exposure) / 2
    small = halve_until(worn, max(max(worn.shape) // 4, _FOLD_PX))  # folds are broad; noise is not
    folds = cv2.LUT(fold_levels(small, light), np.minimum(gains, 255).round().astype(np.uint8))
    return np.asarray(cv2.resize(folds, (worn.shape[1], worn.shape[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def _replace_garment(canvas: Image, alpha: NDArray[np.uint8], worn: Image, new: _WarpedGarment) -> None:
    """Paint `new` on `canvas` (H, W, 3) in the place of `worn` (H, W, 3), which is seen there by `alpha` (H, W)."""
    for strip in strips(alpha):
        cloth = cv2.remap(new.flat, new.where[strip], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        hidden = cv2.multiply(alpha[strip], cv2.extractChannel(cloth, 3), scale=1 / 255)
        for part in strips(hidden):  # of a print little may be left
            colour = cv2.cvtColor(cloth[part], cv2.COLOR_BGRA2BGR)
            shade = cv2.cvtColor(new.shade[strip][part], cv2.COLOR_GRAY2BGR)
            lit = cv2.multiply(colour, shade, dst=colour, scale=1 / 128)
            replace_colour(canvas[strip][part], hidden[part], worn[strip][part], lit)
