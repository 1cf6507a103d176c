"""Starts the stages as processes, restarts those that may be, and stops all together; knows modules by name only.

Readers of live cameras, workers and the page are restarted when they exit. The dispatcher and composite hold state
that cannot be made again: when one of them exits, everything stops and the cause is reported once.
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
    Heartbeat,
    Notice,
    ReaderLost,
    SinkFailed,
    StageFailed,
    StageReport,
    StatusReport,
    StopRequested,
    StopStage,
    WorkerLost,
)
from stream.run.console import Console
from stream.settings.config import Control, Run
from stream.settings.parse import plain
from stream.sources import mode_of
from stream.transport import sockets

STAGES = ("capture", "inference", "composite")

_START_TIMEOUT_S = 120.0  # a first start compiles the network
_MAX_EARLY_EXITS = 3
_EARLY_EXIT_WINDOW_S = 10.0
_CLOSE_TIMEOUT_S = 1.2  # what a stage is given to close its files in, once it waits for nothing any more
_FAILURE_TIMEOUT_S = 3.0  # the same after a failure, when nothing is waited for
_FILES_S = 10.0  # and more than that where files are still being finished
_POLL_S = 0.1
_STALL_S = 1.0  # between two polls: the supervisor itself did not run, so silence meanwhile means nothing
_SLACK_S = 5.0  # for stages that may wait for each other, beyond what a frame may take a worker
_NOT_RESTARTED = ("stream.dispatch.dispatch", "stream.composite.composite")
"""Modules of the processes whose state cannot be made again."""


@dataclass(eq=False)
class _Process:
    """One stage's process: its name, its module, its pipe, and what it last reported.

    `has_reported`: its main loop runs, so its sockets are bound. `cause`: why it says that it exits; `silent`: why it
    was killed.
    """

    name: str
    module: str
    process: BaseProcess
    pipe: Connection
    started_s: float
    last_report_s: float | None = None
    has_reported: bool = False
    cause: str | None = None
    silent: str | None = None

    @property
    def worker(self) -> str:
        """The worker as the dispatcher knows it."""
        return f"{self.name}.{self.process.pid}"


@dataclass(eq=False)
class Outcome:
    """Outcome of a run: the first failure, whether it was asked to stop and by which signal, the last ledger."""

    failure: str | None = None
    sink_failures: list[str] = field(default_factory=list)
    stop_signal: int | None = None
    status: StatusReport | None = None

    def exit_code(self) -> int:
        """0; 1 after a failure; 128 + signal for a file that was not read to its end."""
        if self.failure is not None or self.sink_failures:
            return 1
        unfinished = self.status is not None and any(
            camera.interrupted and camera.mode == "file" for camera in self.status.cameras
        )
        return 128 + self.stop_signal if self.stop_signal and unfinished else 0


def run_supervised(settings: Run, stages: tuple[str, ...], console: Console) -> Outcome:
    """Run the given stages as processes until the streams end, a signal comes, or something fails for good."""
    endpoints, folder = sockets.private_endpoints(("dispatch", "results", "publish", "control"))
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
            transport=structs.replace(settings.transport, publish=endpoints["publish"]),
            control=settings.control or Control(bind=endpoints["control"]),
        )
    try:
        return _Supervisor(settings, stages, console, [] if folder is None else [str(folder)]).run()
    finally:
        sockets.remove_folder(folder)


class _Supervisor:
    def __init__(self, settings: Run, stages: tuple[str, ...], console: Console, folders: list[str]) -> None:
        self._settings = settings
        self._folders = folders
        self._stages = stages
        self._console = console
        self._outcome = Outcome()
        self._processes: list[_Process] = []
        self._early_exits: dict[str, deque[float]] = {}
        self._stop_by_s: float | None = None
        self._looked_s = time.monotonic()
        self._signal: int | None = None

    def run(self) -> Outcome:
        signals.on_stop_signals(self._on_signal)
        forkserver.start()
        try:
            for name, module in self._process_table():
                self._start(name, module)
            with self._console:
                while self._processes and not self._finished():
                    self._poll()
        finally:
            for process in self._processes:
                if process.module in _NOT_RESTARTED and process.process.is_alive():
                    unfinished = f"{process.name} did not end in time and was killed: its files may be unfinished"
                    self._outcome.failure = self._outcome.failure or unfinished
                self._kill(process)
        return self._outcome

    def _process_table(self) -> list[tuple[str, str]]:
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

    def _start(self, name: str, module: str) -> None:
        context = forkserver.process_context()
        parent_end, child_end = context.Pipe()
        document = json.dumps(plain(self._settings)).encode()  # names of files may be no UTF-8, which msgspec rejects
        folders = [*self._folders, *forkserver.folders()]
        process = context.Process(target=pipe.run_stage, args=(module, name, document, child_end, folders), name=name)
        process.start()
        child_end.close()
        self._processes.append(_Process(name, module, process, parent_end, time.monotonic()))

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signal = self._signal or number

    def _finished(self) -> bool:
        """Return whether all essential processes have exited, or the time to close is up."""
        essential = set(_NOT_RESTARTED) & {module for _, module in self._process_table()}
        running = {process.module for process in self._processes}
        if essential and not essential & running:
            return True
        now_s = time.monotonic()
        if self._stop_by_s is None or now_s <= self._stop_by_s:
            return False
        at_it = any(
            p.module in _NOT_RESTARTED and p.last_report_s and now_s - p.last_report_s < _STALL_S
            for p in self._processes
        )
        return not at_it or now_s > self._stop_by_s + _FILES_S

    def _poll(self) -> None:
        """Poll every process: read its reports, notice its exit, feed its watchdog."""
        pipes = [process.pipe for process in self._processes]
        sentinels = [process.process.sentinel for process in self._processes]
        wait([*pipes, *sentinels], timeout=_POLL_S)
        self._reset_watchdogs()
        for process in list(self._processes):
            self._read_reports(process)
            if not process.process.is_alive():
                self._read_reports(process)
                self._on_exit(process)
            elif (silence_s := self._unresponsive_s(process)) is not None:
                process.silent = f"{process.name} sent no heartbeat for {silence_s:.0f} s and was killed"
                self._kill(process)
        if self._signal is not None and self._outcome.stop_signal is None:
            self._outcome.stop_signal = self._signal
            self._stop(pipe.DRAIN_TIMEOUT_S + _CLOSE_TIMEOUT_S)

    def _reset_watchdogs(self) -> None:
        """Reset all watchdogs after the supervisor itself did not run: stopped, or stalled by its host."""
        now_s = time.monotonic()
        gap_s, self._looked_s = now_s - self._looked_s, now_s
        if gap_s < _STALL_S:
            return
        for process in self._processes:
            process.started_s += gap_s
            if process.last_report_s is not None:
                process.last_report_s += gap_s

    def _read_reports(self, process: _Process) -> None:
        try:
            while process.pipe.poll():
                report: StageReport = msgspec.json.decode(process.pipe.recv_bytes(), type=StageReport)
                process.last_report_s = time.monotonic()
                self._on_report(process, report)
        except (EOFError, OSError):
            return

    def _on_report(self, process: _Process, report: StageReport) -> None:
        process.has_reported = process.has_reported or isinstance(report, Heartbeat | StatusReport)
        match report:
            case StatusReport():
                self._outcome.status = report
                self._console.show(report)
            case Notice(text):
                self._console.log(text)
            case SinkFailed(text):
                self._outcome.sink_failures.append(text)
                self._console.log(text)
            case StageFailed(cause):
                process.cause = cause
            case StopRequested():
                self._stop(pipe.DRAIN_TIMEOUT_S + _CLOSE_TIMEOUT_S)

    def _unresponsive_s(self, process: _Process) -> float | None:
        """Return for how long a process has sent no heartbeat, where that is too long."""
        since_s = process.started_s if process.last_report_s is None else process.last_report_s
        timeout_s = self._settings.model.frame_deadline_ms / 1000
        timeout_s += 2 * pipe.HEARTBEAT_S if process.module == "stream.inference" else _SLACK_S
        silence_s = time.monotonic() - since_s
        return silence_s if silence_s > (_START_TIMEOUT_S if process.last_report_s is None else timeout_s) else None

    def _on_exit(self, process: _Process) -> None:
        """Handle the exit of a process: restart it, finish, or fail."""
        self._processes.remove(process)
        process.pipe.close()
        code = process.process.exitcode or 0
        cause = process.cause or process.silent or f"{process.name} ended with {_describe_exit(code)}"
        if process.module == "stream.capture.reader":
            self._on_reader_exit(process, code, cause)
        elif process.module == "stream.inference":
            self._on_worker_exit(process, cause)
        elif process.module == "stream.web.serve" and process.cause is None and code != 0:
            self._restart(process, cause)
        elif code != 0 or process.cause is not None:
            self._fail(cause)

    def _on_reader_exit(self, process: _Process, code: int, cause: str) -> None:
        if code == 0 or self._stop_by_s is not None:
            return
        live = mode_of(self._settings.cameras[process.name]) == "live"
        self._console.log(f"{process.name}: {cause}")
        self._command("stream.dispatch.dispatch", ReaderLost(process.name, cause, retried=live))
        if live and self._can_join(process):
            self._start(process.name, process.module)

    def _on_worker_exit(self, process: _Process, cause: str) -> None:
        if self._stop_by_s is not None:
            return
        self._command("stream.dispatch.dispatch", WorkerLost(process.worker))
        self._restart(process, cause)

    def _restart(self, process: _Process, cause: str) -> None:
        """Start it again, unless it dies as often as it is started."""
        if self._stop_by_s is not None:
            return
        now_s = time.monotonic()
        if process.last_report_s is None or process.cause is not None:
            exits = self._early_exits.setdefault(process.name, deque(maxlen=_MAX_EARLY_EXITS))
            exits.append(now_s)
            if len(exits) == _MAX_EARLY_EXITS and now_s - exits[0] < _EARLY_EXIT_WINDOW_S:
                self._fail(cause)
                return
        if self._can_join(process):
            self._console.log(f"{cause}; restarting it")
            self._start(process.name, process.module)

    def _can_join(self, process: _Process) -> bool:
        """Return whether a restarted process would find the others; the run fails where their sockets are gone."""
        transport = self._settings.transport
        for module, endpoint in zip(_NOT_RESTARTED, (transport.dispatch, transport.results), strict=True):
            path = Path((endpoint or "").removeprefix("ipc://"))
            bound = any(other.module == module and other.has_reported for other in self._processes)
            if bound and str(endpoint).startswith("ipc://") and not path.exists():
                self._fail(f"{process.name} ended and none can take its place: the run's socket {path} was removed")
                return False
        return True

    def _fail(self, cause: str) -> None:
        if self._outcome.failure is None:
            self._outcome.failure = cause
        self._stop(_FAILURE_TIMEOUT_S)

    def _stop(self, timeout_s: float) -> None:
        if self._stop_by_s is None:
            self._stop_by_s = time.monotonic() + timeout_s
            self._command("stream.dispatch.dispatch", StopStage())
            for module in (
                "stream.capture.reader",
                "stream.inference",
                "stream.composite.composite",
                "stream.web.serve",
            ):
                self._command(module, StopStage())

    def _command(self, module: str, command: pipe.Command) -> None:
        for process in self._processes:
            if process.module == module:
                try:
                    process.pipe.send_bytes(msgspec.json.encode(command))
                except OSError:
                    continue  # it is dying; its end will be seen

    def _kill(self, process: _Process) -> None:
        if process.process.is_alive():
            process.process.kill()
        process.process.join(timeout=1)


def _describe_exit(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
