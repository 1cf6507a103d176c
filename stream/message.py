"""Everything that ever travels between stages: frozen messages, validated when made.

Letters: H, W are the picture's height and width, h, w the network's, K the number of classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from clothseg.classes import ClassMap
from clothseg.network.box import Box
from stream import bounds

Pixels = bounds.Pixels
Mode = Literal["live", "file"]
"""`live`: the newest frame wins; `file`: every frame, in order, the source waits."""

DropReason = Literal["superseded", "worker_lost", "poison", "stopped", "unwatched", "unanswered"]
"""`superseded`: a newer frame came first; `worker_lost`: the worker died or hung with it; `poison`: it
killed every worker that tried it, or cannot be drawn; `unanswered`: no word came that it was taken; `stopped`: the
run was ended before it could be delivered; `unwatched`: no output had any use for it."""
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
        bounds.require_camera(self.camera)
        bounds.require_count("epoch", self.epoch)
        bounds.require_count("seq", self.seq)
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


@dataclass(frozen=True, slots=True)
class StreamStart:
    """A camera's picture begins, or comes back: takes effect before frame `first_seq`.

    `rate_hz` is the nominal rate and `frames` the number expected, where the source knows them;
    `source` is its address without secrets.
    """

    camera: str
    epoch: int
    first_seq: int
    mode: Mode
    source: str
    rate_hz: float | None = None
    frames: int | None = None

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_count("epoch", self.epoch)
        bounds.require_count("first_seq", self.first_seq)
        bounds.require_text("source", self.source)
        bounds.require_rate(self.rate_hz)
        if self.frames is not None:
            bounds.require_count("frames", self.frames)


@dataclass(frozen=True, slots=True)
class Outage:
    """A live camera's picture is lost after frame `last_seq`; it is being retried. `cause` is a sentence."""

    camera: str
    last_seq: int
    cause: str

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_count("last_seq", self.last_seq, min_count=-1)
        bounds.require_text("cause", self.cause)


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """A camera's stream ends after frame `last_seq` (−1: there was none).

    `error` is the cause as a sentence, `None` for a source that was read to its end. A stop asked
    for by a person is `interrupted`: neither an error nor the whole stream.
    """

    camera: str
    last_seq: int
    error: str | None = None
    interrupted: bool = False

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_count("last_seq", self.last_seq, min_count=-1)
        bounds.require_text("error", self.error)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Frame `seq` of a camera will never come, for `reason`."""

    camera: str
    epoch: int
    seq: int
    reason: DropReason

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_count("epoch", self.epoch)
        bounds.require_count("seq", self.seq)


@dataclass(frozen=True, slots=True)
class Ack:
    """Every sink has taken frame `seq` of a camera; its masks showed people within `box`, None: no one."""

    camera: str
    epoch: int
    seq: int
    box: Box | None = None

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_count("epoch", self.epoch)
        bounds.require_count("seq", self.seq)
        bounds.require_box(self.box)


@dataclass(frozen=True, slots=True)
class DemandChanged:
    """Whether any output wants a camera's frames at present; from composite to the dispatcher."""

    camera: str
    watched: bool

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)


@dataclass(frozen=True, slots=True)
class EndOfRun:
    """No camera will send anything any more: composite may exit."""


@dataclass(frozen=True, slots=True)
class SourceOpened:
    """A reader has opened its source: the dispatcher makes a `StreamStart` of it."""

    camera: str
    mode: Mode
    source: str
    rate_hz: float | None = None
    frames: int | None = None

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_text("source", self.source)
        bounds.require_rate(self.rate_hz)
        if self.frames is not None:
            bounds.require_count("frames", self.frames)


@dataclass(frozen=True, slots=True, eq=False)
class NewPicture:
    """A reader's newest picture; `superseded` pictures before it were overwritten unread."""

    camera: str
    picture: Picture
    superseded: int = 0

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_count("superseded", self.superseded, max_count=bounds.MAX_SUPERSEDED)


@dataclass(frozen=True, slots=True)
class SourceLost:
    """A reader has lost its live source and is trying again; `cause` is a sentence."""

    camera: str
    cause: str

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_text("cause", self.cause)


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """A reader has read its source to the end (`error` None) or cannot go on."""

    camera: str
    error: str | None = None

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)
        bounds.require_text("error", self.error)


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """The dispatcher wants one more picture of a camera."""

    camera: str

    def __post_init__(self) -> None:
        bounds.require_camera(self.camera)


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker is free for a frame, having been given `received` so far: an older word is overtaken.

    `sent` is what the dispatcher last said that it had sent the worker; more than `received` got lost on the way.
    """

    received: int
    sent: int = 0

    def __post_init__(self) -> None:
        bounds.require_count("received", self.received)
        bounds.require_count("sent", self.sent)


@dataclass(frozen=True, slots=True)
class FramesSent:
    """The dispatcher has sent a worker so many `frames`: said after them, so that one that is not there got lost."""

    frames: int

    def __post_init__(self) -> None:
        bounds.require_count("frames", self.frames)


ReaderMessage = SourceOpened | NewPicture | SourceLost | SourceEnded
"""Messages from a camera's reader to the dispatcher."""

StreamEvent = StreamStart | Outage | EndOfStream | Dropped | EndOfRun
"""Messages from the dispatcher to composite besides frames."""

Output = CompositedFrame | StreamStart | Outage | EndOfStream
"""What a sink is given."""
