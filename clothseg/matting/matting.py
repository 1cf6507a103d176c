"""Matting: from network-size probabilities and the full-size picture to an alpha and part masks fitted to its edges."""

import functools
import math
from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import ClassMap
from clothseg.matting.colour_model import colour_model
from clothseg.matting.sparse_pixels import ROW, SparsePixels, sample_colour, sample_field, sparse_where
from clothseg.temporal.motion import BackwardFlow
from clothseg.temporal.state import SmoothingState, backward_flow, gap_between_ms

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

_CERTAIN: Final = 16  # of 255: a probability this near to 0 or 1 leaves nothing to refine
_MIN_SHARE: Final = 0.04  # a share of a pixel that shows
_SQUARE: Final = np.ones((3, 3), np.uint8)
_SUM: Final = np.ones(4, np.float32)
_CHANGE_GAIN: Final = 2.0  # what differs by half a pixel or more has come or gone, it does not flicker
_LABEL_HYSTERESIS: Final = 48  # of 255: by so much likelier another part has to be than the one that was there
# Log odds of each probability; bounded, so that colours can always overrule the network inside the band.
_ODDS: Final = np.log((p := np.clip(np.arange(256) / 255, 0.004, 0.996)) / (1 - p)).astype(np.float32)


class Matting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of matting: masks are fitted to the picture's edges."""

    colour_evidence: Annotated[float, msgspec.Meta(ge=0, le=20)] = 6.0
    """Log odds, 0 to 20, that colours may bring against the network at an edge; 0: edges as the network has them,
    enlarged. Too high: edges turn jagged, cloth coloured like the wall behind is eaten."""
    colour_noise: Annotated[float, msgspec.Meta(ge=1, le=64)] = 8.0
    """Grey levels of 255, 1 to 64, by which one colour may vary. Too high: edges stop following the picture."""
    edge_memory_ms: Annotated[float, msgspec.Meta(ge=0, le=5000)] = 150.0
    """0 to 5000 ms after which 37 % of an edge's past is left, where smoothing knows how it moved; 0: edges are found
    anew in each frame. Too high: thin things keep a faint rim."""


class Matte(NamedTuple):
    """Full-size masks of one picture.

    alpha: (H, W) uint8, the person's share of each pixel, 0 to 255.
    parts: (H, W) uint8, index in `classes`; 0 exactly where alpha is under 128.
    foreground: (H, W, 3) uint8 BGR, the person's own colour, without the background at its edges.
    """

    alpha: Pixels
    parts: Pixels
    foreground: Pixels
    classes: ClassMap


class PreviousMatte(NamedTuple):
    """The masks (H, W) of the frame before, `gap_ms` ago, and the backward flow to them.

    way_back: (h, w) over the whole picture, in pixels of its own size.
    """

    matte: Matte
    flow: BackwardFlow
    gap_ms: float


def matte(
    probabilities: Pixels, picture: Pixels, classes: ClassMap, settings: Matting, previous: PreviousMatte | None = None
) -> Matte:
    """Lift `probabilities` (K, h, w) uint8 of K `classes` to `picture` (H, W, 3) uint8 BGR.

    Only in the band where the network is uncertain: there a local colour model separates person and background
    (`colour_model`), and its log odds are added to the network's at every pixel of the picture. The same model,
    F − B, removes the background's colour from the person's (I = αF + (1 − α)B).
    Edges are blended with the `previous` ones, and borders between classes have hysteresis.
    Raises ValueError for another number of planes than of classes.
    """
    _check(probabilities, classes)
    size = picture.shape[:2]
    person = cv2.bitwise_not(probabilities[0])
    # Outside the band: nothing or everything.
    alpha = _upscale_nearest(cv2.threshold(person, 127, 255, cv2.THRESH_BINARY)[1], size)
    foreground = picture.copy()
    if previous is not None and (not settings.edge_memory_ms or previous.matte.alpha.shape != size):
        previous = None
    band = _unknown_band(person)
    unknown = sparse_where(band, size)
    if unknown.y.size:
        model = colour_model(person, picture, band, settings.colour_evidence, settings.colour_noise)
        evidence = (
            cv2.multiply(sample_field(model.odds, unknown), sample_colour(picture, unknown), dtype=cv2.CV_32F) @ _SUM
        )
        evidence += cv2.LUT(sample_field(person, unknown), _ODDS)
        share = 1 / (1 + cv2.exp(-evidence))
        if previous is not None:
            share = _blend_with_previous(share, unknown, previous, settings.edge_memory_ms)
        alpha.reshape(-1)[unknown.flat_index(0, 0, size[1])] = cv2.convertScaleAbs(share, alpha=255)
        _remove_spill(foreground, model.difference, unknown, share)
    return Matte(alpha, _parts(probabilities, alpha, previous), foreground, classes)


