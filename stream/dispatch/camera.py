"""One camera as the dispatcher knows it: the picture that waits, the frames under way, what became of the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from clothseg.network.roi import Box, focus
from stream.dispatch.ledger import Ledger
from stream.dispatch.pace import LEVELS, Level, Pacer
from stream.message import Ended, Frame, Mode, Picture
from stream.process.status import CameraStatus, MasksFrom

FILE_FRAMES_UNDER_WAY = 8
"""Frames of a file that may be unacknowledged at once; live, it is one more than there are workers."""
_LIVE_DEATHS_TO_BLAME = 2
# A frame of a file is not to be lost because somebody ended its worker by chance, twice: it is tried alone by then.
_DEATHS_TO_BLAME = 3
_DEATHS_AT_START_TO_BLAME = 6


@dataclass(eq=False)
class Held:
    """A frame under way: what its masks come from, who had it last and since when (None: it is to go out again).

    `sent_ns` is when it went on to composite, None: it has not yet. `deaths` are those of workers that were at it, and
    `proven_deaths` of those among them that had finished frames before: a new one may die of its own start.
    """

    frame: Frame
    how: MasksFrom = "network"
    worker: str | None = None
    handed_ns: int = 0
    sent_ns: int | None = None
    deaths: int = 0
    proven_deaths: int = 0

    @property
    def suspect(self) -> bool:
        """Whether it may be what ends workers. A live one is given up instead."""
        return self.deaths > 0 and not self.frame.live

    @property
    def guilty(self) -> bool:
        """Whether it has ended so many workers that it is not tried again."""
        if self.frame.live:
            return self.deaths >= _LIVE_DEATHS_TO_BLAME
        return self.proven_deaths >= _DEATHS_TO_BLAME or self.deaths >= _DEATHS_AT_START_TO_BLAME


@dataclass(eq=False)
class Camera:
    """`watched`: an output has a use for it; `awake`: it had, when its reader was last asked; `asked`: it still is.

    `boxes`: where people were in frames lately done, by number; `views`: frames that the network was given.
    """

    name: str
    mode: Mode = "live"
    state: str = "opening"
    epoch: int = -1
    next_seq: int = 0
    frames: int | None = None
    waiting: Picture | None = None
    held: dict[int, Held] = field(default_factory=dict)
    last: Picture | None = None
    shift_ns: int | None = 0
    ended: Ended | None = None
    interrupted: bool = False
    guest: bool = False
    heard_ns: int = 0
    asked: bool = False
    watched: bool = True
    awake: bool = True
    pacer: Pacer | None = None
    boxes: dict[int, Box | None] = field(default_factory=dict)
    views: int = 0
    ledger: Ledger = field(default_factory=Ledger)

    def number(self, how: MasksFrom) -> Held:
        """Give the waiting picture its number; its timestamp rises over reconnects too.

        ValueError where its times are such that no frame can be made of it.
        """
        picture, self.waiting = self.waiting, None
        assert picture is not None
        if self.shift_ns is None and self.last is not None:  # the first picture of a new epoch
            gap_ns = max(picture.captured_ns - self.last.captured_ns, 1)
            self.shift_ns = self.last.pts_ns + gap_ns - picture.pts_ns
        picture = replace(picture, pts_ns=picture.pts_ns + (self.shift_ns or 0))
        self.last = picture
        box = self._look(how)
        live = self.mode == "live"
        frame = Frame(self.name, self.epoch, self.next_seq, picture, box, self._level().detail, live)
        held = Held(frame, how)
        self.held[self.next_seq] = held
        self.next_seq += 1
        return held

    def due_suspect(self) -> Held | None:
        """A frame to be tried again because nothing of the camera can go before it any more."""
        more = self.waiting is not None or (self.asked and self.ended is None)
        if more and len(self.held) < FILE_FRAMES_UNDER_WAY:
            return None
        waiting = [held for held in self.held.values() if held.worker is None]
        return waiting[0] if waiting and all(held.suspect for held in waiting) else None

    def note_box(self, seq: int, box: Box | None) -> None:
        """Note where people were in a frame that is done."""
        if self.mode == "live":
            self.boxes.clear()
        self.boxes[seq] = box

    def _look(self, how: MasksFrom) -> Box | None:
        """Where the network is to look for people in the next frame, None: everywhere.

        Live that is where they were last. In a file it is where they were `FILE_FRAMES_UNDER_WAY` frames before, which
        is known whatever the timing, so that results do not depend on it.
        """
        box = self.boxes.pop(self.next_seq - FILE_FRAMES_UNDER_WAY, None)
        if self.mode == "live":
            box = next(reversed(self.boxes.values()), None)
        if how not in ("network", "ahead"):
            return None
        self.views += 1
        return focus(box, self.views - 1)

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
            under_way=len(self.held) + (self.waiting is not None),
            reconnects=max(self.epoch, 0),
            in_hz=in_hz,
            out_hz=out_hz,
            age_p50_ms=age_p50_ms,
            age_p95_ms=age_p95_ms,
            frames=self.frames,
            interrupted=self.interrupted,
            masks=dict(self.ledger.masks),
            mask_way=self._level().way,
            mask_every=self._level().every,
            mask_detail=self._level().detail,
        )
