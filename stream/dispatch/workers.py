"""The workers as the dispatcher knows them: who is idle, who works on which frame, who has shown that it can."""

from __future__ import annotations

from collections import Counter, deque

from stream.dispatch.camera import InFlight

_MIN_FINISHED_FRAMES = 2  # the first compiles the network, and the second waits for what is compiled beside it
_MAX_EXITED = 8  # exited incarnations whose late messages are ignored


class WorkerPool:
    """All workers by name, `SLOT.INCARNATION`; pure, takes the time as an argument."""

    def __init__(self) -> None:
        self._finished: Counter[str] = Counter()
        self._idle: deque[str] = deque()
        self._busy: dict[str, InFlight] = {}
        self._exited: dict[str, deque[str]] = {}

    def __len__(self) -> int:
        return len(self._finished)

    @property
    def idle(self) -> bool:
        """True if a worker is idle."""
        return bool(self._idle)

    @property
    def frames(self) -> list[InFlight]:
        """The frames that are worked on."""
        return list(self._busy.values())

    def predecessors(self, worker: str) -> list[str]:
        """Return the earlier incarnations of a worker: each has exited, for there is one at a time."""
        name = _worker_name(worker)
        return [other for other in self._finished if other != worker and _worker_name(other) == name]

    def mark_idle(self, worker: str) -> InFlight | None:
        """Mark a worker idle; return the frame it finished, if it had one."""
        finished = self._busy.pop(worker, None)
        self._finished[worker] += finished is not None
        if worker not in self._idle:
            self._idle.append(worker)
        return finished

    def has_finished_frames(self, worker: str) -> bool:
        """Return whether it has finished frames, so that its exit is not one at the start."""
        return self._finished[worker] >= _MIN_FINISHED_FRAMES

    def assign_frame(self, in_flight: InFlight, now_ns: int) -> str:
        """Give an idle worker a frame: the one that waits longest, or for a suspect one that is proven."""
        proven = next((worker for worker in self._idle if in_flight.suspect and self.has_finished_frames(worker)), None)
        worker = proven or self._idle[0]
        self._idle.remove(worker)
        in_flight.assigned_ns = now_ns
        self._busy[worker] = in_flight
        return worker

    def remove(self, worker: str) -> InFlight | None:
        """Forget a worker that is gone or hangs; the frame that it was at."""
        self._finished.pop(worker, None)
        if worker in self._idle:
            self._idle.remove(worker)
        return self._busy.pop(worker, None)

    def take_back_frame(self, worker: str) -> InFlight | None:
        """Note that a worker was never given its frame, which got lost on the way; the frame."""
        return self._busy.pop(worker, None)

    def mark_exited(self, worker: str) -> None:
        """Listen no more to a worker that is known to be dead: a word of it may still be on its way."""
        self._exited.setdefault(_worker_name(worker), deque(maxlen=_MAX_EXITED)).append(worker)

    def has_exited(self, worker: str) -> bool:
        """Return whether it is known to have exited."""
        return worker in self._exited.get(_worker_name(worker), ())

    def hung(self, now_ns: int, deadline_ns: int) -> list[str]:
        """Those that work on a frame for longer than the deadline."""
        return [worker for worker, in_flight in self._busy.items() if now_ns - in_flight.assigned_ns > deadline_ns]


def _worker_name(worker: str) -> str:
    return worker.rpartition(".")[0]
