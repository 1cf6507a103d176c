"""Fits a flat picture of cloth onto a worn garment: landmarks to landmarks, shaded by the folds that are
worn."""

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.matting import Matte
from clothseg.tryon.blend import Box, Picture, paint
from clothseg.tryon.outline import Points, landmarks, proportion
from clothseg.tryon.part import Part, covered_mask, part_alpha, part_box
from clothseg.tryon.shading import Light, fold_gains, fold_levels, follow_light
from clothseg.tryon.spline import Spline, solve
from clothseg.tryon.tracking import Track, complete, follow, strayed

_MASK_PX = 128  # the longer side of the mask in which landmarks are looked for
_FLOW_PX = 320  # and of the picture in which motion is measured
_GRID_PX = 32  # the spline is evaluated this far apart; in between it is as good as straight
_STIFFNESS = 0.1
_PRINT_SPREADS = 1.8  # what the worn garment has on it that is this much brighter than its folds must not show through
_WEARERS = 3  # people dressed at once


class Flat(NamedTuple):
    """A garment laid flat, ready to be fitted.

    cloth: (H, W, 4) uint8 BGRA; its alpha says how much of the worn garment it hides (four channels are
    also twice as fast to remap as three). points: (N, 2) its landmarks, x and y in pixels, NaN where it has
    none. length: in units of its width. brightness: 1 to 255, its brightest channel on average.
    """

    part: Part
    cloth: NDArray[np.uint8]
    points: Points
    length: float | None
    brightness: float


class Wearer(NamedTuple):
    """One worn garment: the part of the picture it is in, where it is there, and how it is lit."""

    box: Box
    track: Track
    light: Light


class View(NamedTuple):
    """What one camera picture shows of the people in it. grey: (h, w) uint8, for measuring motion."""

    matte: Matte
    grey: NDArray[np.uint8]
    pts_ns: int


def fit(
    wearers: tuple[Wearer, ...], picture: Picture, matte: Matte, flat: Flat, pts_ns: int
) -> tuple[tuple[Wearer, ...], Picture]:
    """`picture` with `flat` on everyone who wears its part; `picture` itself where no one does.

    `wearers` are those of this camera's last picture, () at first. Painted is only where the worn garment
    shows: what is in front of it, hands, arms, hair, bags, is of another class and stays in front.
    """
    view = View(matte, _grey(matte.foreground), pts_ns)
    mask = covered_mask(matte.parts, flat.part)
    now = []
    found = people(mask)
    for columns in found:
        alone = mask
        if len(found) > 1:
            alone = np.zeros_like(mask)
            alone[:, columns] = mask[:, columns]
        wearer = _find(_nearest(wearers, columns, view), alone, view, flat)
        if wearer is not None:
            now.append(wearer)
            picture = _put_on(wearer, alone, picture, view, flat)
    return tuple(now), picture


