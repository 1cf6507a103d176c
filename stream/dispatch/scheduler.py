"""Hands frames out to workers and keeps the ledger: a pure state machine, told what happened and when.

Every method takes what a peer said and returns the `Order`s that follow from it; no socket, no clock.
A frame stays the dispatcher's until composite says `Done`, so a worker may die with it. In `live` mode
the newest picture waits, and older ones are dropped before they get a number; one that does not wait for masks of its
own goes to composite at once, and one that no output has a use for is not asked for. In `file` mode the reader is
asked for the next picture only when the last one was handed out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

from stream.dispatch.camera import FILE_FRAMES_UNDER_WAY, Camera, Held
from stream.dispatch.pace import Pacer
from stream.dispatch.workers import Workers
from stream.message import (
    CarriedFrame,
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
    StreamStart,
    Watched,
)
from stream.process.status import CameraStatus
from stream.settings.pace import Pace

GUEST_SILENCE_NS = 4_500_000_000
_COMPOSITE = "composite"  # holds the frames that need no worker


class Order(NamedTuple):
    """Something to be sent: to a camera's reader or to a worker by name, or to composite."""

    to: Literal["reader", "worker", "composite"]
    name: str
    message: Frame | CarriedFrame | Next | Event


class Dispatcher:
    """The cameras, who is idle, and which frame is where.

    `cameras` are the run's own; `guests` says how many more may come and go while it runs. With guests, it
    finishes only when it is stopped. Those who left are told in `departed`, for whoever takes them from there.
    Without a `pace` every live frame is segmented for which there is time; `carries`: see `Pacer`.
    """

    def __init__(
        self, cameras: list[str], deadline_ns: int, guests: int = 0, *, pace: Pace | None = None, carries: bool = False
    ) -> None:
        self._cameras = {name: Camera(name) for name in cameras}
        self._pace = pace
        self._carries = carries
        self._deadline_ns = deadline_ns
        self._guests = guests
        self._workers = Workers()
        self._answered_ns = 0
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
        return self._settle(camera) + self._hand_out(now_ns)

    def _welcome(self, item: FromReader) -> Camera | None:
        """A guest's camera joins, where there is room for it."""
        # One that has left and whose last frames are still under way takes no place: it was given to the next.
        guests = sum(camera.guest and camera.ended is None for camera in self._cameras.values())
        if not isinstance(item, Opened) or item.mode != "live" or guests >= self._guests or self._stopping:
            return None
        camera = self._cameras[item.camera] = Camera(item.camera, guest=True)
        self._turn.append(item.camera)
        return camera

    def silent(self, now_ns: int) -> list[str]:
        """The guests of whom nothing was heard for so long that they must be gone."""
        return [
            camera.name
            for camera in self._cameras.values()
            if camera.guest and camera.ended is None and now_ns - camera.heard_ns > GUEST_SILENCE_NS
        ]

    def _open(self, camera: Camera, opened: Opened) -> list[Order]:
        orders: list[Order] = []
        if camera.state == "live":  # a reader that was replaced says Opened without having said Lost
            orders = self._lose(camera, "its reader was replaced")
        mode: Mode = "live" if camera.guest else opened.mode
        camera.mode, camera.frames, camera.state = mode, opened.frames, "live"
        camera.epoch += 1
        camera.boxes.clear()
        camera.asked = False
        camera.shift_ns = 0 if camera.last is None else None
        paced = self._pace is not None and mode == "live"
        camera.pacer = Pacer(self._pace, carries=self._carries) if self._pace is not None and paced else None
        start = StreamStart(
            camera.name,
            camera.epoch,
            camera.next_seq,
            mode,
            opened.source,
            opened.rate_hz,
            opened.frames,
        )
        return [
            *orders,
            Order("composite", camera.name, start),
            *self._ask(camera),
        ]

    def _offer(self, camera: Camera, offer: Offer, now_ns: int) -> list[Order]:
        if camera.state != "live":
            return []  # of a reader that has died meanwhile, or never said what it reads
        camera.asked = False
        camera.ledger.capture(1 + offer.superseded, now_ns)
        camera.ledger.drop("superseded" if camera.awake else "unwatched", offer.superseded)
        if camera.pacer is not None and camera.awake:
            camera.pacer.miss(offer.superseded + (camera.waiting is not None))
        camera.awake = camera.watched
        if self._stopping:
            camera.ledger.drop("stopped")
            return []
        if not camera.watched:
            camera.ledger.drop("unwatched")
            return []
        if camera.waiting is not None:
            camera.ledger.drop("superseded")
        camera.waiting = offer.picture
        orders = self._hand_out(now_ns)
        return orders + (self._ask(camera) if camera.mode == "live" else [])

    def _ask(self, camera: Camera) -> list[Order]:
        """Ask a camera's reader for its next picture, unless that is done."""
        if camera.asked:
            return []
        camera.asked = True
        return [Order("reader", camera.name, Next(camera.name))]

    def _lose(self, camera: Camera, cause: str) -> list[Order]:
        camera.state = "no signal"
        if camera.waiting is not None:
            camera.waiting = None
            camera.ledger.drop("superseded")
        return [Order("composite", camera.name, Outage(camera.name, camera.next_seq - 1, cause))]

    # What workers and composite say.

    def watch(self, item: Watched) -> list[Order]:
        """Some output has a use for a live camera's frames, or none has any more: then it is not asked for them."""
        camera = self._cameras.get(item.camera)
        if camera is None or camera.mode != "live":
            return []
        camera.watched = item.by_anyone
        if camera.watched:
            return self._ask(camera) if camera.state == "live" else []
        if camera.pacer is not None:
            camera.pacer.forget()
        if camera.waiting is not None:
            camera.waiting = None
            camera.ledger.drop("unwatched")
        return []

    def ready(self, worker: str, now_ns: int) -> list[Order]:
        """Worker `SLOT.INCARNATION` is free: it starts, or has sent its result on to composite.

        A new incarnation in a slot tells that the one before it is dead.
        """
        if self._workers.is_dead(worker):
            return []
        orders: list[Order] = []
        for other in self._workers.predecessors(worker):
            orders += self.died(other, now_ns)
        finished = self._workers.free(worker)
        if finished is not None and finished.worker == worker:
            finished.sent_ns = now_ns
        return orders + self._hand_out(now_ns)

    def died(self, worker: str, now_ns: int) -> list[Order]:
        """A worker's process is known to have ended: as `lost`, and a late word of it is not listened to."""
        self._workers.bury(worker)
        return self.lost(worker, now_ns)

    def lost(self, worker: str, now_ns: int) -> list[Order]:
        """A worker died or hangs: what it held goes out again, or is given up by reason.

        Results it had sent may be lost with it, so they are made again; composite ignores the second.
        """
        proven = self._workers.proven(worker)
        blamed = self._workers.remove(worker)
        orders: list[Order] = []
        for camera, held in self._under_way():
            if held.worker != worker:
                continue
            held.worker = held.sent_ns = None
            held.deaths += held is blamed
            held.proven_deaths += held is blamed and proven
            if held.guilty:
                orders += self._blame(camera, held)
            elif camera.mode == "live" and not self._workers.idle:
                orders += self._give_up(camera, held, "worker_lost")
        return orders + self._hand_out(now_ns)

    def _under_way(self) -> Iterator[tuple[Camera, Held]]:
        """Every frame under way as it is now; cameras may go while they are looked through."""
        yield from [(camera, held) for camera in self._cameras.values() for held in camera.held.values()]

    def _blame(self, camera: Camera, held: Held) -> list[Order]:
        if camera.mode == "live":
            return self._give_up(camera, held, "poison")
        cause = f"frame {held.frame.seq} of {camera.name} ended every worker that tried it"
        self.failure = self.failure or cause
        camera.ended = Ended(camera.name, cause)
        if camera.waiting is not None:
            camera.waiting = None
            camera.ledger.drop("stopped")
        orders: list[Order] = []
        # The last one first: composite may have those after it already, and would take this one's end for their turn.
        for other in reversed(list(camera.held.values())):
            if other.frame.seq >= held.frame.seq:
                orders += self._give_up(camera, other, "poison" if other is held else "stopped")
        return orders

    def _give_up(self, camera: Camera, held: Held, reason: DropReason) -> list[Order]:
        frame = held.frame
        if camera.held.get(frame.seq) is not held:
            return []  # given up with the one that it was to go on from
        orders: list[Order] = []
        # What was to be carried on from it is given up before it, or it would go out as soon as this one is gone.
        if (heir := camera.held.get(frame.seq + 1)) is not None and heir.how != "network":
            orders += self._give_up(camera, heir, reason)
        del camera.held[frame.seq]
        camera.ledger.drop(reason)
        if camera.pacer is not None:
            camera.pacer.forget()
        dropped = Dropped(camera.name, frame.epoch, frame.seq, reason)
        return [*orders, Order("composite", camera.name, dropped), *self._settle(camera)]

    def done(self, item: Done, now_ns: int) -> list[Order]:
        """Every sink has taken a frame (said of a frame given up meanwhile, it is no news)."""
        camera = self._cameras.get(item.camera)
        held = camera.held.pop(item.seq, None) if camera is not None else None
        if camera is None or held is None:
            return []
        self._answered_ns = now_ns
        camera.note_box(item.seq, item.box)
        camera.ledger.deliver(held.frame.picture.captured_ns, held.how, now_ns)
        if camera.pacer is not None:
            camera.pacer.deliver((now_ns - held.frame.picture.captured_ns) / 1e6, now_ns)
        return self._settle(camera) + self._hand_out(now_ns)

    def overdue(self, now_ns: int) -> list[str]:
        """The workers that work on a frame for longer than the deadline: they are to be replaced."""
        return self._workers.overdue(now_ns, self._deadline_ns)

    def undrawn(self, item: Dropped, now_ns: int) -> list[Order]:
        """Composite could not draw a frame; of a file it is missed, and so the run has failed once it is over."""
        camera = self._cameras.get(item.camera)
        held = camera.held.get(item.seq) if camera is not None else None
        if camera is None or held is None:
            return []
        self._answered_ns = now_ns
        if camera.mode == "file":
            self.failure = self.failure or f"frame {item.seq} of {camera.name} could not be drawn"
        return self._give_up(camera, held, "poison") + self._hand_out(now_ns)

    def unanswered(self, now_ns: int) -> int:
        """How many frames went on to composite longer than the deadline ago, while it took none at all."""
        return len(self._unanswered(now_ns))

    def again(self, now_ns: int) -> list[Order]:
        """Frames that nobody answers for go out again, or live are given up: they or the word of them got lost."""
        orders: list[Order] = []
        for camera, held in self._unanswered(now_ns):
            if camera.mode == "live":
                orders += self._give_up(camera, held, "unanswered")
            else:
                held.worker = held.sent_ns = None
        return orders + self._hand_out(now_ns)

    def _unanswered(self, now_ns: int) -> list[tuple[Camera, Held]]:
        if now_ns - self._answered_ns <= self._deadline_ns:
            return []
        return [
            (camera, held)
            for camera, held in self._under_way()
            if held.sent_ns is not None and now_ns - held.sent_ns > self._deadline_ns
        ]

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

    def _settle(self, camera: Camera) -> list[Order]:
        """Say the end of a camera once nothing of it is under way, and of the run after the last one."""
        if camera.ended is None or camera.state == "ended":
            return []
        if camera.ended.error is not None and not camera.guest:
            self.failure = self.failure or camera.ended.error
        if camera.waiting is not None or camera.held:
            return []
        camera.state = "ended"
        end = EndOfStream(camera.name, camera.next_seq - 1, camera.ended.error, camera.interrupted)
        if camera.guest:
            del self._cameras[camera.name]
            self._turn.remove(camera.name)
            self.departed.append(camera.status(camera.heard_ns))
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
        """Hand out what can be, the cameras in turn, until none has anything for which there is room."""
        orders: list[Order] = []
        passed = 0
        while passed < len(self._turn):
            camera = self._cameras[self._turn[0]]
            self._turn.rotate(-1)
            handed = self._hand_one(camera, now_ns)
            orders += handed
            passed = 0 if handed else passed + 1
        return orders

    def _hand_one(self, camera: Camera, now_ns: int) -> list[Order]:
        """Hand out one frame of a camera: to a worker, or to composite where its masks are carried on."""
        if camera.mode == "file" and self._waits_for_suspect(camera):
            return []
        held = next((h for h in camera.held.values() if h.worker is None and not h.suspect), None)
        if held is None and camera.waiting is not None and self._has_room(camera):
            held = self._number(camera)
        held = held or (camera.due_suspect() if camera.mode == "file" else None)
        if held is None:
            return []
        if held.worker is None and held.how != "network":
            return self._send_on(held, now_ns)
        if not self._workers.idle:
            return []
        held.worker = self._workers.occupy(held, now_ns)
        order = Order("worker", held.worker, held.frame)
        if camera.mode == "file" and camera.waiting is None and not camera.ended:
            return [order, *self._ask(camera)]
        return [order]

    def _number(self, camera: Camera) -> Held | None:
        """The frame that the waiting picture becomes, if it need not wait on."""
        assert camera.waiting is not None
        idle = self._workers.idle
        how = camera.pacer.choose(camera.waiting, idle=idle) if camera.pacer else "network" if idle else None
        if how is None:
            return None
        try:
            return camera.number(how)
        except ValueError:  # its times are such that no message can say them
            camera.ledger.drop("poison")
            return None

    def _send_on(self, held: Held, now_ns: int) -> list[Order]:
        """Let a frame go to composite ahead of its masks, or without any of its own."""
        assert held.how != "network"
        held.worker, held.sent_ns = _COMPOSITE, now_ns
        orders = [Order("composite", held.frame.camera, CarriedFrame(held.frame, held.how))]
        if held.how == "ahead":
            worker = self._workers.occupy(held, now_ns)
            orders.append(Order("worker", worker, replace(held.frame, answer="masks")))
        return orders

    def _waits_for_suspect(self, camera: Camera) -> bool:
        """Whether a frame that may end workers is tried, or is about to be: of files it is then alone."""
        files = [held for held in self._workers.frames if not held.frame.live]
        if any(held.suspect for held in files):
            return True
        due = next((other for other in self._cameras.values() if other.mode == "file" and other.due_suspect()), None)
        return due is not None and (due is not camera or bool(files))

    def _has_room(self, camera: Camera) -> bool:
        """Whether one more frame of a camera may be under way."""
        if camera.mode == "file":
            return len(camera.held) < FILE_FRAMES_UNDER_WAY
        live = sum(len(other.held) for other in self._cameras.values() if other.mode == "live")
        return live <= len(self._workers)

    def status(self, now_ns: int) -> list[CameraStatus]:
        """Every camera's ledger as it stands."""
        return [camera.status(now_ns) for camera in self._cameras.values()]
