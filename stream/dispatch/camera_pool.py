"""The cameras of a run: which there are, who may join, which frames are dropped, and when it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from stream.dispatch.camera import Ending, InFlight, Outgoing, ScheduledCamera
from stream.message import Dropped, DropReason, EndOfRun, ReaderMessage, SourceOpened
from stream.process.status import CameraStatus

VISITOR_TIMEOUT_NS = 4_500_000_000


class CameraPool:
    """The run's own cameras and up to `max_visitors` that come and go; pure, takes the time as an argument.

    With visitors the run finishes only when it is stopped. `failure` is the first cause for which it failed.
    `departed_visitors` is the final status of those who left, for the caller to take.
    """

    def __init__(self, names: list[str], max_visitors: int) -> None:
        self._cameras = {name: ScheduledCamera(name) for name in names}
        self._turns: deque[str] = deque(names)
        self._max_visitors = max_visitors
        self.stopping = False
        self.finished = False
        self.failure: str | None = None
        self.departed_visitors: list[CameraStatus] = []

    def __iter__(self) -> Iterator[ScheduledCamera]:
        """Every camera, as a list made now; cameras may go while it is walked."""
        yield from list(self._cameras.values())

    def get(self, name: str) -> ScheduledCamera | None:
        """Return a camera by its name, if it is there."""
        return self._cameras.get(name)

    def in_flight(self) -> Iterator[tuple[ScheduledCamera, InFlight]]:
        """Every frame in flight, as a list made now; frames and cameras may go while it is walked."""
        yield from [(camera, in_flight) for camera in self for in_flight in camera.in_flight.values()]

    def next_in_turn(self) -> ScheduledCamera:
        """Return the next camera, round robin."""
        camera = self._cameras[self._turns[0]]
        self._turns.rotate(-1)
        return camera

    def __len__(self) -> int:
        return len(self._turns)

    # Visitors.

    def admit_visitor(self, item: ReaderMessage) -> ScheduledCamera | None:
        """Admit a visitor's camera where there is capacity for it."""
        # One that has left with frames in flight takes no capacity: that was given to the next.
        visitors = sum(camera.is_visitor and camera.ending is None for camera in self)
        full = visitors >= self._max_visitors or self.stopping
        if not isinstance(item, SourceOpened) or item.mode != "live" or full:
            return None
        camera = self._cameras[item.camera] = ScheduledCamera(item.camera, is_visitor=True)
        self._turns.append(item.camera)
        return camera

    def silent_visitors(self, now_ns: int) -> list[str]:
        """Return the visitors whose last message is so long ago that they must be gone."""
        return [
            camera.name
            for camera in self
            if camera.is_visitor and camera.ending is None and now_ns - camera.last_message_ns > VISITOR_TIMEOUT_NS
        ]

    # Drops.

    def drop(self, camera: ScheduledCamera, in_flight: InFlight, reason: DropReason) -> list[Outgoing]:
        """Drop a frame in flight, and those whose masks are propagated from it."""
        frame = in_flight.frame
        if camera.in_flight.get(frame.seq) is not in_flight:
            return []  # dropped with the one that its masks were propagated from
        outgoing: list[Outgoing] = []
        # Its successors are dropped first, or they would be sent as soon as this one is gone.
        if (successor := camera.in_flight.get(frame.seq + 1)) is not None and successor.mask_source != "network":
            outgoing += self.drop(camera, successor, reason)
        del camera.in_flight[frame.seq]
        camera.ledger.drop(reason)
        if camera.pacer is not None:
            camera.pacer.reset()
        dropped = Dropped(camera.name, frame.epoch, frame.seq, reason)
        camera.unconfirmed.append(dropped)
        return [*outgoing, Outgoing("composite", camera.name, dropped), *self.end_if_drained(camera)]

    def drop_poison(self, camera: ScheduledCamera, in_flight: InFlight) -> list[Outgoing]:
        """Drop a frame that kills workers. A file ends with it, as it would not be whole without it."""
        if camera.mode == "live":
            return self.drop(camera, in_flight, "poison")
        cause = f"frame {in_flight.frame.seq} of {camera.name} ended every worker that tried it"
        self.failure = self.failure or cause
        camera.ending = Ending(cause)
        camera.drop_pending("stopped")
        outgoing: list[Outgoing] = []
        # The last one first: composite may have those after it already, and would take this one's end for their turn.
        for other in reversed(list(camera.in_flight.values())):
            if other.frame.seq >= in_flight.frame.seq:
                outgoing += self.drop(camera, other, "poison" if other is in_flight else "stopped")
        return outgoing

    def drop_in_flight(self) -> list[Outgoing]:
        """Wait for nothing any more: after `stop`, drop the frames still in flight."""
        outgoing: list[Outgoing] = []
        for camera, in_flight in self.in_flight():
            outgoing += self.drop(camera, in_flight, "stopped")
        return outgoing

    # The end.

    def stop(self) -> list[Outgoing]:
        """End every camera after its frames in flight."""
        self.stopping = True
        outgoing: list[Outgoing] = []
        for camera in self:
            camera.drop_pending("stopped")
            if camera.ending is None:
                camera.ending = Ending(interrupted=True)
            # Those that a worker or composite has are waited for: they are nearly done.
            for in_flight in [in_flight for in_flight in camera.in_flight.values() if in_flight.worker is None]:
                outgoing += self.drop(camera, in_flight, "stopped")
            outgoing += self.end_if_drained(camera)
        return outgoing + self._end_run_if_drained()

    def end_if_drained(self, camera: ScheduledCamera) -> list[Outgoing]:
        """End a camera once nothing of it is in flight, and the run after the last camera."""
        if camera.ending is None or camera.state.over:
            return []
        if camera.ending.error is not None and not camera.is_visitor:
            self.failure = self.failure or camera.ending.error
        if camera.pending is not None or camera.in_flight:
            return []
        end = camera.end_of_stream()
        camera.apply(end)
        if camera.is_visitor:
            del self._cameras[camera.name]
            self._turns.remove(camera.name)
            self.departed_visitors.append(camera.status(camera.last_message_ns))
        return [Outgoing("composite", camera.name, end), *self._end_run_if_drained()]

    def _end_run_if_drained(self) -> list[Outgoing]:
        """End the run after its last camera, once no visitor can join any more."""
        awaited = self._max_visitors > 0 and not self.stopping
        if self.finished or awaited or not all(camera.state.over for camera in self):
            return []
        self.finished = True
        return [Outgoing("composite", "", EndOfRun())]
