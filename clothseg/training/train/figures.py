"""People cut out of labelled pictures: what crowds are made of."""

from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from clothseg.labels import BACKGROUND, GARMENTS, IGNORE
from clothseg.training.samples import Sample

Pixels = npt.NDArray[np.uint8]

_UNJUDGED: Final = 0.06  # share of the figure that may be unjudged: more, and its outline is not known
_MIN_HEIGHT_PX: Final = 60  # height from which a figure can be shown near


class Cutout(NamedTuple):
    """Something cut out of its picture: picture (h, w, 3) uint8 BGR, alpha (h, w) uint8, mask (h, w) uint8.

    The mask holds class indices; for a thing that is no person it is `BACKGROUND` throughout. `grounded` says that the
    whole of it was seen: where it is not, its lower end must lie beyond the frame or behind something.
    """

    picture: Pixels
    alpha: Pixels
    mask: Pixels
    grounded: bool = True


def cut_out_figure(sample: Sample) -> Cutout | None:
    """The largest figure of a sample; None where there is none, or too little of it is known."""
    # What is not judged belongs to the figure here, or it would fall into pieces where a label is unsure.
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(np.uint8(sample.mask != BACKGROUND), connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    left, top, width, height, area = (int(value) for value in stats[largest])
    box = np.s_[top : top + height, left : left + width]
    own = pieces[box] == largest
    unjudged = np.count_nonzero(own & (sample.mask[box] == IGNORE)) / area
    mask = np.where(own & (sample.mask[box] != IGNORE), sample.mask[box], np.uint8(BACKGROUND))
    dressed = np.isin(mask, GARMENTS).any()
    at_a_side = left == 0 or left + width == sample.mask.shape[1]
    if height < _MIN_HEIGHT_PX or unjudged > _UNJUDGED or not dressed or at_a_side:
        return None
    solid = np.where(mask != BACKGROUND, np.uint8(255), np.uint8(0))
    # A lens draws an edge about a pixel wide. Half a pixel further in, as at the label's edge the photo already shows
    # what was behind.
    soft = cv2.GaussianBlur(solid, (3, 3), 0).astype(np.float32)
    alpha = np.clip(1.8 * soft - 0.8 * 255, 0, 255).astype(np.uint8)
    return Cutout(sample.picture[box].copy(), alpha, mask, top + height < sample.mask.shape[0])


def crop(cutout: Cutout, rows: slice) -> Cutout:
    """Some rows of a cutout; what is below is no longer seen."""
    bottom = rows.stop >= cutout.mask.shape[0]
    return Cutout(cutout.picture[rows], cutout.alpha[rows], cutout.mask[rows], cutout.grounded and bottom)


def resized(cutout: Cutout, height_px: int, rng: Generator) -> Cutout:
    """The cutout at a height, mirrored or not; pictures by areas or bilinear, masks by nearest neighbour."""
    scale = height_px / cutout.mask.shape[0]
    size = (max(round(cutout.mask.shape[1] * scale), 1), max(height_px, 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    planes = [cv2.resize(plane, size, interpolation=how) for plane in (cutout.picture, cutout.alpha)]
    planes.append(cv2.resize(cutout.mask, size, interpolation=cv2.INTER_NEAREST_EXACT))
    if rng.random() < 0.5:
        planes = [plane[:, ::-1] for plane in planes]
    picture, alpha, mask = (np.ascontiguousarray(plane, np.uint8) for plane in planes)
    return Cutout(picture, alpha, mask, cutout.grounded)


def relit(cutout: Cutout, place: Pixels, rng: Generator) -> Cutout:
    """The cutout in the light of a place (H, W, 3): part of the way to its brightness and tint, no two people alike."""
    own = np.array(cv2.mean(cutout.picture, cutout.alpha)[:3]) + 8
    there = np.array(cv2.mean(place)[:3]) + 8
    toward = rng.uniform(0, 0.35)
    gain = np.clip((there / own) ** toward, 0.6, 1.5) * rng.uniform(0.8, 1.2)
    lit = cv2.convertScaleAbs(cv2.multiply(cutout.picture, (*(float(channel) for channel in gain), 1.0)))
    return cutout._replace(picture=np.asarray(lit, np.uint8))
