"""Starts the stages as processes, restarts those that may be, and stops all together; knows them by name only.

Readers of live cameras, workers and the page are started again when they die. The dispatcher and composite hold
what cannot be made again: when one of them dies, everything stops and the cause is told once.
"""

from __future__ import annotations

import signal
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import msgspec
from msgspec import structs

from stream.process import forkserver, pipe, signals
from stream.process.pipe import (
    Failed,
    Notice,
    ReaderLost,
    Report,
    SinkFailed,
    Status,
    Stop,
    StopWanted,
    WorkerLost,
)
from stream.run.console import Console
from stream.settings.config import Control, Run
from stream.settings.parse import plain
from stream.sources import mode_of
from stream.transport import sockets

STAGES = ("capture", "inference", "composite")

_START_S = 120.0  # a first start compiles the network
_DEATHS_AT_START = 3
_START_WINDOW_S = 10.0
_END_S = 1.2  # what a stage is given to close its files in, once it waits for nothing any more
_FAIL_S = 3.0  # the same after a failure, when nobody waits
_LOOK_S = 0.1


@dataclass(eq=False)
class _Process:
    """One stage's process: its name, its room, its pipe, and what was heard of it."""

    name: str
    room: str
    process: BaseProcess
    pipe: Connection
    started_s: float
    heard_s: float | None = None
    cause: str | None = None

    @property
    def worker(self) -> str:
        """The worker as the dispatcher knows it."""
        return f"{self.name}.{self.process.pid}"


@dataclass(eq=False)
class Outcome:
    """How a run ended: the first failure, whether it was asked to stop and by which signal, the last ledger."""

    failure: str | None = None
    sink_failures: list[str] = field(default_factory=list)
    stopped_by: int | None = None
    status: Status | None = None

    def exit_code(self) -> int:
        """0; 1 after a failure; 128 + signal for a file that was not read to its end."""
        if self.failure is not None or self.sink_failures:
            return 1
        unfinished = self.status is not None and any(
            camera.interrupted and camera.mode == "file" for camera in self.status.cameras
        )
        return 128 + self.stopped_by if self.stopped_by and unfinished else 0


def launch(settings: Run, stages: tuple[str, ...], console: Console) -> Outcome:
    """Run the given stages as processes until the streams end, a signal comes, or something fails for good."""
    endpoints, folder = sockets.private_endpoints(("dispatch", "results", "published", "control"))
    transport = settings.transport
    settings = structs.replace(
        settings,
        transport=structs.replace(
            transport,
            dispatch=transport.dispatch or endpoints["dispatch"],
            results=transport.results or endpoints["results"],
        ),
    )
    if settings.web is not None:
        settings = structs.replace(
            settings,
            transport=structs.replace(settings.transport, published=endpoints["published"]),
            control=settings.control or Control(bind=endpoints["control"]),
        )
    try:
        return _Launcher(settings, stages, console).run()
    finally:
        sockets.remove_folder(folder)


