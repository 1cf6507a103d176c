"""One camera in the scheduler: the pending picture, the frames in flight, the ledger of the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from clothseg.network.box import Box
from clothseg.network.roi import box_for_frame
from stream.dispatch.ledger import Ledger
from stream.dispatch.pace import LEVELS, Level, Pacer
from stream.message import Frame, Mode, Picture, SourceEnded
from stream.process.status import CameraStatus, MaskSource

FILE_FRAMES_IN_FLIGHT = 8
"""Frames of a file that may be unacknowledged at once; live, it is one more than there are workers."""
_LIVE_POISON_AFTER = 2
# A frame of a file is not lost because its worker happened to be killed, twice: by then it is retried alone.
_POISON_AFTER = 3
_EARLY_POISON_AFTER = 6


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
class ScheduledCamera:
    """A camera as the scheduler tracks it.

    `watched`: an output wants its frames. `was_watched_at_request`: one did when the reader was last asked.
    `request_pending`: a PictureRequest is out. `recent_boxes`: where people were in recently acknowledged frames, by
    seq. `network_frames`: frames given to the network.
    """

    name: str
    mode: Mode = "live"
    state: str = "opening"
    epoch: int = -1
    next_seq: int = 0
    total_frames: int | None = None
    pending: Picture | None = None
    in_flight: dict[int, InFlight] = field(default_factory=dict)
    last_picture: Picture | None = None
    pts_offset_ns: int | None = 0
    end: SourceEnded | None = None
    interrupted: bool = False
    is_visitor: bool = False
    last_message_ns: int = 0
    request_pending: bool = False
    watched: bool = True
    was_watched_at_request: bool = True
    pacer: Pacer | None = None
    recent_boxes: dict[int, Box | None] = field(default_factory=dict)
    network_frames: int = 0
    ledger: Ledger = field(default_factory=Ledger)

    def assign_seq(self, how: MaskSource) -> InFlight:
        """Give the waiting picture its number; its timestamp rises over reconnects too.

        ValueError where its times are such that no frame can be made of it.
        """
        picture, self.pending = self.pending, None
        assert picture is not None
        if self.pts_offset_ns is None and self.last_picture is not None:  # the first picture of a new epoch
            gap_ns = max(picture.captured_ns - self.last_picture.captured_ns, 1)
            self.pts_offset_ns = self.last_picture.pts_ns + gap_ns - picture.pts_ns
        picture = replace(picture, pts_ns=picture.pts_ns + (self.pts_offset_ns or 0))
        self.last_picture = picture
        box = self._region_of_interest(how)
        live = self.mode == "live"
        frame = Frame(self.name, self.epoch, self.next_seq, picture, box, self._level().detail, live)
        in_flight = InFlight(frame, how)
        self.in_flight[self.next_seq] = in_flight
        self.next_seq += 1
        return in_flight

    def next_suspect(self) -> InFlight | None:
        """A frame to be tried again because nothing of the camera can go before it any more."""
        more = self.pending is not None or (self.request_pending and self.end is None)
        if more and len(self.in_flight) < FILE_FRAMES_IN_FLIGHT:
            return None
        waiting = [in_flight for in_flight in self.in_flight.values() if in_flight.worker is None]
        return waiting[0] if waiting and all(in_flight.suspect for in_flight in waiting) else None

    def record_box(self, seq: int, box: Box | None) -> None:
        """Record where people were in an acknowledged frame."""
        if self.mode == "live":
            self.recent_boxes.clear()
        self.recent_boxes[seq] = box

    def _region_of_interest(self, how: MaskSource) -> Box | None:
        """Return where the network looks for people in the next frame; None: everywhere.

        Live that is where they were last. In a file it is where they were `FILE_FRAMES_IN_FLIGHT` frames before, which
        is known whatever the timing, so that results do not depend on it.
        """
        box = self.recent_boxes.pop(self.next_seq - FILE_FRAMES_IN_FLIGHT, None)
        if self.mode == "live":
            box = next(reversed(self.recent_boxes.values()), None)
        if how not in ("network", "ahead"):
            return None
        self.network_frames += 1
        return box_for_frame(box, self.network_frames - 1)

    def _level(self) -> Level:
        return self.pacer.level if self.pacer is not None else LEVELS[0]

    def status(self, now_ns: int) -> CameraStatus:
        """Its ledger as it stands."""
        in_hz, out_hz = self.ledger.rates_hz(now_ns)
        age_p50_ms, age_p95_ms = self.ledger.ages_ms()
        return CameraStatus(
            camera=self.name,
            mode=self.mode,
            state=self.state if self.watched or self.state != "live" else "unwatched",
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
            frames=self.total_frames,
            interrupted=self.interrupted,
            mask_sources=dict(self.ledger.masks),
            mask_timing=self._level().timing,
            mask_every=self._level().every,
            mask_detail=self._level().detail,
        )
