"""Starts the stages, restarts those that may be, and stops all together; knows them by the table of processes only.

Readers of live cameras, workers and the page are restarted when they exit. The dispatcher and composite hold state
that cannot be made again: when one of them exits, everything stops and the cause is reported once.
"""

from __future__ import annotations

import math
import signal
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

import msgspec

from stream.composite.control import endpoint_of
from stream.process import forkserver, pipe, signals
from stream.process.pipe import (
    Heartbeat,
    Notice,
    SinkFailed,
    StageFailed,
    StageReport,
    StatusReport,
    StopRequested,
    StopStage,
)
from stream.run.console import Console
from stream.run.launching import Launch, RunningStage, in_processes
from stream.run.outcome import Outcome
from stream.run.processes import DISPATCH, PROCESSES, ProcessType, Restart, Stage
from stream.settings.config import Run
from stream.sources import mode_of
from stream.stage import StreamError
from stream.transport import sockets
from stream.transport.endpoints import Endpoints

_START_TIMEOUT_S = 120.0  # a first start compiles the network
_MAX_EARLY_EXITS = 3
_EARLY_EXIT_WINDOW_S = 10.0
_CLOSE_TIMEOUT_S = 1.2  # what a stage is given to close its files in, once it waits for nothing any more
_FAILURE_TIMEOUT_S = 3.0  # the same after a failure, when nothing is waited for
_FILES_S = 10.0  # and more than that where files are still being finished
_POLL_S = 0.1
_STALL_S = 1.0  # between two polls: the supervisor itself did not run, so silence meanwhile means nothing


@dataclass(eq=False)
class _Process:
    """One stage's process: its name, its row of the table, its pipe, and what it last reported.

    `has_reported`: its main loop runs, so its sockets are bound. `cause`: why it says that it exits; `silent`: why it
    was killed.
    """

    name: str
    kind: ProcessType
    stage: RunningStage
    pipe: Connection
    started_s: float
    last_report_s: float | None = None
    has_reported: bool = False
    cause: str | None = None
    silent: str | None = None

    @property
    def is_alive(self) -> bool:
        return self.stage.exit_code is None


def run_supervised(settings: Run, stages: Collection[Stage], console: Console) -> Outcome:
    """Run the given stages as processes until the streams end, a signal comes, or something fails for good."""
    private, folder = sockets.private_endpoints(("dispatch", "results", "publish", "control"))
    try:
        transport = settings.transport
        endpoints = Endpoints(
            dispatch=transport.dispatch or private["dispatch"],
            results=transport.results or private["results"],
            publish=private["publish"],
            control=endpoint_of(settings.control) if settings.control and "composite" in stages else private["control"],
            keys=transport.keys,
        )
        launch = in_processes(settings, endpoints, [] if folder is None else [str(folder)])
        supervisor = Supervisor(settings, endpoints, stages, console, launch)
        signals.on_stop_signals(supervisor.on_signal)
        forkserver.start()
        return supervisor.run()
    except StreamError as error:
        return Outcome(failure=str(error))
    finally:
        sockets.remove_folder(folder)