class _Launcher:
    def __init__(self, settings: Run, stages: tuple[str, ...], console: Console) -> None:
        self._settings = settings
        self._stages = stages
        self._console = console
        self._outcome = Outcome()
        self._processes: list[_Process] = []
        self._deaths: dict[str, deque[float]] = {}
        self._stop_by_s: float | None = None
        self._signal: int | None = None

    def run(self) -> Outcome:
        signals.heed(self._on_signal)
        forkserver.begin()
        try:
            for name, room in self._roles():
                self._start(name, room)
            with self._console:
                while self._processes and not self._over():
                    self._look()
        finally:
            for process in self._processes:
                self._kill(process)
        return self._outcome

    def _roles(self) -> list[tuple[str, str]]:
        roles: list[tuple[str, str]] = []
        if "inference" in self._stages:  # first, for loading the network takes longest
            host = socket.gethostname()
            roles += [(f"{host}-worker-{i}", "stream.inference") for i in range(self._settings.model.workers)]
        if "composite" in self._stages:
            roles.append(("composite", "stream.composite.composite"))
        if "capture" in self._stages:
            roles.append(("dispatch", "stream.dispatch.dispatch"))
            roles += [(camera, "stream.capture.reader") for camera in self._settings.cameras]
            if self._settings.web is not None and "composite" in self._stages:
                roles.append(("web", "stream.web.serve"))
        return roles

    def _start(self, name: str, room: str) -> None:
        context = forkserver.context()
        ours, theirs = context.Pipe()
        document = msgspec.json.encode(plain(self._settings))
        process = context.Process(target=pipe.serve, args=(room, name, document, theirs), name=name)
        process.start()
        theirs.close()
        self._processes.append(_Process(name, room, process, ours, time.monotonic()))

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signal = self._signal or number

    def _over(self) -> bool:
        """Whether all that decides the run has ended, or time to end is up."""
        deciding = {"stream.dispatch.dispatch", "stream.composite.composite"} & {room for _, room in self._roles()}
        running = {process.room for process in self._processes}
        if deciding and not deciding & running:
            return True
        return self._stop_by_s is not None and time.monotonic() > self._stop_by_s

    def _look(self) -> None:
        """One look at every process: what it says, whether it lives, whether it is silent."""
        pipes = [process.pipe for process in self._processes]
        sentinels = [process.process.sentinel for process in self._processes]
        wait([*pipes, *sentinels], timeout=_LOOK_S)
        for process in list(self._processes):
            self._listen(process)
            if not process.process.is_alive():
                self._listen(process)
                self._bury(process)
            elif process.room == "stream.inference" and self._silent(process):
                self._console.log(f"{process.name} is silent and is replaced")
                self._kill(process)
        if self._signal is not None and self._outcome.stopped_by is None:
            self._outcome.stopped_by = self._signal
            self._stop(pipe.STOP_S + _END_S)

    def _listen(self, process: _Process) -> None:
        try:
            while process.pipe.poll():
                report: Report = msgspec.json.decode(process.pipe.recv_bytes(), type=Report)
                process.heard_s = time.monotonic()
                self._hear(process, report)
        except (EOFError, OSError):
            return

    def _hear(self, process: _Process, report: Report) -> None:
        match report:
            case Status():
                self._outcome.status = report
                self._console.show(report)
            case Notice(text):
                self._console.log(text)
            case SinkFailed(text):
                self._outcome.sink_failures.append(text)
                self._console.log(text)
            case Failed(cause):
                process.cause = cause
            case StopWanted():
                self._stop(pipe.STOP_S + _END_S)

    def _silent(self, process: _Process) -> bool:
        now_s = time.monotonic()
        if process.heard_s is None:
            return now_s - process.started_s > _START_S
        return now_s - process.heard_s > self._settings.model.frame_deadline_ms / 1000 + 2 * pipe.BEAT_S

    def _bury(self, process: _Process) -> None:
        """What follows from a process's end."""
        self._processes.remove(process)
        process.pipe.close()
        code = process.process.exitcode or 0
        cause = process.cause or f"{process.name} ended with {_ending(code)}"
        if process.room == "stream.capture.reader":
            self._bury_reader(process, code, cause)
        elif process.room == "stream.inference":
            self._bury_worker(process, cause)
        elif process.room == "stream.web.serve" and process.cause is None and code != 0:
            self._replace(process, cause)
        elif code != 0 or process.cause is not None:
            self._fail(cause)

    def _bury_reader(self, process: _Process, code: int, cause: str) -> None:
        if code == 0 or self._stop_by_s is not None:
            return
        live = mode_of(self._settings.cameras[process.name]) == "live"
        self._console.log(f"{process.name}: {cause}")
        self._command("stream.dispatch.dispatch", ReaderLost(process.name, cause, retried=live))
        if live:
            self._start(process.name, process.room)

    def _bury_worker(self, process: _Process, cause: str) -> None:
        if self._stop_by_s is not None:
            return
        self._command("stream.dispatch.dispatch", WorkerLost(process.worker))
        self._replace(process, cause)

    def _replace(self, process: _Process, cause: str) -> None:
        """Start it again, unless it dies as often as it is started."""
        if self._stop_by_s is not None:
            return
        now_s = time.monotonic()
        if process.heard_s is None or process.cause is not None:
            deaths = self._deaths.setdefault(process.name, deque(maxlen=_DEATHS_AT_START))
            deaths.append(now_s)
            if len(deaths) == _DEATHS_AT_START and now_s - deaths[0] < _START_WINDOW_S:
                self._fail(cause)
                return
        self._console.log(f"{cause}; a new one takes its place")
        self._start(process.name, process.room)

    def _fail(self, cause: str) -> None:
        if self._outcome.failure is None:
            self._outcome.failure = cause
        self._stop(_FAIL_S)

    def _stop(self, patience_s: float) -> None:
        if self._stop_by_s is None:
            self._stop_by_s = time.monotonic() + patience_s
            self._command("stream.dispatch.dispatch", Stop())
            for room in ("stream.capture.reader", "stream.inference", "stream.composite.composite", "stream.web.serve"):
                self._command(room, Stop())

    def _command(self, room: str, command: pipe.Command) -> None:
        for process in self._processes:
            if process.room == room:
                try:
                    process.pipe.send_bytes(msgspec.json.encode(command))
                except OSError:
                    continue  # it is dying; its end will be seen

    def _kill(self, process: _Process) -> None:
        if process.process.is_alive():
            process.process.kill()
        process.process.join(timeout=1)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
