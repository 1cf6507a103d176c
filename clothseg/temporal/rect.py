"""Rectangles of a mask in which work is done, so that none is spent where there are no people."""

from collections.abc import Sequence
from typing import Final, NamedTuple

MARGIN_PX: Final = 8  # around what is there; corners are multiples of it
MIN_SIDE_PX: Final = 32  # of a picture at half the mask's size: below this the flow has no patch to match


class Rect(NamedTuple):
    """A rectangle of a mask, in its pixels."""

    top: int
    left: int
    bottom: int
    right: int

    def scaled_to(self, size: tuple[int, ...], grid: tuple[int, ...]) -> tuple[slice, slice]:
        """The same part of a `grid` (h', w') that covers what the mask of `size` (h, w) covers."""
        height, width = size
        tall, wide = grid[:2]
        return (
            slice(self.top * tall // height, -(-self.bottom * tall // height)),
            slice(self.left * wide // width, -(-self.right * wide // width)),
        )


def rect_around(box: Sequence[int], size: tuple[int, ...]) -> Rect:
    """A box (x, y, w, h) and a margin, at corners that motion and evidence have too, and large enough for flow."""
    sides = []
    for start, length, side in ((box[1], box[3], size[0]), (box[0], box[2], size[1])):
        step = MARGIN_PX
        first = max((start - step) // step * step, 0)
        last = max(-(-(start + length + step) // step) * step, first + 2 * MIN_SIDE_PX)
        if last > side:
            first, last = max(min(first, (side - 2 * MIN_SIDE_PX) // step * step), 0), side
        sides.append((first, last))
    return Rect(sides[0][0], sides[1][0], sides[0][1], sides[1][1])


def union(one: Rect, other: Rect) -> Rect:
    """The smallest that covers both."""
    return Rect(*map(min, one[:2], other[:2]), *map(max, one[2:], other[2:]))
