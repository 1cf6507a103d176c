"""Turns network-size probabilities and the full-size picture into an alpha and part masks with true edges."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

_SURE: Final = 8  # of 255: a probability this near to 0 or 1 leaves nothing to refine
_BAND_PX: Final = 1  # network pixels around the unsure ones that are refined too
_SHRINK: Final = 2  # network pixels to one of the colour model
_WINDOW: Final = 5  # of the colour model, in its own pixels
_ROW: Final = 256  # the unknown pixels are worked on in rows of this length
# Log odds of each probability; bounded, so that colours can always overrule the network inside the band.
_ODDS: Final = np.log((p := np.clip(np.arange(256) / 255, 0.004, 0.996)) / (1 - p)).astype(np.float32)


class Matting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How masks are fitted to the picture's edges."""

    colour_evidence: Annotated[float, msgspec.Meta(ge=0, le=20)] = 6.0
    """Log odds, 0 to 20, that colours may bring against the network at an edge; 0: edges as the network has them,
    enlarged. Too high: edges turn jagged, cloth coloured like the wall behind is eaten."""
    colour_noise: Annotated[float, msgspec.Meta(ge=1, le=64)] = 8.0
    """Grey levels of 255, 1 to 64, by which one colour may vary. Too high: edges stop following the picture."""


class Matte(NamedTuple):
    """Full-size masks of one picture.

    alpha: (H, W) uint8, the person's share of each pixel, 0 to 255.
    parts: (H, W) uint8, class index; 0 exactly where alpha is under 128.
    foreground: (H, W, 3) uint8 BGR, the person's own colour, without the background at its edges.
    """

    alpha: Pixels
    parts: Pixels
    foreground: Pixels


class _ColourModel(NamedTuple):
    """What colours around each place say, at half the network's size.

    odds: (h, w, 4) float32, weights of B, G, R and a constant; their sum is the log odds of the person.
    difference: (h, w, 3) float32, the person's mean colour less the background's.
    """

    odds: Reals
    difference: Reals


class _Places(NamedTuple):
    """Some pixels of a picture (H, W), in rows of equal length; a few may come twice.

    flat: (rows, _ROW) intp, index into the flattened picture. x, y: the same place as a share of W and of H.
    """

    flat: NDArray[np.intp]
    x: Reals
    y: Reals


def matte(probabilities: Pixels, picture: Pixels, settings: Matting) -> Matte:
    """Lift `probabilities` (K, h, w) uint8 (class 0 is the background) to `picture` (H, W, 3) uint8 BGR.

    Only in the band where the network is unsure: there the person's and the background's colours nearby are
    told apart by a linear discriminant (Fisher 1936), whose log odds join the network's at every pixel of the
    picture. The same model, F − B, takes the background's colour out of the person's (I = αF + (1 − α)B).
    Raises ValueError for fewer than two classes.
    """
    _check(probabilities)
    height, width = picture.shape[:2]
    person = cv2.bitwise_not(probabilities[0])
    prior = cv2.resize(person, (width, height), interpolation=cv2.INTER_LINEAR)
    alpha = cv2.threshold(prior, 127, 255, cv2.THRESH_BINARY)[1]
    foreground = picture.copy()
    unknown = _places(_unsure(person), (height, width))
    if unknown.flat.size:
        model = _colour_model(person, picture, settings)
        weights = cv2.split(_at(model.odds, unknown))
        seen = cv2.split(cv2.blur(picture, (3, 3)).reshape(-1, 3).take(unknown.flat, axis=0))
        evidence = sum((w * c for w, c in zip(weights, seen, strict=False)), start=weights[3])
        share = 1 / (1 + np.exp(-evidence - _ODDS[prior.reshape(-1).take(unknown.flat)]))
        alpha.reshape(-1)[unknown.flat] = cv2.convertScaleAbs(share, alpha=255)
        old = cv2.multiply(_at(model.difference, unknown), cv2.merge([1 - share] * 3))
        colour = cv2.add(picture.reshape(-1, 3).take(unknown.flat, axis=0), old, dtype=cv2.CV_8U)
        # Three bytes as one item: numpy then moves whole pixels.
        foreground.view("V3").reshape(-1)[unknown.flat] = colour.view("V3")[..., 0]
    return Matte(alpha, _parts(probabilities, alpha), foreground)


def upsample(probabilities: Pixels, picture: Pixels) -> Matte:
    """Lift `probabilities` (K, h, w) uint8 to the size of `picture` by bilinear interpolation: matting off."""
    _check(probabilities)
    height, width = picture.shape[:2]
    alpha = cv2.resize(cv2.bitwise_not(probabilities[0]), (width, height), interpolation=cv2.INTER_LINEAR)
    return Matte(alpha, _parts(probabilities, alpha), picture)


def shares(matte: Matte, classes: int) -> Pixels:
    """Each class's share of each pixel, (classes, H, W) uint8; the planes sum to 255 everywhere.

    The soft edge outside a part belongs to the part it borders on.
    """
    near = cv2.dilate(matte.parts, np.ones((5, 5), np.uint8))
    # Far from every part a faint alpha can only be the person's.
    kinds = np.where(matte.parts > 0, matte.parts, np.maximum(near, 1))
    planes = [np.where(kinds == k, matte.alpha, np.uint8(0)) for k in range(1, classes)]
    return np.stack([255 - matte.alpha, *planes])


def _check(probabilities: Pixels) -> None:
    if probabilities.ndim != 3 or len(probabilities) < 2:
        raise ValueError(
            f"expected probabilities (K, h, w) of a background and at least one class, got {probabilities.shape}"
        )


