"""The workers as the dispatcher knows them: who is idle, who works on which frame, who has shown that it can."""

from __future__ import annotations

from collections import Counter, deque

from stream.dispatch.camera import Held

_PROVEN_FRAMES = 2  # the first compiles the network, and the second waits for what is compiled beside it
_DEAD_KEPT = 8  # incarnations of a slot whose late words are not listened to


class Workers:
    """Every worker by its name, `SLOT.INCARNATION`; pure, is told the time."""

    def __init__(self) -> None:
        self._finished: Counter[str] = Counter()
        self._idle: deque[str] = deque()
        self._working: dict[str, Held] = {}
        self._dead: dict[str, deque[str]] = {}

    def __len__(self) -> int:
        return len(self._finished)

    @property
    def idle(self) -> bool:
        """Whether any could be given a frame."""
        return bool(self._idle)

    @property
    def frames(self) -> list[Held]:
        """The frames that are worked on."""
        return list(self._working.values())

    def predecessors(self, worker: str) -> list[str]:
        """The others of its slot: each is dead, for a slot has one at a time."""
        slot = _slot(worker)
        return [other for other in self._finished if other != worker and _slot(other) == slot]

    def free(self, worker: str) -> Held | None:
        """Note that a worker can be given a frame; the one that it has finished, if it had any."""
        finished = self._working.pop(worker, None)
        self._finished[worker] += finished is not None
        if worker not in self._idle:
            self._idle.append(worker)
        return finished

    def proven(self, worker: str) -> bool:
        """Whether it has finished frames, so that its death is not that of a start."""
        return self._finished[worker] >= _PROVEN_FRAMES

    def occupy(self, held: Held, now_ns: int) -> str:
        """Give an idle worker a frame: the one that waits longest, or for a suspect one that is proven."""
        proven = next((worker for worker in self._idle if held.suspect and self.proven(worker)), None)
        worker = proven or self._idle[0]
        self._idle.remove(worker)
        held.handed_ns = now_ns
        self._working[worker] = held
        return worker

    def remove(self, worker: str) -> Held | None:
        """Forget a worker that is gone or hangs; the frame that it was at."""
        self._finished.pop(worker, None)
        if worker in self._idle:
            self._idle.remove(worker)
        return self._working.pop(worker, None)

    def bury(self, worker: str) -> None:
        """Listen no more to a worker that is known to be dead: a word of it may still be on its way."""
        self._dead.setdefault(_slot(worker), deque(maxlen=_DEAD_KEPT)).append(worker)

    def is_dead(self, worker: str) -> bool:
        """Whether it is known to be dead."""
        return worker in self._dead.get(_slot(worker), ())

    def overdue(self, now_ns: int, deadline_ns: int) -> list[str]:
        """Those that work on a frame for longer than the deadline."""
        return [worker for worker, held in self._working.items() if now_ns - held.handed_ns > deadline_ns]


def _slot(worker: str) -> str:
    return worker.rpartition(".")[0]
