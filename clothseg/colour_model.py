"""What the colours around each place of an edge say about who owns a pixel there: the person or the background."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

_SHRINK: Final = 2  # network pixels to one of the model
_WINDOW: Final = 5  # in which colours are gathered, in the model's own pixels


class ColourModel(NamedTuple):
    """What colours around each place say, at half the network's size; 0 far from the band.

    odds: (h, w, 4) float32, weights of B, G, R and of 255; their sum is the log odds of the person.
    difference: (h, w, 4) float32, the person's mean colour less the background's, and 0.
    """

    odds: Reals
    difference: Reals


def colour_model(person: Pixels, picture: Pixels, band: Pixels, evidence: float, noise: float) -> ColourModel:
    """Means of the person's and the background's colours around each place of the band, and what tells them apart: a
    linear discriminant (Fisher 1936).

    `person` (h, w) uint8 is the network's share, `band` (h, w) uint8 is not 0 where that is to be refined, `picture`
    (H, W, 3) uint8 BGR. `evidence` bounds the log odds, `noise` is how far one colour varies, in levels of 255.
    """
    size = (max(person.shape[1] // _SHRINK, 1), max(person.shape[0] // _SHRINK, 1))
    at = _around(cv2.resize(band, size, interpolation=cv2.INTER_AREA), _WINDOW)
    share = cv2.resize(person, size, interpolation=cv2.INTER_AREA)[at].astype(np.float32) / 255
    # Sampled, not averaged: the noise must be that of single pixels, which the model will judge.
    sampled = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)[at]
    colour = np.stack(cv2.split(sampled.astype(np.float32)))
    ours, theirs = np.square(np.square(share)), np.square(np.square(1 - share))
    weight_ours, mean_ours = _weighted(colour, ours)
    weight_theirs, mean_theirs = _weighted(colour, theirs)
    difference = mean_ours - mean_theirs
    spread = colour - np.where(share > 0.5, mean_ours, mean_theirs)
    covariance = _covariance(spread, (ours + theirs) / (weight_ours + weight_theirs), noise)
    direction = _solve(covariance, difference)
    distance = (direction * difference).sum(0)
    # Where only one side was seen nearby there is nothing to tell apart.
    known = np.minimum(np.minimum(weight_ours, weight_theirs) * 50, 1)
    strength = known * np.minimum(1, evidence / np.maximum(distance, 1e-3))
    weights = direction * strength
    middle = (weights * (mean_ours + mean_theirs)).sum(0) / -510
    fields = np.zeros((2, *size[::-1], 4), np.float32)
    fields[0][at] = cv2.merge([*weights, middle])
    fields[1][at] = cv2.merge([*(difference * known), np.zeros_like(known)])
    return ColourModel(*fields)


def _around(mask: Pixels, margin: int) -> tuple[slice, slice]:
    """The box around what is not 0 in a mask (h, w), and `margin` pixels more."""
    x, y, wide, tall = cv2.boundingRect(mask)
    return np.s_[max(y - margin, 0) : y + tall + margin, max(x - margin, 0) : x + wide + margin]


def _weighted(colour: Reals, weight: Reals) -> tuple[Reals, Reals]:
    """The weight (h, w) around each place and the weighted mean of colours (3, h, w) there."""
    whole, *means = _means([weight, *(colour * weight)])
    whole = whole + np.float32(1e-4)
    return whole, np.stack(means) / whole


def _covariance(spread: Reals, weight: Reals, noise: float) -> tuple[Reals, ...]:
    """Weighted covariance of colours (3, h, w) around each place, as BB, GG, RR, BG, BR, GR, each (h, w)."""
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    weighted = spread * weight
    means = _means([weighted[i] * spread[j] for i, j in pairs])
    return tuple(mean + np.float32(noise**2) if i == j else mean for mean, (i, j) in zip(means, pairs, strict=True))


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


def _means(fields: Sequence[Reals]) -> list[Reals]:
    """Box means (h, w) of some fields over the colour model's window; four at a time cost little more than one."""
    means: list[Reals] = []
    for first in range(0, len(fields), 4):
        group = list(fields[first : first + 4])
        blurred = cv2.blur(cv2.merge(group + group[:1] * (4 - len(group))), (_WINDOW, _WINDOW))
        means += [np.ascontiguousarray(blurred[..., k]) for k in range(len(group))]
    return means
