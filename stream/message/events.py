"""Messages without pixels: what becomes of sources, cameras, frames and workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clothseg.network.box import Box
from stream import bounds

Mode = Literal["live", "file"]
"""`live`: the newest frame wins; `file`: every frame, in order, the source waits."""

DropReason = Literal["superseded", "worker_lost", "poison", "stopped", "unwatched", "unanswered"]
"""`superseded`: a newer frame came first; `worker_lost`: the worker died or hung with it; `poison`: it
killed every worker that tried it, or cannot be drawn; `unanswered`: no word came that it was taken; `stopped`: the
run was ended before it could be delivered; `unwatched`: no output had any use for it."""


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
        bounds.require_count("frames", self.frames or 0)


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
        bounds.require_frame(self.camera, self.epoch, self.seq)


@dataclass(frozen=True, slots=True)
class Ack:
    """Every sink has taken frame `seq` of a camera; its masks showed people within `box`, None: no one."""

    camera: str
    epoch: int
    seq: int
    box: Box | None = None

    def __post_init__(self) -> None:
        bounds.require_frame(self.camera, self.epoch, self.seq)
        bounds.require_box(self.box)


@dataclass(frozen=True, slots=True)
class DemandChanged:
    """Whether any output wants a live camera's frames at present; from composite to the dispatcher and the sinks."""

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
        bounds.require_count("frames", self.frames or 0)


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
