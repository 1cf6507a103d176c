"""One camera as the dispatcher knows it: the picture that waits, the frames under way, what became of the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from clothseg.network.roi import Box, box_for_frame
from stream.dispatch.latency_controller import LEVELS, Level
from stream.dispatch.ledger import Ledger
from stream.dispatch.pace import Pacer
from stream.message import (
    DropReason,
    EndOfStream,
    Frame,
    Mode,
    Picture,
    PictureRequest,
    PropagatedFrame,
    StreamEvent,
    StreamStart,
)
from stream.process.status import CameraStatus, MaskSource
from stream.transport.camera_state import CameraEvent, CameraState, after

FILE_FRAMES_IN_FLIGHT = 8
"""Frames of a file that may be unacknowledged at once; live, it is one more than there are workers."""
_LIVE_POISON_AFTER = 2
# A frame of a file is not to be lost because somebody ended its worker by chance, twice: it is tried alone by then.
_POISON_AFTER = 3
_EARLY_POISON_AFTER = 6


class Outgoing(NamedTuple):
    """Something to be sent: to a camera's reader or to a worker by name, or to composite."""

    to: Literal["reader", "worker", "composite"]
    name: str
    message: Frame | PropagatedFrame | PictureRequest | StreamEvent


@dataclass(eq=False)
class InFlight:
    """A dispatched, unacknowledged frame; `worker` is None while it awaits re-dispatch.

    `mask_source`: where its masks come from. `sent_to_composite_ns`: when it went on to composite, None: not yet.
    `workers_lost` were lost while they had it; `proven_workers_lost` of those had finished frames before, as a new
    worker may die of its own start.
    """

    frame: Frame
    mask_source: MaskSource = "network"
    worker: str | None = None
    assigned_ns: int = 0
    sent_to_composite_ns: int | None = None
    workers_lost: int = 0
    proven_workers_lost: int = 0

    @property
    def suspect(self) -> bool:
        """Whether it may be what ends workers. A live one is given up instead."""
        return self.workers_lost > 0 and not self.frame.live

    @property
    def is_poison(self) -> bool:
        """Whether it has ended so many workers that it is not tried again."""
        if self.frame.live:
            return self.workers_lost >= _LIVE_POISON_AFTER
        return self.proven_workers_lost >= _POISON_AFTER or self.workers_lost >= _EARLY_POISON_AFTER


@dataclass(eq=False)
class Demand:
    """What is asked of a camera's reader.

    `watched`: an output wants its frames. `watched_at_request`: one did when the reader was last asked, so that what it
    overwrote since counts as nobody's loss. `pending`: a PictureRequest is out.
    """

    watched: bool = True
    watched_at_request: bool = True
    pending: bool = False


@dataclass(eq=False)
class Timeline:
    """Makes the times of a source that is opened anew go on where they were: `pts_ns` rises over all epochs."""

    last: Picture | None = None
    offset_ns: int | None = 0  # None: to be found with the next picture

    def restart(self) -> None:
        """The source was opened, and its times may begin anywhere."""
        self.offset_ns = 0 if self.last is None else None

    def place(self, picture: Picture) -> Picture:
        """The picture with its time on this timeline; ValueError where no message can say that."""
        if self.offset_ns is None and self.last is not None:
            # Between epochs as much time has passed as on the capture host's clock.
            gap_ns = max(picture.captured_ns - self.last.captured_ns, 1)
            self.offset_ns = self.last.pts_ns + gap_ns - picture.pts_ns
        self.last = replace(picture, pts_ns=picture.pts_ns + (self.offset_ns or 0))
        return self.last


@dataclass(eq=False)
class PeopleMemory:
    """Where people were in frames that were taken, by `seq`; tells the network where to look in the next.

    Live that is where they were last. In a file it is where they were `FILE_FRAMES_IN_FLIGHT` frames before, which is
    known whatever the timing, so that results do not depend on it.
    """

    boxes: dict[int, Box | None] = field(default_factory=dict)
    network_frames: int = 0  # that the network was given: now and then it looks everywhere

    def record(self, seq: int, box: Box | None, mode: Mode) -> None:
        """Note where people were in a frame."""
        if mode == "live":
            self.boxes.clear()
        self.boxes[seq] = box

    def region(self, seq: int, mode: Mode, mask_source: MaskSource) -> Box | None:
        """Where the network is to look for people in frame `seq`, None: everywhere."""
        box = self.boxes.pop(seq - FILE_FRAMES_IN_FLIGHT, None)
        if mode == "live":
            box = next(reversed(self.boxes.values()), None)
        if mask_source not in ("network", "ahead"):
            return None
        self.network_frames += 1
        return box_for_frame(box, self.network_frames - 1)