def previous_matte(before: Matte, before_ns: int, state: SmoothingState | None, now_ns: int) -> PreviousMatte | None:
    """Return the masks of the frame `before`, for the frame of `state`; None where smoothing has no flow to them.

    That is in the first frame, after a cut, where nothing is smoothed, and after a timestamp (ns) that jumps back.
    """
    flow = None if state is None else backward_flow(state)
    return (
        None if flow is None or now_ns < before_ns else PreviousMatte(before, flow, gap_between_ms(before_ns, now_ns))
    )


def _blend_with_previous(share: Reals, sparse: SparsePixels, previous: PreviousMatte, memory_ms: float) -> Reals:
    """Blend a `share` (rows, ROW) with the motion-compensated previous alpha, weighted by flow confidence.

    The larger the difference, the smaller the weight: small differences are flicker, large ones are change.
    """
    before, confidence = _sample_previous(previous.matte.alpha, sparse, previous, cv2.INTER_LINEAR)
    change = before * np.float32(1 / 255) - share
    weight = np.maximum(1 - np.float32(_CHANGE_GAIN) * np.abs(change), 0) * confidence
    blend: Reals = share + weight * change * np.float32(math.exp(-previous.gap_ms / memory_ms))
    return blend


def _sample_previous(plane: Pixels, sparse: SparsePixels, previous: PreviousMatte, how: int) -> tuple[Pixels, Reals]:
    """Sample a plane (H, W) of the frame before at the current pixels, with the flow's confidence."""
    flow = previous.flow.flow
    scale_y, scale_x = sparse.size[0] / flow.shape[0], sparse.size[1] / flow.shape[1]
    x, y, confidence = cv2.split(sample_field(cv2.merge([flow, previous.flow.confidence]), sparse))
    # Whole numbers as floats first: numpy would add the two as doubles.
    x = cv2.scaleAdd(x, scale_x, sparse.x.astype(np.float32))
    y = cv2.scaleAdd(y, scale_y, sparse.y.astype(np.float32))
    before: Pixels = cv2.remap(plane, x, y, how, borderMode=cv2.BORDER_REPLICATE)
    return before, confidence


def _remove_spill(foreground: Pixels, difference: Reals, sparse: SparsePixels, share: Reals) -> None:
    """Take the background's colour out of `foreground` (H, W, 3), in place, where the person has a `share` of a pixel
    but not all of it."""
    mixed = np.flatnonzero(cv2.inRange(share, _MIN_SHARE, 1 - _MIN_SHARE))
    if not mixed.size:
        return
    rows = np.pad(mixed, (0, -mixed.size % ROW), "edge").reshape(-1, ROW)
    at = SparsePixels(sparse.y.take(rows), sparse.x.take(rows), sparse.size)
    old = cv2.multiply(sample_field(difference, at), cv2.merge([1 - share.take(rows)] * 3))
    flat, pixels = at.flat_index(0, 0, at.size[1]), _whole_pixels(foreground)
    colour = cv2.add(_bytes(pixels.take(flat)), old, dtype=cv2.CV_8U)
    pixels[flat] = _whole_pixels(colour).reshape(flat.shape)


def upsample(probabilities: Pixels, picture: Pixels, classes: ClassMap) -> Matte:
    """Lift `probabilities` (K, h, w) uint8 to the size of `picture` by bilinear interpolation: matting off."""
    _check(probabilities, classes)
    height, width = picture.shape[:2]
    alpha = cv2.resize(cv2.bitwise_not(probabilities[0]), (width, height), interpolation=cv2.INTER_LINEAR)
    return Matte(alpha, _parts(probabilities, alpha), picture, classes)


def class_shares(matte: Matte, classes: int) -> Pixels:
    """Each class's share of each pixel, (classes, H, W) uint8; the planes sum to 255 everywhere.

    The soft edge outside a part belongs to the part it borders on.
    """
    near = cv2.dilate(matte.parts, np.ones((5, 5), np.uint8))
    # Far from every part a faint alpha can only be the person's.
    kinds = np.where(matte.parts > 0, matte.parts, np.maximum(near, 1))
    planes = [np.where(kinds == k, matte.alpha, np.uint8(0)) for k in range(1, classes)]
    return np.stack([255 - matte.alpha, *planes])


