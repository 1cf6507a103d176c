"""One camera as the dispatcher knows it: the picture that waits, the frames under way, what became of the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stream.ledger import CameraStatus, Ledger, MasksFrom
from stream.message import Ended, Frame, Mode, Picture
from stream.pace import Level, Pacer


@dataclass(eq=False)
class Held:
    """A frame under way: what its masks come from, who had it last and since when (None: it is to go out again)."""

    frame: Frame
    how: MasksFrom = "network"
    worker: str | None = None
    handed_ns: int = 0
    deaths: int = 0


@dataclass(eq=False)
class Camera:
    """`watched`: an output has a use for it; `awake`: it was, when its reader was last asked; `asked`: it still is."""

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
    ledger: Ledger = field(default_factory=Ledger)

    def number(self, how: MasksFrom) -> Held:
        """Give the waiting picture its number; its timestamp rises over reconnects too."""
        picture, self.waiting = self.waiting, None
        assert picture is not None
        if self.shift_ns is None and self.last is not None:  # the first picture of a new epoch
            gap_ns = max(picture.captured_ns - self.last.captured_ns, 1)
            self.shift_ns = self.last.pts_ns + gap_ns - picture.pts_ns
        picture = replace(picture, pts_ns=picture.pts_ns + (self.shift_ns or 0))
        self.last = picture
        held = Held(Frame(self.name, self.epoch, self.next_seq, picture, self._level().detail), how)
        self.held[self.next_seq] = held
        self.next_seq += 1
        return held

    def _level(self) -> Level:
        return self.pacer.level if self.pacer is not None else Level(1, 1.0)

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
            mask_every=self._level().every,
            mask_detail=self._level().detail,
        )
