"""Starts the stages as processes, restarts those that may be, and stops all together; knows them by name only.

Readers of live cameras, workers and the page are started again when they die. The dispatcher and composite hold
what cannot be made again: when one of them dies, everything stops and the cause is told once.
"""

from __future__ import annotations

import json
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import msgspec
from msgspec import structs

from stream.process import forkserver, pipe, signals
from stream.process.pipe import (
    Beat,
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
_FILES_S = 10.0  # and more than that where files are still being finished
_LOOK_S = 0.1
_STOOD_STILL_S = 1.0  # between two looks: the launcher itself did not run, and what was said meanwhile is no measure
_SLACK_S = 5.0  # for stages that may wait for each other, beyond what a frame may take a worker
_LASTING = ("stream.dispatch.dispatch", "stream.composite.composite")
"""The rooms of those that hold what cannot be made again."""


@dataclass(eq=False)
class _Process:
    """One stage's process: its name, its room, its pipe, and what was heard of it.

    `joined`: its main loop runs, so that its sockets are bound. `cause`: why it says that it ends; `silent`: why it was
    ended.
    """

    name: str
    room: str
    process: BaseProcess
    pipe: Connection
    started_s: float
    heard_s: float | None = None
    joined: bool = False
    cause: str | None = None
    silent: str | None = None

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
        return _Launcher(settings, stages, console, [] if folder is None else [str(folder)]).run()
    finally:
        sockets.remove_folder(folder)


class _Launcher:
    def __init__(self, settings: Run, stages: tuple[str, ...], console: Console, folders: list[str]) -> None:
        self._settings = settings
        self._folders = folders
        self._stages = stages
        self._console = console
        self._outcome = Outcome()
        self._processes: list[_Process] = []
        self._deaths: dict[str, deque[float]] = {}
        self._stop_by_s: float | None = None
        self._looked_s = time.monotonic()
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
                if process.room in _LASTING and process.process.is_alive():
                    unfinished = f"{process.name} did not end in time and was killed: its files may be unfinished"
                    self._outcome.failure = self._outcome.failure or unfinished
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
        document = json.dumps(plain(self._settings)).encode()  # names of files may be no UTF-8, which msgspec refuses
        folders = [*self._folders, *forkserver.folders()]
        process = context.Process(target=pipe.serve, args=(room, name, document, theirs, folders), name=name)
        process.start()
        theirs.close()
        self._processes.append(_Process(name, room, process, ours, time.monotonic()))

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signal = self._signal or number

    def _over(self) -> bool:
        """Whether all that decides the run has ended, or time to end is up."""
        deciding = set(_LASTING) & {room for _, room in self._roles()}
        running = {process.room for process in self._processes}
        if deciding and not deciding & running:
            return True
        now_s = time.monotonic()
        if self._stop_by_s is None or now_s <= self._stop_by_s:
            return False
        at_it = any(p.room in _LASTING and p.heard_s and now_s - p.heard_s < _STOOD_STILL_S for p in self._processes)
        return not at_it or now_s > self._stop_by_s + _FILES_S

    def _look(self) -> None:
        """One look at every process: what it says, whether it lives, whether it is silent."""
        pipes = [process.pipe for process in self._processes]
        sentinels = [process.process.sentinel for process in self._processes]
        wait([*pipes, *sentinels], timeout=_LOOK_S)
        self._forgive()
        for process in list(self._processes):
            self._listen(process)
            if not process.process.is_alive():
                self._listen(process)
                self._bury(process)
            elif (silence_s := self._silence_s(process)) is not None:
                process.silent = f"{process.name} gave no sign of life for {silence_s:.0f} s and was ended"
                self._kill(process)
        if self._signal is not None and self._outcome.stopped_by is None:
            self._outcome.stopped_by = self._signal
            self._stop(pipe.STOP_S + _END_S)

    def _forgive(self) -> None:
        """Count no silence while the launcher itself did not run: stopped, or held up by its host."""
        now_s = time.monotonic()
        gap_s, self._looked_s = now_s - self._looked_s, now_s
        if gap_s < _STOOD_STILL_S:
            return
        for process in self._processes:
            process.started_s += gap_s
            if process.heard_s is not None:
                process.heard_s += gap_s

    def _listen(self, process: _Process) -> None:
        try:
            while process.pipe.poll():
                report: Report = msgspec.json.decode(process.pipe.recv_bytes(), type=Report)
                process.heard_s = time.monotonic()
                self._hear(process, report)
        except (EOFError, OSError):
            return

    def _hear(self, process: _Process, report: Report) -> None:
        process.joined = process.joined or isinstance(report, Beat | Status)
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

    def _silence_s(self, process: _Process) -> float | None:
        """For how long a process has given no sign of life, where that is too long."""
        since_s = process.started_s if process.heard_s is None else process.heard_s
        patience_s = self._settings.model.frame_deadline_ms / 1000
        patience_s += 2 * pipe.BEAT_S if process.room == "stream.inference" else _SLACK_S
        silence_s = time.monotonic() - since_s
        return silence_s if silence_s > (_START_S if process.heard_s is None else patience_s) else None

    def _bury(self, process: _Process) -> None:
        """What follows from a process's end."""
        self._processes.remove(process)
        process.pipe.close()
        code = process.process.exitcode or 0
        cause = process.cause or process.silent or f"{process.name} ended with {_ending(code)}"
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
        if live and self._can_join(process):
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
        if self._can_join(process):
            self._console.log(f"{cause}; a new one takes its place")
            self._start(process.name, process.room)

    def _can_join(self, process: _Process) -> bool:
        """Whether one in its place would find the others; the run fails where their sockets are gone."""
        transport = self._settings.transport
        for room, endpoint in zip(_LASTING, (transport.dispatch, transport.results), strict=True):
            path = Path((endpoint or "").removeprefix("ipc://"))
            bound = any(other.room == room and other.joined for other in self._processes)
            if bound and str(endpoint).startswith("ipc://") and not path.exists():
                self._fail(f"{process.name} ended and none can take its place: the run's socket {path} was removed")
                return False
        return True

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
