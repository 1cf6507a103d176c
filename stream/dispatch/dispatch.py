"""The dispatch stage: receives from readers, workers and composite on one socket, sends what the scheduler returns."""

from __future__ import annotations

import time
from dataclasses import dataclass

from stream.dispatch.scheduler import Outgoing, Scheduler
from stream.message import (
    Ack,
    DemandChanged,
    Dropped,
    EndOfRun,
    EndOfStream,
    Frame,
    FramesSent,
    NewPicture,
    Outage,
    PictureRequest,
    PropagatedFrame,
    SourceEnded,
    SourceLost,
    SourceOpened,
    StreamEvent,
    StreamStart,
    WorkerReady,
)
from stream.process.pipe import (
    DRAIN_TIMEOUT_S,
    HEARTBEAT_S,
    Command,
    LazyTimeout,
    Notice,
    ReaderLost,
    StageFailed,
    StatusReport,
    StopStage,
    SupervisorPipe,
    WorkerLost,
)
from stream.settings.config import Run
from stream.transport.sockets import PushSocket, RouterSocket

_COMPOSITE_GRACE_S = 0.8  # what composite may need beyond its own timeout, for the frame it is at and its files


def serve(settings: Run, name: str, supervisor: SupervisorPipe) -> None:
    """Dispatch until every camera has ended and every frame is accounted for."""
    transport = settings.transport
    assert transport.dispatch is not None
    assert transport.results is not None
    router = RouterSocket(transport.dispatch, transport.keys)
    composite = PushSocket(transport.results, transport.keys)
    try:
        _DispatchLoop(settings, router, composite, supervisor).run()
    finally:
        composite.close()
        router.close()


def new_scheduler(settings: Run) -> Scheduler:
    """The dispatcher of a run."""
    return Scheduler(
        list(settings.cameras),
        int(settings.model.frame_deadline_ms * 1e6),
        settings.web.visitors if settings.web is not None else 0,
        pace=settings.pace if settings.pace != "off" else None,
        can_propagate=settings.smoothing != "off",
    )


@dataclass
class _Delivery:
    """The frames that a worker was `sent`, of which so many are `lost`; how often it said since that it has fewer."""

    sent: int
    lost: int = 0
    times_behind: int = 0


