"""Messages that carry pixels, and a frame with its outputs.

Letters: H, W are the picture's height and width, h, w the network's, K the number of classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from clothseg.classes import ClassMap, Pixels
from clothseg.network.box import Box
from stream import bounds

Propagation = Literal["still", "warped", "ahead"]
"""How masks come from one frame to the next without the network: as they are, or along the motion. A frame that goes
`ahead` takes those of the frame before it along the motion too, and its own, which the network still makes, come later
as `LateMasks`."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture from a source: `pixels` (H, W, 3) uint8 BGR, shown at `pts_ns`, taken at `captured_ns`.

    `pts_ns` is the source's own presentation time and always rises; `captured_ns` is the capture
    host's monotonic clock when the packet arrived, compared on that host only.
    """

    pixels: Pixels
    pts_ns: int
    captured_ns: int

    def __post_init__(self) -> None:
        bounds.require_picture("picture", self.pixels, 3)
        bounds.require_time("pts_ns", self.pts_ns)
        bounds.require_time("captured_ns", self.captured_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture with its place in a camera's stream: `seq` 0, 1, 2 … as dispatched, over all epochs.

    `epoch` rises when the source was opened anew, so that no state is kept from before. `box` says where
    people were lately, for the network to look there; None: anywhere. `detail` is the share of the model's own
    input size, in pixels, that is spent on the frame, above 0 and at most 1. Of a `live` camera an answer now is
    worth more than the same answer every time. `reply` is what a worker sends on: the frame with its masks, or the
    masks alone, because the frame went ahead.
    """

    camera: str
    epoch: int
    seq: int
    picture: Picture
    box: Box | None = None
    detail: float = 1.0
    live: bool = False
    reply: Literal["frame", "masks"] = "frame"

    def __post_init__(self) -> None:
        bounds.require_frame(self.camera, self.epoch, self.seq)
        bounds.require_box(self.box)
        bounds.require(0 < self.detail <= 1, "detail above 0 and at most 1", self.detail)


@dataclass(frozen=True, slots=True, eq=False)
class PropagatedFrame:
    """A frame that does not wait for the network: its masks are propagated from the frame before it."""

    frame: Frame
    how: Propagation


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedFrame:
    """A frame and its class `probabilities` (K, h, w) uint8, 0..255, at the network's resolution."""

    frame: Frame
    classes: ClassMap
    probabilities: Pixels

    def __post_init__(self) -> None:
        bounds.require_probabilities(self.probabilities, len(self.classes.classes))


@dataclass(frozen=True, slots=True, eq=False)
class LateMasks:
    """Class `probabilities` (K, h, w) uint8, 0..255, of a camera's frame `seq`, which went ahead of them."""

    camera: str
    seq: int
    classes: ClassMap
    probabilities: Pixels

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_count("seq", self.seq)
        bounds.require_probabilities(self.probabilities, len(self.classes.classes))


@dataclass(frozen=True, eq=False)
class CompositedFrame:
    """A frame with everything an output may want of it, at full size (H, W).

    `alpha` (H, W) is the matte of what is cut out, `parts` (H, W) the index in `classes` of every pixel,
    `foreground` (H, W, 3) BGR the person's own colour, free of the old background at the edges, and
    `composite` (H', W', 3) BGR the finished view. `mask_age_ns` is how much older the picture is that
    the network last saw: 0 where it was this one.
    """

    frame: Frame
    classes: ClassMap
    probabilities: Pixels
    alpha: Pixels
    parts: Pixels
    foreground: Pixels
    composite: Pixels
    mask_age_ns: int = 0

    def __post_init__(self) -> None:
        bounds.require_time("mask_age_ns", self.mask_age_ns)
        bounds.require_picture("alpha", self.alpha, 1)
        bounds.require_picture("parts", self.parts, 1)
        bounds.require_picture("foreground", self.foreground, 3)
        bounds.require_picture("composite", self.composite, 3)
        size = self.frame.picture.pixels.shape[:2]
        for name, plane in (("alpha", self.alpha), ("parts", self.parts), ("foreground", self.foreground)):
            bounds.require(plane.shape[:2] == size, f"{name} of the picture's size {size}", plane.shape[:2])

    @cached_property
    def cutout(self) -> Pixels:
        """The cut-out (H, W, 4) uint8 BGRA, straight alpha; made once, however many outputs ask."""
        return to_bgra(self.foreground, self.alpha)


def to_bgra(colour: Pixels, alpha: Pixels) -> Pixels:
    """A picture (H, W, 3) BGR and its alpha (H, W) as (H, W, 4) BGRA, straight: twice as fast as split and merge."""
    import cv2  # a subscriber that asks for raw planes does without

    whole = np.asarray(cv2.cvtColor(colour, cv2.COLOR_BGR2BGRA), np.uint8)
    cv2.insertChannel(alpha, whole, 3)
    return whole


@dataclass(frozen=True, slots=True, eq=False)
class NewPicture:
    """A reader's newest picture; `superseded` pictures before it were overwritten unread."""

    camera: str
    picture: Picture
    superseded: int = 0

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_count("superseded", self.superseded, max_count=bounds.MAX_SUPERSEDED)
