"""The scheduler: assigns frames to workers and keeps the ledger; a pure state machine.

Every method takes an event and its time, and returns the `Outgoing`s that follow: no socket, no clock.
A frame stays in flight until composite sends `Ack`, so a worker may die with it. In `live` mode
the newest picture is pending, and older ones are dropped before they get a number; one that does not wait for masks of
its own goes to composite at once, and one that no output wants is not requested. In `file` mode the next picture is
requested only when the last one was assigned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

from stream.dispatch.camera import FILE_FRAMES_IN_FLIGHT, InFlight, ScheduledCamera
from stream.dispatch.pace import Pacer
from stream.dispatch.workers import WorkerPool
from stream.message import (
    Ack,
    DemandChanged,
    Dropped,
    DropReason,
    EndOfRun,
    EndOfStream,
    Frame,
    Mode,
    NewPicture,
    Outage,
    PictureRequest,
    PropagatedFrame,
    ReaderMessage,
    SourceEnded,
    SourceLost,
    SourceOpened,
    StreamEvent,
    StreamStart,
)
from stream.process.status import CameraStatus
from stream.settings.pace import Pace

VISITOR_TIMEOUT_NS = 4_500_000_000
_COMPOSITE = "composite"  # holds the frames that need no worker


class Outgoing(NamedTuple):
    """Something to be sent: to a camera's reader or to a worker by name, or to composite."""

    to: Literal["reader", "worker", "composite"]
    name: str
    message: Frame | PropagatedFrame | PictureRequest | StreamEvent