class _DispatchLoop:
    """The dispatcher between its sockets: which peer speaks for which camera, and what each was sent."""

    def __init__(self, settings: Run, router: RouterSocket, composite: PushSocket, supervisor: SupervisorPipe) -> None:
        self._scheduler = new_scheduler(settings)
        self._picture_encoding = settings.transport.frames
        self._router = router
        self._composite = composite
        self._supervisor = supervisor
        self._readers: dict[str, bytes] = {}
        self._deliveries: dict[str, _Delivery] = {}
        self._reported_outages: dict[str, str] = {}
        self._last_status_s = 0.0
        self._deadline_s = settings.model.frame_deadline_ms / 1000
        self._silent = False
        self._drain_timeout = LazyTimeout(DRAIN_TIMEOUT_S + _COMPOSITE_GRACE_S)

    def run(self) -> None:
        while not self._scheduler.finished:
            for command in self._supervisor.commands():
                self._send(self._on_command(command, time.monotonic_ns()))
            if self._supervisor.stopping and self._drain_timeout.expired():
                self._send(self._scheduler.drop_in_flight())
            received = self._router.receive(int(HEARTBEAT_S * 200))
            now_ns = time.monotonic_ns()
            if received is not None:
                self._send(self._on_message(*received, now_ns))
            for worker in self._scheduler.hung_workers(now_ns):
                self._supervisor.report(Notice(f"{worker}: no result before the deadline; its frame is taken from it"))
                self._send(self._scheduler.on_worker_lost(worker, now_ns))
            self._ask_again(now_ns)
            for visitor in self._scheduler.silent_visitors(now_ns):
                self._send(self._scheduler.on_reader_message(SourceEnded(visitor), now_ns))
            self._report_departed()
            self._report_status()
        self._last_status_s = 0.0
        self._report_status()
        if self._scheduler.failure is not None:
            self._supervisor.report(StageFailed(self._scheduler.failure))

    def _on_message(self, peer: bytes, item: object, now_ns: int) -> list[Outgoing]:
        match item:
            case SourceOpened() | NewPicture() | SourceLost() | SourceEnded():
                self._readers[item.camera] = peer
                return self._scheduler.on_reader_message(item, now_ns)
            case WorkerReady():
                return self._on_worker_ready(peer.decode(errors="replace"), item, now_ns)
            case DemandChanged():
                return self._scheduler.on_demand_changed(item)
            case Ack() | Dropped():
                return self._on_reply(item, now_ns)
            case EndOfRun():  # composite ends: what it has not taken it never will
                return self._scheduler.drop_in_flight()
        self._router.rejected += 1
        return []

    def _on_worker_ready(self, worker: str, word: WorkerReady, now_ns: int) -> list[Outgoing]:
        """Take a worker at its word, unless that was said before the frame that is on its way reached it.

        A frame that was lost with a broken connection never will: a worker that repeats itself is told how many it was
        sent, behind the last of them, and where it has heard that and still has fewer, they are lost. So it is heard
        again as soon as it is connected again (2.2 s, see sockets.py) and has said its next word (`HEARTBEAT_S`).
        """
        delivery = self._deliveries.setdefault(worker, _Delivery(word.received))
        if word.received + delivery.lost >= delivery.sent:
            delivery.times_behind = 0
            return self._scheduler.on_worker_ready(worker, now_ns)
        if word.sent >= delivery.sent:
            delivery.lost = delivery.sent - word.received
            return self._scheduler.on_frame_undelivered(worker) + self._scheduler.on_worker_ready(worker, now_ns)
        delivery.times_behind += 1
        if delivery.times_behind > 1:  # the first may have crossed the frame
            self._router.send(worker.encode(), FramesSent(delivery.sent))
        return []

    def _ask_again(self, now_ns: int) -> None:
        """Notice that no output takes frames any more, report it once, and send again what may have been lost."""
        frames = self._scheduler.unacknowledged_count(now_ns)
        if frames == 0:
            return
        if not self._silent:
            self._silent = True
            waited_s = self._deadline_s
            self._supervisor.report(
                Notice(
                    f"composite has taken no frame for {waited_s:g} s, though {frames} went on to it: it or the link "
                    "to it stands still; they are sent again"
                )
            )
        self._send(self._scheduler.redispatch_unacknowledged(now_ns))

    def _on_reply(self, reply: Ack | Dropped, now_ns: int) -> list[Outgoing]:
        if self._silent:
            self._silent = False
            self._supervisor.report(Notice("composite takes frames again"))
        return (
            self._scheduler.on_ack(reply, now_ns)
            if isinstance(reply, Ack)
            else self._scheduler.on_frame_failed(reply, now_ns)
        )

    def _on_command(self, command: Command, now_ns: int) -> list[Outgoing]:
        match command:
            case StopStage():
                return self._scheduler.stop()
            case WorkerLost(worker):
                return self._scheduler.on_worker_exited(worker, now_ns)
            case ReaderLost(camera, cause, retried):
                event = SourceLost(camera, cause) if retried else SourceEnded(camera, cause)
                return self._scheduler.on_reader_message(event, now_ns)

    def _send(self, orders: list[Outgoing]) -> None:
        for to, name, item in orders:
            if to == "composite":
                self._composite.write(item)
                self._report_outage(item)
            elif to == "worker":
                self._deliveries[name].sent += 1
                self._router.send(name.encode(), item, self._picture_encoding)
            elif name in self._readers:
                self._router.send(self._readers[name], item)

    def _report_outage(self, item: Frame | PropagatedFrame | PictureRequest | StreamEvent) -> None:
        """Report that a camera has no signal, and why: once, however often it is retried."""
        if isinstance(item, StreamStart | EndOfStream):
            self._reported_outages.pop(item.camera, None)
        elif isinstance(item, Outage) and self._reported_outages.get(item.camera) != item.cause:
            self._reported_outages[item.camera] = item.cause
            self._supervisor.report(Notice(f"no signal: {item.cause}"))

    def _report_departed(self) -> None:
        """Report the frame counts of visitors who left, and forget them."""
        while self._scheduler.departed_visitors:
            left = self._scheduler.departed_visitors.pop()
            self._readers.pop(left.camera, None)
            dropped = sum(left.dropped.values())
            counts = f"delivered {left.delivered} of {left.captured} frames, dropped {dropped}"
            self._supervisor.report(Notice(f"a visitor left: {counts}"))

    def _report_status(self) -> None:
        now_s = time.monotonic()
        if now_s - self._last_status_s >= HEARTBEAT_S:
            self._last_status_s = now_s
            cameras = self._scheduler.status(time.monotonic_ns())
            self._supervisor.report(StatusReport(cameras, self._router.rejected))
