"""Begins a stage in a process of its own, and ends it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol

from stream.process import forkserver, pipe
from stream.run.processes import ProcessType
from stream.settings.config import Run
from stream.settings.parse import plain
from stream.transport.endpoints import Endpoints


class RunningStage(Protocol):
    """A stage under way: `identity` is its name for dispatch, `sentinel` (if any) becomes readable at its end.

    `exit_code` is None while it runs. `can_kill`: whether one that hangs can be ended, and so is worth a watchdog.
    """

    can_kill: bool
    identity: str
    sentinel: int | None

    @property
    def exit_code(self) -> int | None: ...

    def kill(self) -> None:
        """End it, at once where that is possible; waits a moment for its end."""


Launch = Callable[[ProcessType, str, Connection], RunningStage]
"""Begins a stage of a name; it has this end of the pipe to the supervisor, and closes it when it ends."""


def in_processes(settings: Run, endpoints: Endpoints, folders: Sequence[str]) -> Launch:
    """Begin each stage as a process. `folders` are removed by whichever finds that this process was killed."""
    document = json.dumps(plain(settings)).encode()  # names of files may be no UTF-8, which msgspec rejects

    def launch(process: ProcessType, name: str, end: Connection) -> RunningStage:
        arguments = ((process.module, name), document, endpoints, end, [*folders, *forkserver.folders()])
        started = forkserver.process_context().Process(target=pipe.run_stage_process, args=arguments, name=name)
        started.start()
        end.close()
        return _StageProcess(name, started)

    return launch


class _StageProcess:
    can_kill = True

    def __init__(self, name: str, process: BaseProcess) -> None:
        self.identity = f"{name}.{process.pid}"
        self.sentinel: int | None = process.sentinel
        self._process = process

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()
        self._process.join(timeout=1)
