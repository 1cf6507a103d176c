"""The scheduler: assigns frames to workers and keeps the ledger; a pure state machine.

Every method takes an event and its time, and returns the `Outgoing`s that follow: no socket, no clock.
A frame stays in flight until composite sends `Ack`, so a worker may die with it. In `live` mode
the newest picture is pending, and older ones are dropped before they get a number; one that does not wait for masks of
its own goes to composite at once, and one that no output wants is not requested. In `file` mode the next picture is
requested only when the last one was assigned.
"""

from __future__ import annotations

from stream.dispatch.assignment import Assigner
from stream.dispatch.camera import Ending, InFlight, Outgoing, ScheduledCamera
from stream.dispatch.camera_pool import CameraPool
from stream.dispatch.pace import Pacer
from stream.dispatch.workers import WorkerPool
from stream.message import (
    Ack,
    DemandChanged,
    Dropped,
    Mode,
    NewPicture,
    Outage,
    ReaderMessage,
    SourceLost,
    SourceOpened,
    StreamStart,
)
from stream.process.status import CameraStatus
from stream.settings.pace import Pace


class Scheduler:
    """The cameras, the workers, and the frames in flight.

    `cameras` are the run's own, `max_visitors` may come and go beside them; see `CameraPool`. Without a `pace` every
    live frame is segmented for which there is time; `can_propagate`: see `Pacer`.
    """

    def __init__(
        self,
        cameras: list[str],
        deadline_ns: int,
        max_visitors: int = 0,
        *,
        pace: Pace | None = None,
        can_propagate: bool = False,
    ) -> None:
        self._pace = pace
        self._can_propagate = can_propagate
        self._deadline_ns = deadline_ns
        self._cameras = CameraPool(cameras, max_visitors)
        self._workers = WorkerPool()
        self._assign_frames = Assigner(self._cameras, self._workers).assign_frames

    @property
    def finished(self) -> bool:
        """True once every camera has ended and every frame is accounted for."""
        return self._cameras.finished

    @property
    def failure(self) -> str | None:
        """The first cause for which the run failed; None: it did not."""
        return self._cameras.failure

    @property
    def departed_visitors(self) -> list[CameraStatus]:
        """The final status of visitors who left, for the caller to take."""
        return self._cameras.departed_visitors

    def status(self, now_ns: int) -> list[CameraStatus]:
        """Return the status of every camera."""
        return [camera.status(now_ns) for camera in self._cameras]

    def stop(self) -> list[Outgoing]:
        """End every camera after its frames in flight."""
        return self._cameras.stop()

    def drop_in_flight(self) -> list[Outgoing]:
        """Wait for nothing any more: after `stop`, drop the frames still in flight."""
        return self._cameras.drop_in_flight()

    # Messages from readers.

    def on_reader_message(self, item: ReaderMessage, now_ns: int) -> list[Outgoing]:
        """A reader opened its source, offers a picture, lost its source, or ended."""
        camera = self._cameras.get(item.camera) or self._cameras.admit_visitor(item)
        if camera is None or camera.ending is not None:
            return []
        camera.last_message_ns = now_ns
        if isinstance(item, SourceOpened):
            return self._on_opened(camera, item)
        if isinstance(item, NewPicture):
            return self._on_picture(camera, item, now_ns)
        if isinstance(item, SourceLost):
            return self._on_lost(camera, item.cause)
        camera.ending = Ending(item.error)
        return self._cameras.end_if_drained(camera) + self._assign_frames(now_ns)

    def silent_visitors(self, now_ns: int) -> list[str]:
        """Return the visitors whose last message is so long ago that they must be gone."""
        return self._cameras.silent_visitors(now_ns)

    def _on_opened(self, camera: ScheduledCamera, opened: SourceOpened) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        if camera.state.open:  # a restarted reader sends SourceOpened without SourceLost
            outgoing = self._on_lost(camera, "its reader was replaced")
        mode: Mode = "live" if camera.is_visitor else opened.mode
        start = StreamStart(
            camera.name, camera.epoch + 1, camera.next_seq, mode, opened.source, opened.rate_hz, opened.frames
        )
        camera.apply(start)
        if not camera.demand.watched:
            camera.apply(DemandChanged(camera.name, watched=False))
        paced = self._pace is not None and mode == "live"
        pacer = Pacer(self._pace, can_propagate=self._can_propagate) if self._pace is not None and paced else None
        camera.begin_epoch(start, pacer)
        camera.unconfirmed.append(start)
        return [*outgoing, Outgoing("composite", camera.name, start), *camera.request_picture()]

    def _on_picture(self, camera: ScheduledCamera, offer: NewPicture, now_ns: int) -> list[Outgoing]:
        if not camera.state.open:
            return []  # of a reader that has exited meanwhile, or never sent SourceOpened
        demand, ledger = camera.demand, camera.ledger
        demand.pending = False
        ledger.capture(1 + offer.superseded, now_ns)
        ledger.drop("superseded" if demand.watched_at_request else "unwatched", offer.superseded)
        if camera.pacer is not None and demand.watched_at_request:
            camera.pacer.count_skipped(offer.superseded + (camera.pending is not None))
        demand.watched_at_request = demand.watched
        if self._cameras.stopping:
            ledger.drop("stopped")
            return []
        if not demand.watched:
            ledger.drop("unwatched")
            return []
        camera.drop_pending("superseded")
        camera.pending = offer.picture
        outgoing = self._assign_frames(now_ns)
        # A live reader always has credit for its newest picture, which replaces the pending one.
        return outgoing + (camera.request_picture() if camera.mode == "live" else [])

    def _on_lost(self, camera: ScheduledCamera, cause: str) -> list[Outgoing]:
        outage = Outage(camera.name, camera.next_seq - 1, cause)
        camera.apply(outage)
        camera.drop_pending("superseded")
        return [Outgoing("composite", camera.name, outage)]

    # Messages from workers, and what the supervisor says of them.

    def on_worker_ready(self, worker: str, now_ns: int) -> list[Outgoing]:
        """Worker `SLOT.INCARNATION` is free: it starts, or has sent its result on to composite.

        A new incarnation means that the one before it has exited.
        """
        if self._workers.has_exited(worker):
            return []
        outgoing: list[Outgoing] = []
        for other in self._workers.predecessors(worker):
            outgoing += self.on_worker_exited(other, now_ns)
        finished = self._workers.mark_idle(worker)
        if finished is not None and finished.worker == worker:
            finished.sent_to_composite_ns = now_ns
        return outgoing + self._assign_frames(now_ns)

    def on_worker_exited(self, worker: str, now_ns: int) -> list[Outgoing]:
        """A worker's process is known to have ended: as `on_worker_lost`, and a late word of it is not listened to."""
        self._workers.mark_exited(worker)
        return self.on_worker_lost(worker, now_ns)

    def on_worker_lost(self, worker: str, now_ns: int) -> list[Outgoing]:
        """A worker exited or hangs: its frame is dispatched again, or dropped with a reason.

        Results it had sent may be lost with it, so they are made again; composite ignores the second.
        """
        proven = self._workers.has_finished_frames(worker)
        blamed = self._workers.remove(worker)
        outgoing: list[Outgoing] = []
        for camera, in_flight in self._cameras.in_flight():
            if in_flight.worker != worker:
                continue
            in_flight.worker = in_flight.sent_to_composite_ns = None
            # Only the frame it was at may have killed it, not those it had sent to composite.
            in_flight.workers_lost += in_flight is blamed
            in_flight.proven_workers_lost += in_flight is blamed and proven
            if in_flight.is_poison:
                outgoing += self._cameras.drop_poison(camera, in_flight)
            elif camera.mode == "live" and not self._workers.idle:
                outgoing += self._cameras.drop(
                    camera, in_flight, "worker_lost"
                )  # a newer picture is there before a worker is
        return outgoing + self._assign_frames(now_ns)

    def on_frame_undelivered(self, worker: str) -> list[Outgoing]:
        """A worker's frame got lost on the way to it: of a file it goes out again, and nobody is to blame."""
        in_flight = self._workers.take_back_frame(worker)
        if in_flight is None or in_flight.worker != worker:  # it went ahead, or is another's by now
            return []
        in_flight.worker = None
        camera = self._cameras.get(in_flight.frame.camera)
        if camera is None or not in_flight.frame.live:
            return []
        return self._cameras.drop(camera, in_flight, "worker_lost")

    def hung_workers(self, now_ns: int) -> list[str]:
        """The workers that work on a frame for longer than the deadline: they are to be replaced."""
        return self._workers.hung(now_ns, self._deadline_ns)

    # Messages from composite, and its silence.

    def on_demand_changed(self, item: DemandChanged) -> list[Outgoing]:
        """Some output has a use for a live camera's frames, or none has any more: then it is not asked for them."""
        camera = self._cameras.get(item.camera)
        if camera is None or camera.start is None or camera.mode != "live" or camera.state.over:
            return []
        if item.watched == camera.demand.watched:
            return []  # repeated after a new start
        camera.demand.watched = item.watched
        camera.apply(item)
        if item.watched:
            return camera.request_picture() if camera.state.open else []
        if camera.pacer is not None:
            camera.pacer.reset()
        camera.drop_pending("unwatched")
        return []

    def on_ack(self, item: Ack, now_ns: int) -> list[Outgoing]:
        """Every sink has taken a frame; an Ack of a frame dropped meanwhile changes nothing."""
        camera = self._cameras.get(item.camera)
        in_flight = camera.in_flight.pop(item.seq, None) if camera is not None else None
        if camera is None or in_flight is None:
            return []
        camera.record_ack(item.seq, now_ns)
        camera.people.record(item.seq, item.box, camera.mode)
        captured_ns = in_flight.frame.picture.captured_ns
        camera.ledger.deliver(captured_ns, in_flight.mask_source, now_ns)
        if camera.pacer is not None:
            camera.pacer.record_latency((now_ns - captured_ns) / 1e6, now_ns)
        return self._cameras.end_if_drained(camera) + self._assign_frames(now_ns)

    def on_frame_failed(self, item: Dropped, now_ns: int) -> list[Outgoing]:
        """Composite could not draw a frame; of a file it is missed, and so the run has failed once it is over."""
        camera = self._cameras.get(item.camera)
        in_flight = camera.in_flight.get(item.seq) if camera is not None else None
        if camera is None or in_flight is None:
            return []
        camera.record_ack(item.seq, now_ns)
        if camera.mode == "file":
            self._cameras.failure = self.failure or f"frame {item.seq} of {camera.name} could not be drawn"
        return self._cameras.drop(camera, in_flight, "poison") + self._assign_frames(now_ns)

    def unacknowledged_count(self, now_ns: int) -> int:
        """Count frames sent to composite longer than the deadline ago, while it acknowledged none of their camera."""
        return len(self._unacknowledged(now_ns))

    def redispatch_unacknowledged(self, now_ns: int) -> list[Outgoing]:
        """Dispatch unacknowledged frames again, or drop them where live: they or their Ack got lost.

        So may have been earlier events of their camera, without which composite waits for ever: they are sent again.
        """
        unacknowledged = self._unacknowledged(now_ns)
        cameras = dict.fromkeys(camera for camera, _ in unacknowledged)
        outgoing = [Outgoing("composite", camera.name, event) for camera in cameras for event in camera.unconfirmed]
        for camera, in_flight in unacknowledged:
            if camera.mode == "live":
                outgoing += self._cameras.drop(camera, in_flight, "unanswered")
            else:
                in_flight.worker = in_flight.sent_to_composite_ns = None
        return outgoing + self._assign_frames(now_ns)

    def _unacknowledged(self, now_ns: int) -> list[tuple[ScheduledCamera, InFlight]]:
        # While composite acknowledges anything of a camera, a frame of it that waits is only late.
        return [
            (camera, in_flight)
            for camera, in_flight in self._cameras.in_flight()
            if in_flight.sent_to_composite_ns is not None
            and now_ns - max(in_flight.sent_to_composite_ns, camera.last_ack_ns) > self._deadline_ns
        ]
