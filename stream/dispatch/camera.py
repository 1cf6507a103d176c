"""One camera in the scheduler: its state, the pending picture, the frames in flight, the ledger of the others."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from clothseg.network.box import Box
from clothseg.network.roi import box_for_frame
from stream.dispatch.latency_controller import LEVELS, Level
from stream.dispatch.ledger import Ledger
from stream.dispatch.pace import Pacer
from stream.message import (
    Dropped,
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
_MAX_UNCONFIRMED = 256  # of a camera of which nothing is acknowledged; no more frames are waited for, see Resequencer
_LIVE_POISON_AFTER = 2
# A frame of a file is not lost because its worker happened to be killed, twice: by then it is retried alone.
_POISON_AFTER = 3
_EARLY_POISON_AFTER = 6


class Outgoing(NamedTuple):
    """A message to send: to a camera's reader or to a worker by name, or to composite."""

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
        """True if it may be what kills workers; a live frame is dropped instead."""
        return self.workers_lost > 0 and not self.frame.live

    @property
    def is_poison(self) -> bool:
        """True if it killed so many workers that it is not retried."""
        if self.frame.live:
            return self.workers_lost >= _LIVE_POISON_AFTER
        return self.proven_workers_lost >= _POISON_AFTER or self.workers_lost >= _EARLY_POISON_AFTER


@dataclass(eq=False)
class Demand:
    """Demand for a camera's pictures, and the credit its reader has.

    `watched`: an output wants its frames. `watched_at_request`: one did when the reader was last asked, so that what it
    overwrote since is counted as `unwatched`, not `superseded`. `pending`: a PictureRequest is out.
    """

    watched: bool = True
    watched_at_request: bool = True
    pending: bool = False


@dataclass(eq=False)
class Timeline:
    """Shifts the timestamps of a source that was reopened, so that `pts_ns` rises over all epochs."""

    last: Picture | None = None
    offset_ns: int | None = 0  # None: set by the next picture

    def restart(self) -> None:
        """The source was opened: its timestamps may start anywhere."""
        self.offset_ns = 0 if self.last is None else None

    def place(self, picture: Picture) -> Picture:
        """Return the picture with its shifted timestamp; raises ValueError where no message can hold it."""
        if self.offset_ns is None and self.last is not None:
            # Between epochs as much time passes as on the capture host's clock.
            gap_ns = max(picture.captured_ns - self.last.captured_ns, 1)
            self.offset_ns = self.last.pts_ns + gap_ns - picture.pts_ns
        self.last = replace(picture, pts_ns=picture.pts_ns + (self.offset_ns or 0))
        return self.last


@dataclass(eq=False)
class PeopleMemory:
    """Where people were in acknowledged frames, by `seq`: the region of interest of those to come.

    Live that is where they were last. In a file it is where they were `FILE_FRAMES_IN_FLIGHT` frames before, which is
    known whatever the timing, so that results do not depend on it.
    """

    boxes: dict[int, Box | None] = field(default_factory=dict)
    network_frames: int = 0  # that the network was given: now and then it looks everywhere

    def record(self, seq: int, box: Box | None, mode: Mode) -> None:
        """Record where people were in an acknowledged frame."""
        if mode == "live":
            self.boxes.clear()
        self.boxes[seq] = box

    def region(self, seq: int, mode: Mode, mask_source: MaskSource) -> Box | None:
        """Return where the network looks for people in frame `seq`; None: everywhere."""
        box = self.boxes.pop(seq - FILE_FRAMES_IN_FLIGHT, None)
        if mode == "live":
            box = next(reversed(self.boxes.values()), None)
        if mask_source not in ("network", "ahead"):
            return None
        self.network_frames += 1
        return box_for_frame(box, self.network_frames - 1)


@dataclass(frozen=True)
class Ending:
    """Why no more pictures are taken of a camera, whose last frames may still be in flight; see `EndOfStream`."""

    error: str | None = None
    interrupted: bool = False


@dataclass(eq=False)
class ScheduledCamera:
    """A camera as the scheduler tracks it.

    `start`: of the current epoch; None before the first. `pending`: the newest picture without a number.
    `in_flight`: by `seq`, oldest first. `last_message_ns`: when its reader sent its last message.
    `unconfirmed`: events sent to composite, without which it would wait for ever, and which no Ack has shown to have
    arrived.
    """

    name: str
    is_visitor: bool = False
    state: CameraState = CameraState.OPENING
    start: StreamStart | None = None
    ending: Ending | None = None
    last_message_ns: int = 0
    last_ack_ns: int = 0
    unconfirmed: deque[StreamStart | Dropped] = field(default_factory=lambda: deque(maxlen=_MAX_UNCONFIRMED))
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
        """Live or file; before the first epoch, live."""
        return self.start.mode if self.start is not None else "live"

    @property
    def epoch(self) -> int:
        """Number of the current epoch; -1 before the first."""
        return self.start.epoch if self.start is not None else -1

    @property
    def level(self) -> Level:
        """The current level of its pacer; without one, the first."""
        return self.pacer.level if self.pacer is not None else LEVELS[0]

    def apply(self, event: CameraEvent) -> None:
        """Change its state by the table; raises TransitionError for what is not in it."""
        self.state = after(self.state, event)

    def begin_epoch(self, start: StreamStart, pacer: Pacer | None) -> None:
        """Reset what belongs to the epoch before."""
        self.start, self.pacer = start, pacer
        self.people.boxes.clear()
        self.demand.pending = False
        self.timeline.restart()

    def request_picture(self) -> list[Outgoing]:
        """Request the next picture from its reader, unless a request is pending."""
        if self.demand.pending:
            return []
        self.demand.pending = True
        return [Outgoing("reader", self.name, PictureRequest(self.name))]

    def drop_pending(self, reason: DropReason) -> None:
        """Drop the pending picture, if there is one."""
        if self.pending is not None:
            self.pending = None
            self.ledger.drop(reason)

    def assign_seq(self, mask_source: MaskSource) -> InFlight:
        """Make a frame of the pending picture; raises ValueError where no message can hold its times."""
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
        """Return a suspect frame that is due: nothing of the camera can go before it any more."""
        more = self.pending is not None or (self.demand.pending and self.ending is None)
        if more and len(self.in_flight) < FILE_FRAMES_IN_FLIGHT:
            return None
        waiting = [in_flight for in_flight in self.in_flight.values() if in_flight.worker is None]
        return waiting[0] if waiting and all(in_flight.suspect for in_flight in waiting) else None

    def record_ack(self, seq: int, now_ns: int) -> None:
        """Record that composite acknowledged a frame, and so has passed all that came before it."""
        self.last_ack_ns = now_ns
        arrived = [
            event
            for event in self.unconfirmed
            if (event.first_seq <= seq if isinstance(event, StreamStart) else event.seq < seq)
        ]
        for event in arrived:
            self.unconfirmed.remove(event)

    def end_of_stream(self) -> EndOfStream:
        """Return its last event."""
        ending = self.ending or Ending()
        return EndOfStream(self.name, self.next_seq - 1, ending.error, ending.interrupted)

    def status(self, now_ns: int) -> CameraStatus:
        """Return its state, ledger and pace."""
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
            start_ms=self.ledger.start_ms,
            frames=self.start.frames if self.start is not None else None,
            mask_sources=dict(self.ledger.masks),
            mask_timing=self.level.timing,
            mask_every=self.level.every,
            mask_detail=self.level.detail,
        )