def people(mask: NDArray[np.uint8]) -> list[slice]:
    """The columns of each of at most `_WEARERS` people side by side who wear what is in `mask` (H, W).

    Two are told apart by empty columns between them; a piece under a quarter of the largest is someone's
    sleeve.
    """
    area = np.count_nonzero(mask[::8], axis=0)
    ends = np.flatnonzero(np.diff(np.concatenate([[0], area > 0, [0]])))
    pieces = [(int(area[start:end].sum()), int(start), int(end)) for start, end in ends.reshape(-1, 2)]
    if not pieces:
        return []
    large = sorted(pieces, reverse=True)[:_WEARERS]
    chosen = sorted((start, end) for size, start, end in large if size > 0.25 * large[0][0])
    borders = [0, *((a[1] + b[0]) // 2 for a, b in pairwise(chosen)), mask.shape[1]]
    return [slice(start, end) for start, end in pairwise(borders)]


def _nearest(wearers: tuple[Wearer, ...], columns: slice, view: View) -> Wearer | None:
    """Who was in the middle of `columns` before; None for someone new, or a picture of another size."""
    start, stop = (edge * view.grey.shape[1] / view.matte.parts.shape[1] for edge in (columns.start, columns.stop))
    for wearer in wearers:
        if wearer.track.grey.shape == view.grey.shape and start <= np.nanmean(wearer.track.points[:, 0]) < stop:
            return wearer
    return None


def _grey(picture: Picture) -> NDArray[np.uint8]:
    """`picture` (H, W, 3) in grey and small, for measuring motion."""
    scale = min(_FLOW_PX / max(picture.shape), 1.0)
    size = (max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def _find(before: Wearer | None, mask: NDArray[np.uint8], view: View, flat: Flat) -> Wearer | None:
    """Where the garment in `mask` (H, W) is and how it is lit; None if too little of it is seen."""
    box = part_box(mask)
    track = _track(before.track if before else None, mask, view, flat)
    if box is None or track is None:
        return None
    foreground = view.matte.foreground
    light = follow_light(before.light if before else None, foreground, foreground[box], mask[box], view.pts_ns)
    return None if light is None else Wearer(box, track, light)


def _track(before: Track | None, mask: NDArray[np.uint8], view: View, flat: Flat) -> Track | None:
    """The landmarks of the garment in `mask` (H, W), in pixels of `view.grey`."""
    height, width = view.grey.shape
    scale = min(_MASK_PX / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    where = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    garment = cv2.resize(where, size, interpolation=cv2.INTER_AREA) > 127
    person = garment | (cv2.resize(view.matte.parts, size, interpolation=cv2.INTER_NEAREST) > 0)
    seen = landmarks(garment, person, flat.part, flat.length)
    if seen is None:
        return None
    seen = seen * (width / size[0], height / size[1])
    if before is None or strayed(before, seen):
        whole = complete(seen, flat.points)
        return None if whole is None else Track(whole, view.grey, where, view.pts_ns)
    return follow(before, seen, view.grey, where, view.pts_ns)


def _put_on(wearer: Wearer, mask: NDArray[np.uint8], picture: Picture, view: View, flat: Flat) -> Picture:
    """`picture` with `flat` painted where `mask` (H, W) shows the worn garment of `wearer`."""
    box, track, light = wearer
    worn, alpha = view.matte.foreground[box], part_alpha(view.matte, mask, box)
    common = np.isfinite(track.points[:, 0]) & np.isfinite(flat.points[:, 0])
    on_picture = track.points[common] * (mask.shape[1] / track.grey.shape[1], mask.shape[0] / track.grey.shape[0])
    on_flat = flat.points[common]
    if flat.length is None:
        on_flat = on_flat[0] + (on_flat - on_flat[0]) * (1, proportion(track.points, flat.part))
    where = _map(solve(on_picture, on_flat, _STIFFNESS), box)
    cloth = cv2.remap(flat.cloth, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    gains = 128 * fold_gains(light, flat.brightness, _PRINT_SPREADS) * (1 + light.exposure) / 2
    half = cv2.resize(worn, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # folds are broad; noise is not
    small = cv2.LUT(fold_levels(half, light), np.minimum(gains, 255).round().astype(np.uint8))
    shade = cv2.resize(small, (worn.shape[1], worn.shape[0]), interpolation=cv2.INTER_LINEAR)
    lit = cv2.multiply(cloth, cv2.merge([shade, shade, shade, np.full_like(shade, 128)]), dst=cloth, scale=1 / 128)
    shown = cv2.multiply(alpha, cv2.extractChannel(lit, 3), dst=alpha, scale=1 / 255)
    return paint(picture, box, cv2.cvtColor(lit, cv2.COLOR_BGRA2BGR), shown)


def _map(spline: Spline, box: Box) -> NDArray[np.float32]:
    """Where each pixel of `box` looks in the flat garment: x and y, (H, W, 2) of the box's size.

    The spline is evaluated in the middles of coarse cells, one more around the box, and interpolated.
    """
    rows, columns = (np.arange(side.start - 0.5 * _GRID_PX, side.stop + 1.5 * _GRID_PX, _GRID_PX) - 0.5 for side in box)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)
    coarse = spline(grid.reshape(-1, 2)).reshape(grid.shape).astype(np.float32)
    fine = cv2.resize(coarse, None, fx=_GRID_PX, fy=_GRID_PX, interpolation=cv2.INTER_LINEAR)
    height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
    return np.asarray(fine[_GRID_PX : _GRID_PX + height, _GRID_PX : _GRID_PX + width], np.float32)
