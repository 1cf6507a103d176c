"""Hands frames out to workers and keeps the ledger: a pure state machine, told what happened and when.

Every method takes what a peer said and returns the `Order`s that follow from it; no socket, no clock.
A frame stays the dispatcher's until composite says `Done`, so a worker may die with it. In `live` mode
the newest picture waits, and older ones are dropped before they get a number; in `file` mode the reader
is asked for the next picture only when the last one was handed out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from stream.ledger import CameraStatus, Ledger
from stream.message import (
    Done,
    Dropped,
    DropReason,
    Ended,
    EndOfStream,
    Event,
    Finished,
    Frame,
    FromReader,
    Lost,
    Mode,
    Next,
    Offer,
    Opened,
    Outage,
    Picture,
    StreamStart,
)

FILE_FRAMES_UNDER_WAY = 8
"""Frames of a file that may be unacknowledged at once; live, it is one more than there are workers."""
GUEST_SILENCE_NS = 4_500_000_000
_DEATHS_TO_BLAME = 2


class Order(NamedTuple):
    """Something to be sent: to a camera's reader or to a worker by name, or to composite."""

    to: Literal["reader", "worker", "composite"]
    name: str
    message: Frame | Next | Event


@dataclass(eq=False)
class _Held:
    """A frame under way: which worker had it last, since when (None: it is to go out again)."""

    frame: Frame
    worker: str | None = None
    handed_ns: int = 0
    deaths: int = 0


@dataclass(eq=False)
class _Camera:
    name: str
    mode: Mode = "live"
    state: str = "opening"
    epoch: int = -1
    next_seq: int = 0
    frames: int | None = None
    waiting: Picture | None = None
    held: dict[int, _Held] = field(default_factory=dict)
    last: Picture | None = None
    shift_ns: int | None = 0
    ended: Ended | None = None
    interrupted: bool = False
    guest: bool = False
    heard_ns: int = 0
    ledger: Ledger = field(default_factory=Ledger)