@dataclass(frozen=True)
class Ending:
    """Why nothing more is taken of a camera, whose last frames may still be under way; see `EndOfStream`."""

    error: str | None = None
    interrupted: bool = False


@dataclass(eq=False)
class ScheduledCamera:
    """A camera as the scheduler tracks it.

    `start`: what was told of the epoch that runs; None before the first. `pending`: the picture that waits.
    `in_flight`: by `seq`, oldest first. `last_message_ns`: when its reader was last heard.
    """

    name: str
    is_visitor: bool = False
    state: CameraState = CameraState.OPENING
    start: StreamStart | None = None
    ending: Ending | None = None
    last_message_ns: int = 0
    pending: Picture | None = None
    next_seq: int = 0
    in_flight: dict[int, InFlight] = field(default_factory=dict)
    demand: Demand = field(default_factory=Demand)
    timeline: Timeline = field(default_factory=Timeline)
    people: PeopleMemory = field(default_factory=PeopleMemory)
    pacer: Pacer | None = None
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def mode(self) -> Mode:
        """Whether the newest picture wins or every one counts; before it is known, as of a live camera."""
        return self.start.mode if self.start is not None else "live"

    @property
    def epoch(self) -> int:
        """How often the source was opened, less one."""
        return self.start.epoch if self.start is not None else -1

    @property
    def level(self) -> Level:
        """How often and how finely masks are made."""
        return self.pacer.level if self.pacer is not None else LEVELS[0]

    def apply(self, event: CameraEvent) -> None:
        """Change its state as the table says, which raises TransitionError for what does not stand there."""
        self.state = after(self.state, event)

    def begin_epoch(self, start: StreamStart, pacer: Pacer | None) -> None:
        """Its source was opened: forget what belongs to the picture before."""
        self.start, self.pacer = start, pacer
        self.people.boxes.clear()
        self.demand.pending = False
        self.timeline.restart()

    def request_picture(self) -> list[Outgoing]:
        """Ask its reader for the next picture, unless that is done."""
        if self.demand.pending:
            return []
        self.demand.pending = True
        return [Outgoing("reader", self.name, PictureRequest(self.name))]

    def drop_pending(self, reason: DropReason) -> None:
        """Let go of the picture that waits, if one does."""
        if self.pending is not None:
            self.pending = None
            self.ledger.drop(reason)

    def assign_seq(self, mask_source: MaskSource) -> InFlight:
        """Make a frame of the picture that waits; ValueError where its times are such that none can be made."""
        picture, self.pending = self.pending, None
        assert picture is not None
        picture = self.timeline.place(picture)
        box = self.people.region(self.next_seq, self.mode, mask_source)
        live = self.mode == "live"
        frame = Frame(self.name, self.epoch, self.next_seq, picture, box, self.level.detail, live)
        in_flight = self.in_flight[self.next_seq] = InFlight(frame, mask_source)
        self.next_seq += 1
        return in_flight

    def next_suspect(self) -> InFlight | None:
        """A frame to be tried again because nothing of the camera can go before it any more."""
        more = self.pending is not None or (self.demand.pending and self.ending is None)
        if more and len(self.in_flight) < FILE_FRAMES_IN_FLIGHT:
            return None
        waiting = [in_flight for in_flight in self.in_flight.values() if in_flight.worker is None]
        return waiting[0] if waiting and all(in_flight.suspect for in_flight in waiting) else None

    def end_of_stream(self) -> EndOfStream:
        """How its end is told."""
        ending = self.ending or Ending()
        return EndOfStream(self.name, self.next_seq - 1, ending.error, ending.interrupted)

    def status(self, now_ns: int) -> CameraStatus:
        """Its ledger as it stands."""
        in_hz, out_hz = self.ledger.rates_hz(now_ns)
        age_p50_ms, age_p95_ms = self.ledger.ages_ms()
        return CameraStatus(
            camera=self.name,
            mode=self.mode,
            state=self.state,
            captured=self.ledger.captured,
            delivered=self.ledger.delivered,
            dropped=dict(self.ledger.dropped),
            in_flight=len(self.in_flight) + (self.pending is not None),
            reconnects=max(self.epoch, 0),
            in_hz=in_hz,
            out_hz=out_hz,
            age_p50_ms=age_p50_ms,
            age_p95_ms=age_p95_ms,
            frames=self.start.frames if self.start is not None else None,
            mask_sources=dict(self.ledger.masks),
            mask_timing=self.level.timing,
            mask_every=self.level.every,
            mask_detail=self.level.detail,
        )