def _check(probabilities: Pixels, classes: ClassMap) -> None:
    if probabilities.ndim != 3 or len(probabilities) != len(classes.classes):
        raise ValueError(f"expected probabilities (K, h, w) of {', '.join(classes.names)}, got {probabilities.shape}")


def _unknown_band(person: Pixels) -> Pixels:
    """Return where the network is uncertain, and a little around: (h, w) uint8, 255 or 0 (a trimap's unknown)."""
    middle = cv2.inRange(person, _CERTAIN, 255 - _CERTAIN)
    # A step from sure to sure between two pixels is an edge too.
    edge = cv2.morphologyEx(person, cv2.MORPH_GRADIENT, _SQUARE)
    _, steep = cv2.threshold(edge, 127, 255, cv2.THRESH_BINARY)
    # And a pixel around: without it the rim of the band toggles from frame to frame.
    band: Pixels = cv2.dilate(cv2.max(middle, steep), _SQUARE)
    return band


def _bytes(pixels: NDArray[np.void]) -> Pixels:
    """Items of three bytes (rows, n) as a picture (rows, n, 3)."""
    return pixels.view(np.uint8).reshape(*pixels.shape, 3)


def _whole_pixels(picture: Pixels) -> NDArray[np.void]:
    """A picture (H, W, 3) as (H·W,) items of three bytes: numpy then moves whole pixels."""
    return picture.reshape(-1, 3).view("V3")[:, 0]


def _parts(probabilities: Pixels, alpha: Pixels, previous: PreviousMatte | None = None) -> Pixels:
    """The strongest class but the background at each pixel, 0 where alpha is under 128: (H, W) uint8.

    Where a part was `previous` before, another has to be stronger by more than a little.
    """
    coarse = _argmax(probabilities[1:])
    parts = _upscale_nearest(coarse, (alpha.shape[0], alpha.shape[1]))
    border = cv2.morphologyEx(coarse, cv2.MORPH_GRADIENT, _SQUARE)
    # Where the background is certain no part can be.
    border = cv2.copyTo(border, cv2.dilate(cv2.inRange(probabilities[0], 0, 255 - _CERTAIN), _SQUARE))
    sparse = sparse_where(border, (alpha.shape[0], alpha.shape[1]))
    if sparse.y.size:
        # Four planes at a time, the most that OpenCV reads at once.
        planes: list[Pixels] = []
        for first in range(1, len(probabilities), 4):
            group = [*probabilities[first : first + 4]]
            field = cv2.merge(group + group[:1] * (4 - len(group)))
            planes += cv2.split(sample_field(field, sparse))[: len(group)]
        if previous is not None:
            before, confidence = _sample_previous(previous.matte.parts, sparse, previous, cv2.INTER_NEAREST)
            bonus = cv2.convertScaleAbs(confidence, alpha=_LABEL_HYSTERESIS)
            planes = [cv2.add(plane, bonus & cv2.compare(before, k, cv2.CMP_EQ)) for k, plane in enumerate(planes, 1)]
        parts.reshape(-1)[sparse.flat_index(0, 0, alpha.shape[1])] = _argmax(planes)
    masked: Pixels = cv2.bitwise_and(parts, cv2.threshold(alpha, 127, 255, cv2.THRESH_BINARY)[1], dst=parts)
    return masked


def _upscale_nearest(labels: Pixels, size: tuple[int, int]) -> Pixels:
    """A label map (h, w) at `size` (H, W), nearest; whole rows are copied, which is quicker than OpenCV."""
    wide = cv2.resize(labels, (size[1], labels.shape[0]), interpolation=cv2.INTER_NEAREST)
    tall: Pixels = wide.take((2 * np.arange(size[0]) + 1) * len(labels) // (2 * size[0]), axis=0)
    return tall


def _argmax(planes: Sequence[Pixels] | Pixels) -> Pixels:
    """Index of the strongest plane at each pixel, counted from 1; the first of equals."""
    best = planes[0]
    for plane in planes[1:]:
        best = cv2.max(best, plane)
    # The first of equals gets the highest number, and wins.
    ranks = [cv2.compare(plane, best, cv2.CMP_EQ) & np.uint8(len(planes) - k) for k, plane in enumerate(planes)]
    index: Pixels = np.uint8(len(planes) + 1) - functools.reduce(cv2.max, ranks)
    return index
