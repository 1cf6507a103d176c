"""Region of interest: the network sees the people, not the room, at a smaller size and closer up.

`person_box` finds the people in masks, `choose_region` chooses the part of the next picture that the network sees,
`paste` puts its output back into the full frame. All pure: the box travels with the frame, no state is kept.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np

from clothseg.classes import Pixels
from clothseg.network.box import Box

FULL_FRAME_EVERY: Final = 8
"""Frames from one full frame to the next: how late a person who enters beside the others can be found."""

_MARGIN: Final = 0.125  # of the box's longer side, around it
_SHARES: Final = (0.5, 0.65, 0.8)  # of the full view's width: few, for each size is compiled
_MAX_ZOOM: Final = 4.0  # closer than this the network saw no one in training
_PERSON_THRESHOLD: Final = 128  # of 255: from here on a pixel is a person's
_EDGE_PX: Final = 2


class InputRegion(NamedTuple):
    """The network's input: a part of the full grid (h, w), and the size (h', w') at which it enters."""

    rows: slice
    columns: slice
    size: tuple[int, int]


def person_box(probabilities: Pixels) -> Box | None:
    """Return the box of all people in `probabilities` (K, h, w) uint8, without margin; None where there are none."""
    height, width = probabilities.shape[1:]
    people = cv2.compare(probabilities[0], 255 - _PERSON_THRESHOLD, cv2.CMP_LE)
    # Single pixels are no person.
    people = cv2.morphologyEx(people, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    x, y, wide, tall = cv2.boundingRect(people)
    return Box(x / width, y / height, (x + wide) / width, (y + tall) / height) if wide else None


def box_for_frame(box: Box | None, seq: int) -> Box | None:
    """Return the box for frame `seq`; None for the full frame: where no one was found, and regularly."""
    return None if seq % FULL_FRAME_EVERY == 0 else box


def choose_region(box: Box | None, full: tuple[int, int], multiple_px: int) -> InputRegion | None:
    """Choose the region of a picture whose full grid is `full` (h, w): the box and a margin; None for the full frame.

    Of a few sizes, as tall as the full frame and narrower, the smallest that shows the box at least as
    large as the full frame does; what is left of it enlarges the box. Sides are multiples of `multiple_px`.
    """
    if box is None:
        return None
    height, width = full
    left, top, right, bottom = (side * scale for side, scale in zip(box, (width, height) * 2, strict=True))
    margin = _MARGIN * max(right - left, bottom - top)
    left, top, right, bottom = (
        max(left - margin, 0),
        max(top - margin, 0),
        min(right + margin, width),
        min(bottom + margin, height),
    )
    for _, wide in region_sizes(full, multiple_px):
        if right - left <= wide:
            closer = min(wide / max(right - left, 1), height / max(bottom - top, 1), _MAX_ZOOM)
            return InputRegion(
                _span(top, bottom, height / closer, height), _span(left, right, wide / closer, width), (height, wide)
            )
    return None


def region_sizes(full: tuple[int, int], multiple_px: int) -> list[tuple[int, int]]:
    """The sizes (h', w') at which parts of a picture with the full view (h, w) enter the network, narrowest first."""
    height, width = full
    widths = {max(round(width * share / multiple_px), 1) * multiple_px for share in _SHARES}
    return [(height, wide) for wide in sorted(widths) if wide < width]


def _span(start: float, end: float, length: float, side: int) -> slice:
    """`length` pixels of a side around the middle of start and end, inside the side."""
    whole = min(max(round(length), 1), side)
    first = min(max(round((start + end - whole) / 2), 0), side - whole)
    return slice(first, first + whole)


def crop(picture: Pixels, region: InputRegion, full: tuple[int, int]) -> Pixels:
    """The part of a picture (H, W, 3) that the view shows."""
    starts_and_stops = [
        (span.start * side // small, -(-span.stop * side // small))
        for span, side, small in zip((region.rows, region.columns), picture.shape[:2], full, strict=True)
    ]
    rows, columns = (slice(start, stop) for start, stop in starts_and_stops)
    return picture[rows, columns]


def paste(planes: Pixels, region: InputRegion, full: tuple[int, int]) -> Pixels | None:
    """Return full-frame probabilities (K, h, w) from a region's `planes` (K, h', w'): outside is background.

    None where they are not reliable: no one is in them, or a person reaches over an edge of the region that is
    not the picture's.
    """
    size = (region.rows.stop - region.rows.start, region.columns.stop - region.columns.start)
    people = planes[0] <= 255 - _PERSON_THRESHOLD
    inner = people[
        _EDGE_PX if region.rows.start else 0 : -_EDGE_PX if region.rows.stop < full[0] else None,
        _EDGE_PX if region.columns.start else 0 : -_EDGE_PX if region.columns.stop < full[1] else None,
    ]
    seen = np.count_nonzero(people)
    if not seen or np.count_nonzero(inner) < seen:
        return None
    whole = np.zeros((len(planes), *full), np.uint8)
    whole[0] = 255
    # Views are never wider spaced than the full view: this shrinks, if it does anything.
    whole[:, region.rows, region.columns] = [
        cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA) for plane in planes
    ]
    return whole
