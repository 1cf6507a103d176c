"""Local colour models along an edge: whether a pixel's colour is the person's or the background's."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

_SHRINK: Final = 2  # network pixels to one of the model
_SQUARE: Final = np.ones((3, 3), np.uint8)
_WINDOW: Final = 5  # in which colours are gathered, in the model's own pixels


class ColourModel(NamedTuple):
    """Local linear discriminants, at half the network's size; 0 far from the band.

    odds: (h, w, 4) float32, weights of B, G, R and of 255; their sum is the log odds of the person.
    difference: (h, w, 3) float32, the person's mean colour less the background's, BGR.
    """

    odds: Reals
    difference: Reals


def colour_model(person: Pixels, picture: Pixels, band: Pixels, evidence: float, noise: float) -> ColourModel:
    """Fit, around each pixel of the band, the means of the person's and the background's colours and a linear
    discriminant between them (Fisher 1936).

    `person` (h, w) uint8 is the network's share, `band` (h, w) uint8 is not 0 where that is to be refined, `picture`
    (H, W, 3) uint8 BGR. `evidence` bounds the log odds, `noise` is how far one colour varies, in levels of 255.
    """
    size = (max(person.shape[1] // _SHRINK, 1), max(person.shape[0] // _SHRINK, 1))
    near = cv2.dilate(cv2.resize(band, size, interpolation=cv2.INTER_AREA), _SQUARE)
    at = _padded_box(near, _WINDOW)
    share = cv2.resize(person, size, interpolation=cv2.INTER_AREA)[at].astype(np.float32) / 255
    # Sampled, not averaged: the noise must be that of single pixels, which the model will judge.
    sampled = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)[at]
    wanted = np.flatnonzero(near[at])
    person_sums, background_sums, squares = _moments(sampled.astype(np.float32), share, wanted)
    person_weight, person_mean = _mean(person_sums)
    background_weight, background_mean = _mean(background_sums)
    difference = person_mean - background_mean
    covariance = _covariance(squares, ((person_weight, person_mean), (background_weight, background_mean)), noise)
    direction = _solve(covariance, difference)
    distance = (direction * difference).sum(0)
    # Where only one side was seen nearby there is nothing to tell apart.
    known = np.minimum(np.minimum(person_weight, background_weight) * 50, 1)
    strength = known * np.minimum(1, evidence / np.maximum(distance, 1e-3))
    weights = direction * strength
    middle = (weights * (person_mean + background_mean)).sum(0) / -510
    odds = np.zeros((*share.shape, 4), np.float32)
    odds.reshape(-1, 4)[wanted] = np.stack([*weights, middle], axis=1)
    colours = np.zeros((*share.shape, 3), np.float32)
    colours.reshape(-1, 3)[wanted] = (difference * known).T
    return ColourModel(_embedded(odds, at, size), _embedded(colours, at, size))


def _embedded(part: Reals, at: tuple[slice, slice], size: tuple[int, int]) -> Reals:
    """A part (h', w', C) of a field of `size` (w, h) in its place; elsewhere 0."""
    field = np.zeros((size[1], size[0], part.shape[2]), np.float32)
    field[at] = part
    return field


def _padded_box(mask: Pixels, margin: int) -> tuple[slice, slice]:
    """The box around what is not 0 in a mask (h, w), and `margin` pixels more."""
    x, y, wide, tall = cv2.boundingRect(mask)
    return np.s_[max(y - margin, 0) : y + tall + margin, max(x - margin, 0) : x + wide + margin]


def _moments(colour: Reals, share: Reals, wanted: NDArray[np.intp]) -> tuple[Reals, Reals, Reals]:
    """Box means of weighted colours (h, w, 3) and their products, at the `wanted` of h · w places.

    The person's weight and its colours times it, (4, n); the background's; both sides' BB, GG, RR, BG, BR, GR, (6, n).
    """
    person_sums, background_sums = np.square(np.square(share)), np.square(np.square(1 - share))
    b, g, r = cv2.split(colour)
    both = person_sums + background_sums
    weighted_b, weighted_g, weighted_r = both * b, both * g, both * r
    groups = (
        (person_sums, person_sums * b, person_sums * g, person_sums * r),
        (background_sums, background_sums * b, background_sums * g, background_sums * r),
        (weighted_b * b, weighted_g * g, weighted_r * r, weighted_b * g),
        (weighted_b * r, weighted_g * r),
    )
    # Four planes at a time cost little more than one.
    means = [cv2.blur(cv2.merge(group), (_WINDOW, _WINDOW)) for group in groups]
    first, second, third, fourth = (mean.reshape(-1, mean.shape[2]).take(wanted, axis=0).T for mean in means)
    return first, second, np.concatenate([third, fourth])


def _mean(moments: Reals) -> tuple[Reals, Reals]:
    """The weight (n,) at each place and the mean colour (3, n), from a side's moments (4, n)."""
    weight: Reals = moments[0] + np.float32(1e-4)
    return weight, moments[1:] / weight


def _covariance(squares: Reals, sides: Sequence[tuple[Reals, Reals]], noise: float) -> tuple[Reals, ...]:
    """Covariance within both sides (weight, mean) at each place, as BB, GG, RR, BG, BR, GR, each (n,)."""
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    whole = sum(weight for weight, _ in sides)
    shared = [
        (square - sum(weight * mean[i] * mean[j] for weight, mean in sides)) / whole
        for square, (i, j) in zip(squares, pairs, strict=True)
    ]
    return tuple(mean + np.float32(noise**2) if i == j else mean for mean, (i, j) in zip(shared, pairs, strict=True))


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
