"""Begins a stage in a process of its own, and ends it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol

from stream.process import forkserver, pipe
from stream.run.processes import ProcessType
from stream.settings.config import Run
from stream.settings.parse import plain
from stream.transport.endpoints import Endpoints


class RunningStage(Protocol):
    """A stage under way: `identity` is its name for dispatch, `sentinel` (if any) becomes readable at its end."""

    @property
    def identity(self) -> str: ...

    @property
    def sentinel(self) -> int | None: ...

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""

    def kill(self) -> None:
        """End it at once where that is possible; waits a moment for its end."""


class Launcher(Protocol):
    """Begins stages. `can_kill`: whether one that hangs can be ended, and so is worth a watchdog."""

    @property
    def can_kill(self) -> bool: ...

    def start(self, process: ProcessType, name: str, end: Connection) -> RunningStage:
        """Run a stage that has `end` of the pipe to the supervisor, and closes it when it has ended."""


class ProcessLauncher:
    """Begins each stage as a process."""

    can_kill = True

    def __init__(self, settings: Run, endpoints: Endpoints, folders: Sequence[str]) -> None:
        """`folders` are removed by whichever stage finds that this process was killed."""
        self._document = json.dumps(plain(settings)).encode()  # names of files may be no UTF-8, which msgspec refuses
        self._endpoints = endpoints
        self._folders = list(folders)

    def start(self, process: ProcessType, name: str, end: Connection) -> RunningStage:
        folders = [*self._folders, *forkserver.folders()]
        arguments = ((process.module, name), self._document, self._endpoints, end, folders)
        started = forkserver.process_context().Process(target=pipe.run_stage_process, args=arguments, name=name)
        started.start()
        end.close()
        return _StageProcess(name, started)


class _StageProcess:
    def __init__(self, name: str, process: BaseProcess) -> None:
        self.identity = f"{name}.{process.pid}"
        self.sentinel = process.sentinel
        self._process = process

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()
        self._process.join(timeout=1)
