"""The dispatch stage: hears readers, workers and composite on one socket, and sends what the dispatcher orders."""

from __future__ import annotations

import time

from stream.dispatch.scheduler import Dispatcher, Order
from stream.message import (
    CarriedFrame,
    Done,
    Dropped,
    Ended,
    EndOfStream,
    Event,
    Finished,
    Frame,
    Lost,
    Next,
    Offer,
    Opened,
    Outage,
    Ready,
    StreamStart,
    Watched,
)
from stream.process.pipe import (
    BEAT_S,
    STOP_S,
    Command,
    Failed,
    Lifeline,
    Notice,
    Patience,
    ReaderLost,
    Status,
    Stop,
    WorkerLost,
)
from stream.settings.config import Run
from stream.transport.sockets import Hub, Outbox

_SLOW_S = 0.8  # what composite may need beyond its own patience, for the frame it is at and its files


def serve(settings: Run, name: str, lifeline: Lifeline) -> None:
    """Dispatch until every camera has ended and every frame is accounted for."""
    transport = settings.transport
    assert transport.dispatch is not None
    assert transport.results is not None
    hub = Hub(transport.dispatch, transport.keys)
    outbox = Outbox(transport.results, transport.keys)
    try:
        _Exchange(settings, hub, outbox, lifeline).run()
    finally:
        outbox.close()
        hub.close()


def dispatcher(settings: Run) -> Dispatcher:
    """The dispatcher of a run."""
    return Dispatcher(
        list(settings.cameras),
        int(settings.model.frame_deadline_ms * 1e6),
        settings.web.visitors if settings.web is not None else 0,
        pace=settings.pace if settings.pace != "off" else None,
        carries=settings.smoothing != "off",
    )


class _Exchange:
    """The dispatcher between its sockets: which peer speaks for which camera, and what each was sent."""

    def __init__(self, settings: Run, hub: Hub, outbox: Outbox, lifeline: Lifeline) -> None:
        self._dispatcher = dispatcher(settings)
        self._pictures = settings.transport.frames
        self._hub = hub
        self._outbox = outbox
        self._lifeline = lifeline
        self._readers: dict[str, bytes] = {}
        self._sent: dict[str, int] = {}
        self._outages: dict[str, str] = {}
        self._told_s = 0.0
        self._deadline_s = settings.model.frame_deadline_ms / 1000
        self._silent = False
        self._patience = Patience(STOP_S + _SLOW_S)

    def run(self) -> None:
        while not self._dispatcher.finished:
            for command in self._lifeline.heard():
                self._carry_out(self._obey(command, time.monotonic_ns()))
            if self._lifeline.stopping and self._patience.over():
                self._carry_out(self._dispatcher.abandon())
            received = self._hub.receive(int(BEAT_S * 200))
            now_ns = time.monotonic_ns()
            if received is not None:
                self._carry_out(self._hear(*received, now_ns))
            for worker in self._dispatcher.overdue(now_ns):
                self._lifeline.report(Notice(f"{worker}: no result in time, its frame goes on without it"))
                # What it was sent may be lost with a broken connection: its next word counts, whatever it has received.
                self._sent.pop(worker, None)
                self._carry_out(self._dispatcher.lost(worker, now_ns))
            self._ask_again(now_ns)
            for guest in self._dispatcher.silent(now_ns):
                self._carry_out(self._dispatcher.hear(Ended(guest), now_ns))
            self._see_off()
            self._tell()
        self._told_s = 0.0
        self._tell()
        if self._dispatcher.failure is not None:
            self._lifeline.report(Failed(self._dispatcher.failure))

    def _hear(self, peer: bytes, item: object, now_ns: int) -> list[Order]:
        match item:
            case Opened() | Offer() | Lost() | Ended():
                self._readers[item.camera] = peer
                return self._dispatcher.hear(item, now_ns)
            case Ready(received):
                worker = peer.decode(errors="replace")
                # Less, where it was said before the frame that is on its way reached it.
                caught_up = received >= self._sent.setdefault(worker, received)
                return self._dispatcher.ready(worker, now_ns) if caught_up else []
            case Watched():
                return self._dispatcher.watch(item)
            case Done() | Dropped():
                return self._answered(item, now_ns)
            case Finished():  # composite ends: what it has not taken it never will
                return self._dispatcher.abandon()
        self._hub.refused += 1
        return []

    def _ask_again(self, now_ns: int) -> None:
        """Notice that no output takes a frame any more, say so once, and send again what may have been lost."""
        frames = self._dispatcher.unanswered(now_ns)
        if frames == 0:
            return
        if not self._silent:
            self._silent = True
            waited_s = self._deadline_s
            self._lifeline.report(
                Notice(
                    f"composite has taken no frame for {waited_s:g} s, though {frames} went on to it: it or the link "
                    "to it stands still; they are sent again"
                )
            )
        self._carry_out(self._dispatcher.again(now_ns))

    def _answered(self, word: Done | Dropped, now_ns: int) -> list[Order]:
        if self._silent:
            self._silent = False
            self._lifeline.report(Notice("composite takes frames again"))
        return self._dispatcher.done(word, now_ns) if isinstance(word, Done) else self._dispatcher.undrawn(word, now_ns)

    def _obey(self, command: Command, now_ns: int) -> list[Order]:
        match command:
            case Stop():
                return self._dispatcher.stop()
            case WorkerLost(worker):
                return self._dispatcher.died(worker, now_ns)
            case ReaderLost(camera, cause, retried):
                news = Lost(camera, cause) if retried else Ended(camera, cause)
                return self._dispatcher.hear(news, now_ns)

    def _carry_out(self, orders: list[Order]) -> None:
        for to, name, item in orders:
            if to == "composite":
                self._outbox.write(item)
                self._tell_outage(item)
            elif to == "worker":
                self._sent[name] += 1
                self._hub.send(name.encode(), item, self._pictures)
            elif name in self._readers:
                self._hub.send(self._readers[name], item)

    def _tell_outage(self, item: Frame | CarriedFrame | Next | Event) -> None:
        """Say that a camera has no signal, and why: once, however often it is tried again."""
        if isinstance(item, StreamStart | EndOfStream):
            self._outages.pop(item.camera, None)
        elif isinstance(item, Outage) and self._outages.get(item.camera) != item.cause:
            self._outages[item.camera] = item.cause
            self._lifeline.report(Notice(f"no signal: {item.cause}"))

    def _see_off(self) -> None:
        """Tell what became of the frames of guests who left, and forget them."""
        while self._dispatcher.departed:
            left = self._dispatcher.departed.pop()
            self._readers.pop(left.camera, None)
            dropped = sum(left.dropped.values())
            told = f"delivered {left.delivered} of {left.captured} pictures, dropped {dropped}"
            self._lifeline.report(Notice(f"a visitor has left: {told}"))

    def _tell(self) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= BEAT_S:
            self._told_s = now_s
            cameras = self._dispatcher.status(time.monotonic_ns())
            self._lifeline.report(Status(cameras, self._hub.refused))
