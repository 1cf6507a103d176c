"""The table of a run's processes: what each needs, whether it is restarted, and how long it may be silent."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from stream.process.pipe import HEARTBEAT_S, Command, ReaderLost, WorkerLost
from stream.settings.config import Run

Stage = Literal["capture", "inference", "composite"]
STAGES: Final[tuple[Stage, ...]] = ("capture", "inference", "composite")
"""What `--stage` can run alone on a host; each is one or several kinds of process."""


class Restart(Enum):
    """What follows when a process ends though nobody asked it to."""

    NEVER = "it holds what cannot be made again: the run fails"
    ON_CRASH = "a new one takes its place, unless it said itself why it ended: then the run fails"
    ALWAYS = "a new one takes its place, unless it dies as often as it is started"
    WHILE_LIVE = "a new one takes its place, however often, if its camera is live; a file ends there"


@dataclass(frozen=True, slots=True)
class ProcessType:
    """A row of the table.

    Every stage's module has `serve(settings, endpoints, name, supervisor)`, which returns when it is over.
    """

    module: str
    stages: frozenset[Stage]
    """Those that must all run on this host."""
    names: Callable[[Run], Sequence[str]]
    """One for each process of this kind; none where the settings ask for none."""
    restart: Restart
    slack_s: float = 5.0
    """How long one may report nothing, beyond what a frame may take a worker, before it is killed: stages wait for each
    other, and a worker for nobody."""
    decides_run: bool = False
    """Whether the run is over when all of these have ended."""
    binds: Literal["dispatch", "results"] | None = None
    """The endpoint at which the others find it."""
    lost: Callable[[str, str, str, bool], Command] | None = None
    """What dispatch is told of one that died: from name, identity, cause, and whether it is started again."""


def _worker_names(settings: Run) -> list[str]:
    return [f"{socket.gethostname()}-worker-{number}" for number in range(settings.model.workers)]


DISPATCH: Final = ProcessType(
    module="stream.dispatch.dispatch",
    stages=frozenset({"capture"}),
    names=lambda settings: ["dispatch"],
    restart=Restart.NEVER,
    decides_run=True,
    binds="dispatch",
)

COMPOSITE: Final = ProcessType(
    module="stream.composite.composite",
    stages=frozenset({"composite"}),
    names=lambda settings: ["composite"],
    restart=Restart.NEVER,
    decides_run=True,
    binds="results",
)

PROCESSES: Final = (
    ProcessType(  # first, for loading the network takes longest
        module="stream.inference",
        stages=frozenset({"inference"}),
        names=_worker_names,
        restart=Restart.ALWAYS,
        slack_s=2 * HEARTBEAT_S,
        lost=lambda name, identity, cause, retried: WorkerLost(identity),
    ),
    COMPOSITE,
    DISPATCH,
    ProcessType(
        module="stream.capture.reader",
        stages=frozenset({"capture"}),
        names=lambda settings: list(settings.cameras),
        restart=Restart.WHILE_LIVE,
        lost=lambda name, identity, cause, retried: ReaderLost(name, cause, retried),
    ),
    ProcessType(
        module="stream.web.serve",
        stages=frozenset({"capture", "composite"}),
        names=lambda settings: [] if settings.web is None else ["web"],
        restart=Restart.ON_CRASH,
    ),
)
"""Every kind of process, in the order in which they are started."""
