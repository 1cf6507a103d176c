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

_SLACK_S = 5.0  # for stages that may wait for each other, beyond what a frame may take a worker


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
    max_silence_s: Callable[[Run], float]
    """How long one may report nothing before it is killed."""
    decides_run: bool = False
    """Whether the run is over when all of these have ended."""
    binds: Literal["dispatch", "results"] | None = None
    """The endpoint at which the others find it."""
    lost: Callable[[str, str, str, bool], Command] | None = None
    """What dispatch is told of one that died: from name, identity, cause, and whether it is started again."""


def _worker_names(settings: Run) -> list[str]:
    return [f"{socket.gethostname()}-worker-{number}" for number in range(settings.model.workers)]


def _frame_and_heartbeats_s(settings: Run) -> float:
    """A worker is silent while it works on a frame."""
    return settings.model.frame_deadline_ms / 1000 + 2 * HEARTBEAT_S


def _frame_and_slack_s(settings: Run) -> float:
    """The others may wait for a worker, and for each other."""
    return settings.model.frame_deadline_ms / 1000 + _SLACK_S


DISPATCH: Final = ProcessType(
    module="stream.dispatch.dispatch",
    stages=frozenset({"capture"}),
    names=lambda settings: ["dispatch"],
    restart=Restart.NEVER,
    max_silence_s=_frame_and_slack_s,
    decides_run=True,
    binds="dispatch",
)

COMPOSITE: Final = ProcessType(
    module="stream.composite.composite",
    stages=frozenset({"composite"}),
    names=lambda settings: ["composite"],
    restart=Restart.NEVER,
    max_silence_s=_frame_and_slack_s,
    decides_run=True,
    binds="results",
)

PROCESSES: Final = (
    ProcessType(  # first, for loading the network takes longest
        module="stream.inference",
        stages=frozenset({"inference"}),
        names=_worker_names,
        restart=Restart.ALWAYS,
        max_silence_s=_frame_and_heartbeats_s,
        lost=lambda name, identity, cause, retried: WorkerLost(identity),
    ),
    COMPOSITE,
    DISPATCH,
    ProcessType(
        module="stream.capture.reader",
        stages=frozenset({"capture"}),
        names=lambda settings: list(settings.cameras),
        restart=Restart.WHILE_LIVE,
        max_silence_s=_frame_and_slack_s,
        lost=lambda name, identity, cause, retried: ReaderLost(name, cause, retried),
    ),
    ProcessType(
        module="stream.web.serve",
        stages=frozenset({"capture", "composite"}),
        names=lambda settings: [] if settings.web is None else ["web"],
        restart=Restart.ON_CRASH,
        max_silence_s=_frame_and_slack_s,
    ),
)
"""Every kind of process, in the order in which they are started."""