class Scheduler:
    """The cameras, the workers, and the frames in flight.

    `cameras` are the run's own; `max_visitors` says how many more may come and go while it runs. With visitors, it
    finishes only when it is stopped. `departed_visitors` is the final status of those who left, for the caller to take.
    Without a `pace` every live frame is segmented for which there is time; `can_propagate`: see `Pacer`.
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
        self._cameras = {name: ScheduledCamera(name) for name in cameras}
        self._pace = pace
        self._can_propagate = can_propagate
        self._deadline_ns = deadline_ns
        self._max_visitors = max_visitors
        self._workers = WorkerPool()
        self._last_ack_ns = 0
        self._round_robin: deque[str] = deque(cameras)
        self._stopping = False
        self._finished = False
        self.failure: str | None = None
        self.departed_visitors: list[CameraStatus] = []

    @property
    def finished(self) -> bool:
        """True once every camera has ended and every frame is accounted for."""
        return self._finished

    # Messages from readers.

    def on_reader_message(self, item: ReaderMessage, now_ns: int) -> list[Outgoing]:
        """A reader opened its source, offers a picture, lost its source, or ended."""
        camera = self._cameras.get(item.camera) or self._admit_visitor(item)
        if camera is None or camera.end is not None:
            return []
        camera.last_message_ns = now_ns
        if isinstance(item, SourceOpened):
            return self._on_opened(camera, item)
        if isinstance(item, NewPicture):
            return self._on_picture(camera, item, now_ns)
        if isinstance(item, SourceLost):
            return self._on_lost(camera, item.cause)
        camera.end = item
        return self._end_if_drained(camera) + self._assign_frames(now_ns)

    def _admit_visitor(self, item: ReaderMessage) -> ScheduledCamera | None:
        """Admit a visitor's camera where there is capacity for it."""
        # One that has left with frames in flight takes no capacity: that was given to the next.
        visitors = sum(camera.is_visitor and camera.end is None for camera in self._cameras.values())
        if (
            not isinstance(item, SourceOpened)
            or item.mode != "live"
            or visitors >= self._max_visitors
            or self._stopping
        ):
            return None
        camera = self._cameras[item.camera] = ScheduledCamera(item.camera, is_visitor=True)
        self._round_robin.append(item.camera)
        return camera

    def silent_visitors(self, now_ns: int) -> list[str]:
        """Return the visitors whose last message is so long ago that they must be gone."""
        return [
            camera.name
            for camera in self._cameras.values()
            if camera.is_visitor and camera.end is None and now_ns - camera.last_message_ns > VISITOR_TIMEOUT_NS
        ]

    def _on_opened(self, camera: ScheduledCamera, opened: SourceOpened) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        if camera.state == "live":  # a restarted reader sends SourceOpened without SourceLost
            outgoing = self._on_lost(camera, "its reader was replaced")
        mode: Mode = "live" if camera.is_visitor else opened.mode
        camera.mode, camera.total_frames, camera.state = mode, opened.frames, "live"
        camera.epoch += 1
        camera.recent_boxes.clear()
        camera.request_pending = False
        camera.pts_offset_ns = 0 if camera.last_picture is None else None
        paced = self._pace is not None and mode == "live"
        camera.pacer = (
            Pacer(self._pace, can_propagate=self._can_propagate) if self._pace is not None and paced else None
        )
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
            *outgoing,
            Outgoing("composite", camera.name, start),
            *self._request_picture(camera),
        ]

    def _on_picture(self, camera: ScheduledCamera, offer: NewPicture, now_ns: int) -> list[Outgoing]:
        if camera.state != "live":
            return []  # of a reader that has exited meanwhile, or never sent SourceOpened
        camera.request_pending = False
        camera.ledger.capture(1 + offer.superseded, now_ns)
        camera.ledger.drop("superseded" if camera.was_watched_at_request else "unwatched", offer.superseded)
        if camera.pacer is not None and camera.was_watched_at_request:
            camera.pacer.count_skipped(offer.superseded + (camera.pending is not None))
        camera.was_watched_at_request = camera.watched
        if self._stopping:
            camera.ledger.drop("stopped")
            return []
        if not camera.watched:
            camera.ledger.drop("unwatched")
            return []
        if camera.pending is not None:
            camera.ledger.drop("superseded")
        camera.pending = offer.picture
        outgoing = self._assign_frames(now_ns)
        return outgoing + (self._request_picture(camera) if camera.mode == "live" else [])

    def _request_picture(self, camera: ScheduledCamera) -> list[Outgoing]:
        """Ask a camera's reader for its next picture, unless that is done."""
        if camera.request_pending:
            return []
        camera.request_pending = True
        return [Outgoing("reader", camera.name, PictureRequest(camera.name))]

    def _on_lost(self, camera: ScheduledCamera, cause: str) -> list[Outgoing]:
        camera.state = "no signal"
        if camera.pending is not None:
            camera.pending = None
            camera.ledger.drop("superseded")
        return [Outgoing("composite", camera.name, Outage(camera.name, camera.next_seq - 1, cause))]

    # Messages from workers and composite.

    def on_demand_changed(self, item: DemandChanged) -> list[Outgoing]:
        """Some output has a use for a live camera's frames, or none has any more: then it is not asked for them."""
        camera = self._cameras.get(item.camera)
        if camera is None or camera.mode != "live":
            return []
        camera.watched = item.watched
        if camera.watched:
            return self._request_picture(camera) if camera.state == "live" else []
        if camera.pacer is not None:
            camera.pacer.reset()
        if camera.pending is not None:
            camera.pending = None
            camera.ledger.drop("unwatched")
        return []

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
        for camera, in_flight in self._in_flight():
            if in_flight.worker != worker:
                continue
            in_flight.worker = in_flight.sent_to_composite_ns = None
            in_flight.workers_lost += in_flight is blamed
            in_flight.proven_workers_lost += in_flight is blamed and proven
            if in_flight.is_poison:
                outgoing += self._drop_poison(camera, in_flight)
            elif camera.mode == "live" and not self._workers.idle:
                outgoing += self._drop(camera, in_flight, "worker_lost")
        return outgoing + self._assign_frames(now_ns)

    def on_frame_undelivered(self, worker: str) -> list[Outgoing]:
        """A worker's frame got lost on the way to it: of a file it goes out again, and nobody is to blame."""
        in_flight = self._workers.take_back_frame(worker)
        if in_flight is None or in_flight.worker != worker:  # it went ahead, or is another's by now
            return []
        in_flight.worker = None
        frame = in_flight.frame
        return self._drop(self._cameras[frame.camera], in_flight, "worker_lost") if frame.live else []

    def _in_flight(self) -> Iterator[tuple[ScheduledCamera, InFlight]]:
        """Return every frame in flight as a list; cameras may go while it is walked."""
        yield from [(camera, in_flight) for camera in self._cameras.values() for in_flight in camera.in_flight.values()]

    def _drop_poison(self, camera: ScheduledCamera, in_flight: InFlight) -> list[Outgoing]:
        if camera.mode == "live":
            return self._drop(camera, in_flight, "poison")
        cause = f"frame {in_flight.frame.seq} of {camera.name} ended every worker that tried it"
        self.failure = self.failure or cause
        camera.end = SourceEnded(camera.name, cause)
        if camera.pending is not None:
            camera.pending = None
            camera.ledger.drop("stopped")
        outgoing: list[Outgoing] = []
        # The last one first: composite may have those after it already, and would take this one's end for their turn.
        for other in reversed(list(camera.in_flight.values())):
            if other.frame.seq >= in_flight.frame.seq:
                outgoing += self._drop(camera, other, "poison" if other is in_flight else "stopped")
        return outgoing

    def _drop(self, camera: ScheduledCamera, in_flight: InFlight, reason: DropReason) -> list[Outgoing]:
        frame = in_flight.frame
        if camera.in_flight.get(frame.seq) is not in_flight:
            return []  # dropped with the one that its masks were propagated from
        outgoing: list[Outgoing] = []
        # Its successors are dropped first, or they would be sent as soon as this one is gone.
        if (successor := camera.in_flight.get(frame.seq + 1)) is not None and successor.mask_source != "network":
            outgoing += self._drop(camera, successor, reason)
        del camera.in_flight[frame.seq]
        camera.ledger.drop(reason)
        if camera.pacer is not None:
            camera.pacer.reset()
        dropped = Dropped(camera.name, frame.epoch, frame.seq, reason)
        return [*outgoing, Outgoing("composite", camera.name, dropped), *self._end_if_drained(camera)]

    def on_ack(self, item: Ack, now_ns: int) -> list[Outgoing]:
        """Every sink has taken a frame; an Ack of a frame dropped meanwhile changes nothing."""
        camera = self._cameras.get(item.camera)
        in_flight = camera.in_flight.pop(item.seq, None) if camera is not None else None
        if camera is None or in_flight is None:
            return []
        self._last_ack_ns = now_ns
        camera.record_box(item.seq, item.box)
        camera.ledger.deliver(in_flight.frame.picture.captured_ns, in_flight.mask_source, now_ns)
        if camera.pacer is not None:
            camera.pacer.record_latency((now_ns - in_flight.frame.picture.captured_ns) / 1e6, now_ns)
        return self._end_if_drained(camera) + self._assign_frames(now_ns)

    def hung_workers(self, now_ns: int) -> list[str]:
        """The workers that work on a frame for longer than the deadline: they are to be replaced."""
        return self._workers.hung(now_ns, self._deadline_ns)

    def on_frame_failed(self, item: Dropped, now_ns: int) -> list[Outgoing]:
        """Composite could not draw a frame; of a file it is missed, and so the run has failed once it is over."""
        camera = self._cameras.get(item.camera)
        in_flight = camera.in_flight.get(item.seq) if camera is not None else None
        if camera is None or in_flight is None:
            return []
        self._last_ack_ns = now_ns
        if camera.mode == "file":
            self.failure = self.failure or f"frame {item.seq} of {camera.name} could not be drawn"
        return self._drop(camera, in_flight, "poison") + self._assign_frames(now_ns)

    def unacknowledged_count(self, now_ns: int) -> int:
        """Count frames sent to composite longer than the deadline ago, while it acknowledged none at all."""
        return len(self._unacknowledged(now_ns))

    def redispatch_unacknowledged(self, now_ns: int) -> list[Outgoing]:
        """Dispatch unacknowledged frames again, or drop them where live: they or their Ack got lost."""
        outgoing: list[Outgoing] = []
        for camera, in_flight in self._unacknowledged(now_ns):
            if camera.mode == "live":
                outgoing += self._drop(camera, in_flight, "unanswered")
            else:
                in_flight.worker = in_flight.sent_to_composite_ns = None
        return outgoing + self._assign_frames(now_ns)

    def _unacknowledged(self, now_ns: int) -> list[tuple[ScheduledCamera, InFlight]]:
        if now_ns - self._last_ack_ns <= self._deadline_ns:
            return []
        return [
            (camera, in_flight)
            for camera, in_flight in self._in_flight()
            if in_flight.sent_to_composite_ns is not None
            and now_ns - in_flight.sent_to_composite_ns > self._deadline_ns
        ]

    # The end.

    def stop(self) -> list[Outgoing]:
        """End every camera after its frames in flight."""
        self._stopping = True
        outgoing: list[Outgoing] = []
        for camera in list(self._cameras.values()):
            if camera.pending is not None:
                camera.pending = None
                camera.ledger.drop("stopped")
            if camera.end is None:
                camera.interrupted = True
                camera.end = SourceEnded(camera.name)
            for in_flight in [in_flight for in_flight in camera.in_flight.values() if in_flight.worker is None]:
                outgoing += self._drop(camera, in_flight, "stopped")
            outgoing += self._end_if_drained(camera)
        return outgoing + self._end_run_if_drained()

    def drop_in_flight(self) -> list[Outgoing]:
        """Wait for nothing any more: after `stop`, drop the frames still in flight."""
        outgoing: list[Outgoing] = []
        for camera in list(self._cameras.values()):
            for in_flight in list(camera.in_flight.values()):
                outgoing += self._drop(camera, in_flight, "stopped")
        return outgoing

    def _end_if_drained(self, camera: ScheduledCamera) -> list[Outgoing]:
        """End a camera once nothing of it is in flight, and the run after the last camera."""
        if camera.end is None or camera.state == "ended":
            return []
        if camera.end.error is not None and not camera.is_visitor:
            self.failure = self.failure or camera.end.error
        if camera.pending is not None or camera.in_flight:
            return []
        camera.state = "ended"
        end = EndOfStream(camera.name, camera.next_seq - 1, camera.end.error, camera.interrupted)
        if camera.is_visitor:
            del self._cameras[camera.name]
            self._round_robin.remove(camera.name)
            self.departed_visitors.append(camera.status(camera.last_message_ns))
        return [Outgoing("composite", camera.name, end), *self._end_run_if_drained()]

    def _end_run_if_drained(self) -> list[Outgoing]:
        """End the run after its last camera, once no visitor can join any more."""
        awaited = self._max_visitors > 0 and not self._stopping
        if self._finished or awaited or any(camera.state != "ended" for camera in self._cameras.values()):
            return []
        self._finished = True
        return [Outgoing("composite", "", EndOfRun())]

    # Handing out.

    def _assign_frames(self, now_ns: int) -> list[Outgoing]:
        """Assign frames, round robin over the cameras, until none has one for which there is capacity."""
        outgoing: list[Outgoing] = []
        skipped = 0
        while skipped < len(self._round_robin):
            camera = self._cameras[self._round_robin[0]]
            self._round_robin.rotate(-1)
            assigned = self._assign_frame(camera, now_ns)
            outgoing += assigned
            skipped = 0 if assigned else skipped + 1
        return outgoing

    def _assign_frame(self, camera: ScheduledCamera, now_ns: int) -> list[Outgoing]:
        """Assign one frame of a camera: to a worker, or to composite where its masks are propagated."""
        if camera.mode == "file" and self._held_back_by_suspect(camera):
            return []
        in_flight = next((h for h in camera.in_flight.values() if h.worker is None and not h.suspect), None)
        if in_flight is None and camera.pending is not None and self._has_capacity(camera):
            in_flight = self._dispatch_pending(camera)
        in_flight = in_flight or (camera.next_suspect() if camera.mode == "file" else None)
        if in_flight is None:
            return []
        if in_flight.worker is None and in_flight.mask_source != "network":
            return self._send_to_composite(in_flight, now_ns)
        if not self._workers.idle:
            return []
        in_flight.worker = self._workers.assign_frame(in_flight, now_ns)
        assignment = Outgoing("worker", in_flight.worker, in_flight.frame)
        if camera.mode == "file" and camera.pending is None and not camera.end:
            return [assignment, *self._request_picture(camera)]
        return [assignment]

    def _dispatch_pending(self, camera: ScheduledCamera) -> InFlight | None:
        """The frame that the waiting picture becomes, if it need not wait on."""
        assert camera.pending is not None
        idle = self._workers.idle
        mask_source = (
            camera.pacer.choose_mask_source(camera.pending, worker_idle=idle)
            if camera.pacer
            else "network"
            if idle
            else None
        )
        if mask_source is None:
            return None
        try:
            return camera.assign_seq(mask_source)
        except ValueError:  # no message can hold its times
            camera.ledger.drop("poison")
            return None

    def _send_to_composite(self, in_flight: InFlight, now_ns: int) -> list[Outgoing]:
        """Let a frame go to composite ahead of its masks, or without any of its own."""
        assert in_flight.mask_source != "network"
        in_flight.worker, in_flight.sent_to_composite_ns = _COMPOSITE, now_ns
        outgoing = [
            Outgoing("composite", in_flight.frame.camera, PropagatedFrame(in_flight.frame, in_flight.mask_source))
        ]
        if in_flight.mask_source == "ahead":
            worker = self._workers.assign_frame(in_flight, now_ns)
            outgoing.append(Outgoing("worker", worker, replace(in_flight.frame, reply="masks")))
        return outgoing

    def _held_back_by_suspect(self, camera: ScheduledCamera) -> bool:
        """Return whether a suspect frame is being retried, or is about to be: of files it is then alone."""
        files = [in_flight for in_flight in self._workers.frames if not in_flight.frame.live]
        if any(in_flight.suspect for in_flight in files):
            return True
        due = next((other for other in self._cameras.values() if other.mode == "file" and other.next_suspect()), None)
        return due is not None and (due is not camera or bool(files))

    def _has_capacity(self, camera: ScheduledCamera) -> bool:
        """Return whether one more frame of a camera may be in flight."""
        if camera.mode == "file":
            return len(camera.in_flight) < FILE_FRAMES_IN_FLIGHT
        live = sum(len(other.in_flight) for other in self._cameras.values() if other.mode == "live")
        return live <= len(self._workers)

    def status(self, now_ns: int) -> list[CameraStatus]:
        """Every camera's ledger as it stands."""
        return [camera.status(now_ns) for camera in self._cameras.values()]