class Dispatcher:
    """The cameras, who is idle, and which frame is where.

    `cameras` are the run's own; `guests` says how many more may come and go while it runs. With guests, it
    finishes only when it is stopped. Those who left are told in `departed`, for whoever takes them from there.
    """

    def __init__(self, cameras: list[str], deadline_ns: int, guests: int = 0) -> None:
        self._cameras = {name: _Camera(name) for name in cameras}
        self._deadline_ns = deadline_ns
        self._guests = guests
        self._workers: set[str] = set()
        self._idle: deque[str] = deque()
        self._working: dict[str, _Held] = {}
        self._turn: deque[str] = deque(cameras)
        self._stopping = False
        self._finished = False
        self.failure: str | None = None
        self.departed: list[CameraStatus] = []

    @property
    def finished(self) -> bool:
        """Whether every camera has ended and every frame is accounted for."""
        return self._finished

    # What readers say.

    def hear(self, item: FromReader, now_ns: int) -> list[Order]:
        """A reader opened its source, offers a picture, lost its source, or ended."""
        camera = self._cameras.get(item.camera) or self._welcome(item)
        if camera is None or camera.ended is not None:
            return []
        camera.heard_ns = now_ns
        if isinstance(item, Opened):
            return self._open(camera, item)
        if isinstance(item, Offer):
            return self._offer(camera, item, now_ns)
        if isinstance(item, Lost):
            return self._lose(camera, item.cause)
        camera.ended = item
        return self._settle(camera)

    def _welcome(self, item: FromReader) -> _Camera | None:
        """A guest's camera joins, where there is room for it."""
        guests = sum(camera.guest for camera in self._cameras.values())
        if not isinstance(item, Opened) or item.mode != "live" or guests >= self._guests or self._stopping:
            return None
        camera = self._cameras[item.camera] = _Camera(item.camera, guest=True)
        self._turn.append(item.camera)
        return camera

    def silent(self, now_ns: int) -> list[str]:
        """The guests of whom nothing was heard for so long that they must be gone."""
        return [
            camera.name
            for camera in self._cameras.values()
            if camera.guest and camera.ended is None and now_ns - camera.heard_ns > GUEST_SILENCE_NS
        ]

    def _open(self, camera: _Camera, opened: Opened) -> list[Order]:
        orders: list[Order] = []
        if camera.state == "live":  # a reader that was replaced says Opened without having said Lost
            orders = self._lose(camera, "its reader was replaced")
        camera.mode, camera.frames, camera.state = opened.mode, opened.frames, "live"
        camera.epoch += 1
        camera.shift_ns = 0 if camera.last is None else None
        start = StreamStart(
            camera.name,
            camera.epoch,
            camera.next_seq,
            opened.mode,
            opened.source,
            opened.rate_hz,
            opened.frames,
        )
        return [
            *orders,
            Order("composite", camera.name, start),
            Order("reader", camera.name, Next(camera.name)),
        ]

    def _offer(self, camera: _Camera, offer: Offer, now_ns: int) -> list[Order]:
        camera.ledger.capture(1 + offer.superseded, now_ns)
        camera.ledger.drop("superseded", offer.superseded)
        if self._stopping:
            camera.ledger.drop("stopped")
            return []
        if camera.waiting is not None:
            camera.ledger.drop("superseded")
        camera.waiting = offer.picture
        orders = self._hand_out(now_ns)
        if camera.mode == "live":
            orders.append(Order("reader", camera.name, Next(camera.name)))
        return orders

    def _lose(self, camera: _Camera, cause: str) -> list[Order]:
        camera.state = "no signal"
        if camera.waiting is not None:
            camera.waiting = None
            camera.ledger.drop("superseded")
        return [Order("composite", camera.name, Outage(camera.name, camera.next_seq - 1, cause))]

    # What workers and composite say.

    def ready(self, worker: str, now_ns: int) -> list[Order]:
        """Worker `SLOT.INCARNATION` is free: it starts, or has sent its result on to composite.

        A new incarnation in a slot tells that the one before it is dead.
        """
        slot = worker.rpartition(".")[0]
        orders: list[Order] = []
        for other in [w for w in self._workers if w != worker and w.rpartition(".")[0] == slot]:
            orders += self.lost(other, now_ns)
        self._workers.add(worker)
        self._working.pop(worker, None)
        if worker not in self._idle:
            self._idle.append(worker)
        return orders + self._hand_out(now_ns)

    def lost(self, worker: str, now_ns: int) -> list[Order]:
        """A worker died or hangs: what it held goes out again, or is given up by reason.

        Results it had sent may be lost with it, so they are made again; composite ignores the second.
        """
        self._workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        blamed = self._working.pop(worker, None)
        orders: list[Order] = []
        for camera in self._cameras.values():
            for held in [held for held in camera.held.values() if held.worker == worker]:
                held.worker = None
                held.deaths += held is blamed
                if held.deaths >= _DEATHS_TO_BLAME:
                    orders += self._blame(camera, held)
                elif camera.mode == "live" and not self._idle:
                    orders += self._give_up(camera, held, "worker_lost")
        return orders + self._hand_out(now_ns)

    def _blame(self, camera: _Camera, held: _Held) -> list[Order]:
        if camera.mode == "live":
            return self._give_up(camera, held, "poison")
        cause = f"frame {held.frame.seq} of {camera.name} ended every worker that tried it"
        self.failure = self.failure or cause
        camera.ended = Ended(camera.name, cause)
        if camera.waiting is not None:
            camera.waiting = None
            camera.ledger.drop("stopped")
        orders: list[Order] = []
        for other in list(camera.held.values()):
            if other.frame.seq >= held.frame.seq:
                orders += self._give_up(camera, other, "poison" if other is held else "stopped")
        return orders

    def _give_up(self, camera: _Camera, held: _Held, reason: DropReason) -> list[Order]:
        frame = held.frame
        del camera.held[frame.seq]
        camera.ledger.drop(reason)
        dropped = Dropped(camera.name, frame.epoch, frame.seq, reason)
        return [Order("composite", camera.name, dropped), *self._settle(camera)]

    def done(self, item: Done, now_ns: int) -> list[Order]:
        """Every sink has taken a frame (said of a frame given up meanwhile, it is no news)."""
        camera = self._cameras.get(item.camera)
        held = camera.held.pop(item.seq, None) if camera is not None else None
        if camera is None or held is None:
            return []
        camera.ledger.deliver(held.frame.picture.captured_ns, now_ns)
        return self._settle(camera) + self._hand_out(now_ns)

    def overdue(self, now_ns: int) -> list[str]:
        """The workers that work on a frame for longer than the deadline: they are to be replaced."""
        return [w for w, held in self._working.items() if now_ns - held.handed_ns > self._deadline_ns]

    # The end.

    def stop(self) -> list[Order]:
        """End every camera after the frames that are under way."""
        self._stopping = True
        orders: list[Order] = []
        for camera in list(self._cameras.values()):
            if camera.waiting is not None:
                camera.waiting = None
                camera.ledger.drop("stopped")
            if camera.ended is None:
                camera.interrupted = True
                camera.ended = Ended(camera.name)
            for held in [held for held in camera.held.values() if held.worker is None]:
                orders += self._give_up(camera, held, "stopped")
            orders += self._settle(camera)
        return orders + self._finish()

    def abandon(self) -> list[Order]:
        """Wait for nothing any more: after `stop`, give up the frames that are still under way."""
        orders: list[Order] = []
        for camera in list(self._cameras.values()):
            for held in list(camera.held.values()):
                orders += self._give_up(camera, held, "stopped")
        return orders

    def _settle(self, camera: _Camera) -> list[Order]:
        """Say the end of a camera once nothing of it is under way, and of the run after the last one."""
        if camera.ended is None or camera.state == "ended":
            return []
        if camera.ended.error is not None:
            self.failure = self.failure or camera.ended.error
        if camera.waiting is not None or camera.held:
            return []
        camera.state = "ended"
        end = EndOfStream(camera.name, camera.next_seq - 1, camera.ended.error, camera.interrupted)
        if camera.guest:
            del self._cameras[camera.name]
            self._turn.remove(camera.name)
            self.departed.append(_status(camera, camera.heard_ns))
        return [Order("composite", camera.name, end), *self._finish()]

    def _finish(self) -> list[Order]:
        """Say the end of the run after the end of its last camera, once no guest can come any more."""
        awaited = self._guests > 0 and not self._stopping
        if self._finished or awaited or any(camera.state != "ended" for camera in self._cameras.values()):
            return []
        self._finished = True
        return [Order("composite", "", Finished())]

    # Handing out.

    def _hand_out(self, now_ns: int) -> list[Order]:
        orders: list[Order] = []
        while self._idle and (camera := self._next_camera()) is not None:
            held = next((h for h in camera.held.values() if h.worker is None), None) or self._number(camera)
            worker = self._idle.popleft()
            held.worker, held.handed_ns = worker, now_ns
            self._working[worker] = held
            orders.append(Order("worker", worker, held.frame))
            if camera.mode == "file" and camera.waiting is None and not camera.ended:
                orders.append(Order("reader", camera.name, Next(camera.name)))
        return orders

    def _next_camera(self) -> _Camera | None:
        """The next camera in turn that has a frame to go out and room for it."""
        live = sum(len(camera.held) for camera in self._cameras.values() if camera.mode == "live")
        for _ in range(len(self._turn)):
            camera = self._cameras[self._turn[0]]
            self._turn.rotate(-1)
            if any(held.worker is None for held in camera.held.values()):
                return camera
            under_way, room = (
                (live, len(self._workers) + 1) if camera.mode == "live" else (len(camera.held), FILE_FRAMES_UNDER_WAY)
            )
            if camera.waiting is not None and under_way < room:
                return camera
        return None

    def _number(self, camera: _Camera) -> _Held:
        """Give the waiting picture its number; its timestamp rises over reconnects too."""
        picture, camera.waiting = camera.waiting, None
        assert picture is not None
        if camera.shift_ns is None and camera.last is not None:  # the first picture of a new epoch
            gap_ns = max(picture.captured_ns - camera.last.captured_ns, 1)
            camera.shift_ns = camera.last.pts_ns + gap_ns - picture.pts_ns
        picture = replace(picture, pts_ns=picture.pts_ns + (camera.shift_ns or 0))
        camera.last = picture
        held = _Held(Frame(camera.name, camera.epoch, camera.next_seq, picture))
        camera.held[camera.next_seq] = held
        camera.next_seq += 1
        return held

    def status(self, now_ns: int) -> list[CameraStatus]:
        """Every camera's ledger as it stands."""
        return [_status(camera, now_ns) for camera in self._cameras.values()]


def _status(camera: _Camera, now_ns: int) -> CameraStatus:
    ledger = camera.ledger
    in_hz, out_hz = ledger.rates_hz(now_ns)
    age_p50_ms, age_p95_ms = ledger.ages_ms()
    return CameraStatus(
        camera=camera.name,
        mode=camera.mode,
        state=camera.state,
        captured=ledger.captured,
        delivered=ledger.delivered,
        dropped=dict(ledger.dropped),
        under_way=len(camera.held) + (camera.waiting is not None),
        reconnects=max(camera.epoch, 0),
        in_hz=in_hz,
        out_hz=out_hz,
        age_p50_ms=age_p50_ms,
        age_p95_ms=age_p95_ms,
        frames=camera.frames,
        interrupted=camera.interrupted,
    )