def _unsure(person: Pixels) -> Pixels:
    """Where the network leaves something to refine, and a little around: (h, w) uint8, 1 or 0."""
    middle = cv2.inRange(person, _SURE, 255 - _SURE)
    # A step from sure to sure between two pixels is an edge too.
    edge = cv2.morphologyEx(person, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    square = np.ones((2 * _BAND_PX + 1,) * 2, np.uint8)
    _, steep = cv2.threshold(edge, 127, 255, cv2.THRESH_BINARY)
    band: Pixels = cv2.dilate(cv2.max(middle, steep), square) & 1
    return band


def _places(mask: Pixels, size: tuple[int, int]) -> _Places:
    """The pixels of a picture of `size` (H, W) where `mask` (h, w) uint8 is 1."""
    full = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST)
    flat = np.flatnonzero(full.view(np.bool_))
    flat = np.resize(flat, (-(-len(flat) // _ROW), _ROW)) if len(flat) else flat
    y, x = (side.astype(np.float32) for side in np.divmod(flat.astype(np.int32), np.int32(size[1])))
    return _Places(flat, (x + np.float32(0.5)) / np.float32(size[1]), (y + np.float32(0.5)) / np.float32(size[0]))


def _at(field: NDArray[Any], places: _Places) -> NDArray[Any]:
    """A field (h, w, C) over the whole picture read at some places, bilinear: (rows, _ROW, C)."""
    height, width = field.shape[:2]
    x, y = places.x * width - 0.5, places.y * height - 0.5
    read: NDArray[Any] = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return read


def _colour_model(person: Pixels, picture: Pixels, settings: Matting) -> _ColourModel:
    """Means of the person's and the background's colours around each place, and what tells them apart."""
    size = (max(person.shape[1] // _SHRINK, 1), max(person.shape[0] // _SHRINK, 1))
    share = cv2.resize(person, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    # Sampled, not averaged: the noise must be that of single pixels, which the model will judge.
    colour = np.stack(cv2.split(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)))
    ours, theirs = share**4, (1 - share) ** 4
    weight_ours, weight_theirs = _mean(ours) + 1e-4, _mean(theirs) + 1e-4
    mean_ours = _means(colour * ours) / weight_ours
    mean_theirs = _means(colour * theirs) / weight_theirs
    difference = mean_ours - mean_theirs
    spread = colour - np.where(share > 0.5, mean_ours, mean_theirs)
    covariance = _covariance(spread, (ours + theirs) / (weight_ours + weight_theirs), settings.colour_noise)
    direction = _solve(covariance, difference)
    distance = (direction * difference).sum(0)
    # Where only one side was seen nearby there is nothing to tell apart.
    known = np.minimum(np.minimum(weight_ours, weight_theirs) * 50, 1)
    strength = known * np.minimum(1, settings.colour_evidence / np.maximum(distance, 1e-3))
    weights = direction * strength
    middle = (weights * (mean_ours + mean_theirs)).sum(0) / 2
    return _ColourModel(cv2.merge([*weights, -middle]), cv2.merge([*(difference * known)]))


def _covariance(spread: Reals, weight: Reals, noise: float) -> tuple[Reals, ...]:
    """Weighted covariance of colours (3, h, w) around each place, as BB, GG, RR, BG, BR, GR, each (h, w)."""
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    weighted = spread * weight
    return tuple(_mean(weighted[i] * spread[j]) + (noise**2 if i == j else 0) for i, j in pairs)


def _solve(covariance: tuple[Reals, ...], difference: Reals) -> Reals:
    """Σ⁻¹ · difference, (3, h, w), by the adjugate of the 3 × 3 matrix at each place."""
    bb, gg, rr, bg, br, gr = covariance
    first = (gg * rr - gr * gr, br * gr - bg * rr, bg * gr - br * gg)
    second, third = (bb * rr - br * br, bg * br - bb * gr), bb * gg - bg * bg
    b, g, r = difference / (bb * first[0] + bg * first[1] + br * first[2])
    return np.stack(
        (
            first[0] * b + first[1] * g + first[2] * r,
            first[1] * b + second[0] * g + second[1] * r,
            first[2] * b + second[1] * g + third * r,
        )
    )


def _mean(field: Reals) -> Reals:
    """Box mean (h, w) over the colour model's window."""
    mean: Reals = cv2.blur(field, (_WINDOW, _WINDOW))
    return mean


def _means(fields: Reals) -> Reals:
    return np.stack([_mean(field) for field in fields])


def _parts(probabilities: Pixels, alpha: Pixels) -> Pixels:
    """The strongest class but the background at each pixel, 0 where alpha is under 128: (H, W) uint8."""
    coarse = _strongest(probabilities[1:])
    parts = cv2.resize(coarse, alpha.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    gradient = cv2.morphologyEx(coarse, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    _, border = cv2.threshold(gradient, 0, 1, cv2.THRESH_BINARY)
    places = _places(border, (alpha.shape[0], alpha.shape[1]))
    if places.flat.size:
        # Four planes at a time, the most that OpenCV reads at once.
        fields = [cv2.merge([*probabilities[k : k + 4]]) for k in range(1, len(probabilities), 4)]
        planes = [plane for field in fields for plane in cv2.split(_at(field, places))]
        parts.reshape(-1)[places.flat] = _strongest(planes)
    masked: Pixels = cv2.bitwise_and(parts, cv2.threshold(alpha, 127, 255, cv2.THRESH_BINARY)[1])
    return masked


def _strongest(planes: Sequence[Pixels] | Pixels) -> Pixels:
    """Index of the strongest plane at each pixel, counted from 1; the first of equals."""
    best, index = planes[0], np.ones_like(planes[0])
    for number, plane in enumerate(planes[1:], 2):
        np.putmask(index, plane > best, np.uint8(number))
        best = cv2.max(plane, best)
    return index
