"""Fits a flat garment photo to those who wear a garment of its class."""

import functools
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.classes import USUAL, Region
from clothseg.tryon.asset import EffectError, read_picture
from clothseg.tryon.blend import Image
from clothseg.tryon.fitting import FlatFor, FlatGarment, pyramid
from clothseg.tryon.outline import landmarks, proportion
from clothseg.tryon.part import Garment, class_mask

GARMENT_PX = 1024
"""The longer side of the picture that a garment is cut from."""
_MIN_SIDE_PX = 16  # the shorter side of a picture in which a garment can be seen
_OUTLINE_PX = 256  # the longer side of the mask in which the flat garment's landmarks are looked for


class GarmentPhoto(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="effect", tag="garment"):
    """The photo of one garment, laid flat or hung, fitted onto the worn one."""

    part: Garment
    """What it is put on, a garment of the model; one of the whole body (`dress`) covers whatever clothing is worn."""
    image: Path
    """A PNG with alpha, or a PNG or JPEG photo of one garment."""


PhotoMatting = Callable[[Image], NDArray[np.uint8]]
"""A photo (H, W, 3) uint8 BGR → how much of each pixel is clothing, (H, W) uint8."""


def matte_clothing(photo: Image) -> NDArray[np.uint8]:
    """Cut clothing out of a photo by the network that ships: a `PhotoMatting`."""
    from clothseg.segmenter import Segmenter  # here, because most effects need no network

    segmenter = Segmenter.load()
    found = segmenter(photo)
    clothing = class_mask(found.parts, segmenter.classes.garments)
    return _snap_to_edges(photo, np.asarray(cv2.bitwise_and(found.alpha, clothing), np.uint8))


def _snap_to_edges(photo: Image, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Snap `alpha` (H, W) to the garment's own edges: GrabCut (Rother 2004), the photo's rim taken for background.

    The network was taught on people: it sees hips under a shirt laid flat, where there is only a table. Where colour
    cannot separate garment and table, and over half would be lost, `alpha` is kept.
    """
    labels = np.where(alpha > 127, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    rim = max(round(0.02 * min(alpha.shape)), 1)
    labels[:rim] = labels[-rim:] = labels[:, :rim] = labels[:, -rim:] = cv2.GC_BGD
    if not (labels == cv2.GC_PR_FGD).any():
        return alpha
    cv2.setRNGSeed(0)  # its colour clusters start at random
    labels, _, _ = cv2.grabCut(photo, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    cut = np.where((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    stripes = np.ones((round(0.03 * max(alpha.shape)) + 1,) * 2, np.uint8)  # in the table's colour: closed again
    cut = np.asarray(cv2.morphologyEx(cut, cv2.MORPH_CLOSE, stripes), np.uint8)
    return alpha if np.count_nonzero(cut) < 0.5 * np.count_nonzero(alpha > 127) else cut


def open_garment(settings: GarmentPhoto, cut_out: PhotoMatting) -> FlatFor:
    """The garment of `settings`, cut out by its own alpha, or by `cut_out` where it has none, and measured.

    Raises EffectError if the picture cannot be read or shows no garment.
    """
    picture = read_picture(settings.image, GARMENT_PX)
    colour = np.ascontiguousarray(picture[:, :, :3])
    alpha = garment_alpha(picture, cut_out)
    flat_for = functools.cache(lambda region: measure_garment(colour, alpha, settings.part, region, settings.image))
    flat_for(USUAL.region(settings.part) or "upper")  # rejected now, and most likely the one that will be needed
    return flat_for


def garment_alpha(picture: NDArray[np.uint8], cut_out: PhotoMatting) -> NDArray[np.uint8]:
    """Return the garment's alpha in `picture` (H, W, 4) BGRA, (H, W) uint8: by its own alpha, or by
    `cut_out` where that hides nothing; none of it where the picture is too small to show one."""
    alpha = picture[:, :, 3]
    if min(alpha.shape) < _MIN_SIDE_PX:
        return np.zeros_like(alpha)
    if alpha.min() > 127:
        alpha = cut_out(np.ascontiguousarray(picture[:, :, :3]))
    return _largest(alpha)


def _largest(alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`alpha` (H, W) without all but its largest piece: labels, hangers and specks are no part of a
    garment."""
    _, pieces, sizes, _ = cv2.connectedComponentsWithStats(cv2.compare(alpha, 127, cv2.CMP_GT))
    if len(sizes) < 3:
        return alpha
    kept = cv2.compare(np.asarray(pieces, np.float32), float(1 + np.argmax(sizes[1:, cv2.CC_STAT_AREA])), cv2.CMP_EQ)
    return np.asarray(cv2.bitwise_and(alpha, cv2.dilate(kept, np.ones((3, 3), np.uint8))), np.uint8)


def measure_garment(
    colour: NDArray[np.uint8], alpha: NDArray[np.uint8], part: Garment, region: Region, name: Path
) -> FlatGarment:
    """`colour` (H, W, 3) uint8 BGR of which `alpha` (H, W) uint8 is the garment; `name` is for the error."""
    scale = _OUTLINE_PX / max(alpha.shape)
    size = (max(round(alpha.shape[1] * scale), 1), max(round(alpha.shape[0] * scale), 1))
    garment = np.pad(
        cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > 127, 4
    )  # a margin, so that no edge is a cut
    points = landmarks(garment, garment, region, None)
    inside = cv2.erode(np.asarray(alpha > 250, np.uint8), np.ones((3, 3), np.uint8), iterations=2)
    if points is None or not inside.any() or min(alpha.shape) < _MIN_SIDE_PX:
        raise EffectError(f"{name} shows no garment: expected the photo of one {part} or a PNG with alpha around it")
    brightness = float(np.median(colour[alpha > 127].max(axis=1)))
    cloth, length = pyramid(_extend_colour(colour, inside)), proportion(points, region)
    return FlatGarment(part, region, cloth, (points - 4) / scale, length, max(brightness, 1.0))


def _extend_colour(colour: NDArray[np.uint8], inside: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`colour` (H, W, 3) as opaque BGRA with what is `inside` (H, W) the garment's edge continued outwards, for worn
    garments that reach further."""
    outside = np.asarray(inside == 0, np.uint8)
    _, labels = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    y, x = np.nonzero(inside)
    nearest = np.zeros(labels.max() + 1, np.int64)
    nearest[labels[y, x]] = np.arange(len(y))
    source = nearest[labels]
    return np.asarray(cv2.cvtColor(colour[y[source], x[source]], cv2.COLOR_BGR2BGRA), np.uint8)