class Supervisor:
    """Looks after the stages of a run, wherever `launch` begins them."""

    def __init__(
        self, settings: Run, endpoints: Endpoints, stages: Collection[Stage], console: Console, launch: Launch
    ) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._table = [kind for kind in PROCESSES if kind.stages <= set(stages)]
        self._console = console
        self._launch = launch
        self._outcome = Outcome()
        self._processes: list[_Process] = []
        self._early_exits: dict[str, deque[float]] = {}
        self._stop_by_s: float | None = None
        self._looked_s = time.monotonic()
        self._signal: int | None = None

    def on_signal(self, number: int, _frame: object) -> None:
        """Stop the run soon: a handler of signals."""
        self._signal = self._signal or number

    def run(self) -> Outcome:
        """Start every stage and look after them until the run is over."""
        try:
            for kind in self._table:
                for name in kind.names(self._settings):
                    self._start(kind, name)
            with self._console:
                while self._processes and not self._finished():
                    self._poll()
        finally:
            for process in self._processes:
                if process.kind.decides_run and process.is_alive:
                    unfinished = f"{process.name} did not end in time and was killed: its files may be unfinished"
                    self._outcome.failure = self._outcome.failure or unfinished
                process.stage.kill()
                process.pipe.close()
        return self._outcome

    def _start(self, kind: ProcessType, name: str) -> None:
        parent_end, child_end = Pipe()
        stage = self._launch(kind, name, child_end)
        self._processes.append(_Process(name, kind, stage, parent_end, time.monotonic()))

    def _finished(self) -> bool:
        """Return whether all that decides the run has exited, or the time to close is up."""
        if any(kind.decides_run for kind in self._table) and not any(p.kind.decides_run for p in self._processes):
            return True
        now_s = time.monotonic()
        if self._stop_by_s is None or now_s <= self._stop_by_s:
            return False
        closing = any(
            p.kind.decides_run and p.last_report_s and now_s - p.last_report_s < _STALL_S for p in self._processes
        )
        return not closing or now_s > self._stop_by_s + _FILES_S

    def _poll(self) -> None:
        """Poll every process: read its reports, notice its exit, feed its watchdog."""
        pipes = [process.pipe for process in self._processes]
        sentinels = [p.stage.sentinel for p in self._processes if p.stage.sentinel is not None]
        wait([*pipes, *sentinels], timeout=_POLL_S)
        self._reset_watchdogs()
        for process in list(self._processes):
            self._read_reports(process)
            if not process.is_alive:
                self._read_reports(process)
                self._on_exit(process)
            elif (silence_s := self._unresponsive_s(process)) is not None:
                process.silent = f"{process.name} sent no heartbeat for {silence_s:.0f} s and was killed"
                process.stage.kill()
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
        silence_s = time.monotonic() - (process.last_report_s or process.started_s)
        timeout_s = self._settings.model.frame_deadline_ms / 1000 + process.kind.slack_s
        if process.last_report_s is None:
            timeout_s = _START_TIMEOUT_S
        return silence_s if process.stage.can_kill and silence_s > timeout_s else None

    def _on_exit(self, process: _Process) -> None:
        """Handle the exit of a process: restart it, finish, or fail."""
        self._processes.remove(process)
        process.pipe.close()
        code = process.stage.exit_code or 0
        cause = process.cause or process.silent or f"{process.name} ended with {_describe_exit(code)}"
        restart = process.kind.restart
        if restart is Restart.NEVER or (restart is Restart.ON_CRASH and (process.cause is not None or code == 0)):
            if code != 0 or process.cause is not None:
                self._fail(cause)
        elif self._stop_by_s is not None or (restart is Restart.WHILE_LIVE and code == 0):
            return
        elif restart is Restart.WHILE_LIVE:
            live = mode_of(self._settings.cameras[process.name]) == "live"
            self._console.log(f"{process.name}: {cause}")
            self._report_lost(process, cause, retried=live)
            if live and self._can_join(process):
                self._start(process.kind, process.name)
        else:
            self._report_lost(process, cause, retried=True)
            self._restart(process, cause)

    def _report_lost(self, process: _Process, cause: str, *, retried: bool) -> None:
        """Tell dispatch, where that kind of process is its concern."""
        if process.kind.lost is not None:
            self._command(DISPATCH, process.kind.lost(process.name, process.stage.identity, cause, retried))

    def _restart(self, process: _Process, cause: str) -> None:
        """Start it again, unless it dies as often as it is started."""
        now_s = time.monotonic()
        if process.last_report_s is None or process.cause is not None:
            exits = self._early_exits.setdefault(process.name, deque(maxlen=_MAX_EARLY_EXITS))
            exits.append(now_s)
            if len(exits) == _MAX_EARLY_EXITS and now_s - exits[0] < _EARLY_EXIT_WINDOW_S:
                self._fail(cause)
                return
        if self._can_join(process):
            self._console.log(f"{cause}; restarting it")
            self._start(process.kind, process.name)

    def _can_join(self, process: _Process) -> bool:
        """Return whether a restarted process would find the others; the run fails where their sockets are gone."""
        for other in self._processes:
            if other.kind.binds is None or not other.has_reported:
                continue
            endpoint: str = getattr(self._endpoints, other.kind.binds)
            path = Path(endpoint.removeprefix("ipc://"))
            if endpoint.startswith("ipc://") and not path.exists():
                self._fail(f"{process.name} ended and none can take its place: the run's socket {path} was removed")
                return False
        return True

    def _fail(self, cause: str) -> None:
        if self._outcome.failure is None:
            self._outcome.failure = cause
        self._stop(_FAILURE_TIMEOUT_S)

    def _stop(self, timeout_s: float) -> None:
        if self._stop_by_s is None:
            can_kill = all(process.stage.can_kill for process in self._processes)
            self._stop_by_s = time.monotonic() + (timeout_s if can_kill else math.inf)
            for kind in (DISPATCH, *(kind for kind in self._table if kind is not DISPATCH)):  # who schedules, first
                self._command(kind, StopStage())

    def _command(self, kind: ProcessType, command: pipe.Command) -> None:
        for process in self._processes:
            if process.kind is kind:
                try:
                    process.pipe.send_bytes(msgspec.json.encode(command))
                except OSError:
                    continue  # it is dying; its end will be seen


def _describe_exit(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
