"""The pipe between the supervisor and a stage: reports go up, commands come down; when it breaks, the stage exits.

JSON over a local pipe made by the parent. A thread writes to it, so that no stage ever waits for a stalled supervisor.
A stage whose pipe is closed is orphaned and stops by itself, so that nothing is left running when the supervisor was
killed.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Protocol

import cv2
import msgspec
from msgspec import structs
from setproctitle import setproctitle

from stream.process import signals
from stream.process.heap import start_trimming
from stream.process.status import CameraStatus
from stream.settings.config import Run
from stream.settings.parse import parse
from stream.stage import StreamError
from stream.transport.endpoints import Endpoints

HEARTBEAT_S = 0.25
"""Interval of heartbeats, and so the latency of a command."""


DRAIN_TIMEOUT_S = 0.6
"""How long frames in flight are waited for after `StopStage`; then files are closed without them."""

_MAX_UNSENT = 64  # queued reports; beyond them those that may be missed are dropped
_FLUSH_TIMEOUT_S = 1.0


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """I live."""


class StatusReport(msgspec.Struct, frozen=True, tag=True):
    """Every camera's ledger, and the number of malformed messages."""

    cameras: list[CameraStatus]
    rejected: int


class Notice(msgspec.Struct, frozen=True, tag=True):
    """Something a person should read: one sentence."""

    text: str


class SinkFailed(msgspec.Struct, frozen=True, tag=True):
    """One output has ended early; the others go on."""

    text: str


class StageFailed(msgspec.Struct, frozen=True, tag=True):
    """Why a stage is about to exit: one sentence."""

    cause: str


class StopRequested(msgspec.Struct, frozen=True, tag=True):
    """The user closed the preview window: the run is to stop."""


class StopStage(msgspec.Struct, frozen=True, tag=True):
    """End cleanly, soon."""


class WorkerLost(msgspec.Struct, frozen=True, tag=True):
    """A worker process of this host has died."""

    worker: str


class ReaderLost(msgspec.Struct, frozen=True, tag=True):
    """A reader process has died; it is started again if its camera is live."""

    camera: str
    cause: str
    retried: bool


StageReport = Heartbeat | StatusReport | Notice | SinkFailed | StageFailed | StopRequested
Command = StopStage | WorkerLost | ReaderLost


class LazyTimeout:
    """A time that begins to run when it is first asked whether it is over."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._until_s: float | None = None

    def expired(self) -> bool:
        """Return whether the time has passed since the first call."""
        now_s = time.monotonic()
        self._until_s = self._until_s or now_s + self._length_s
        return now_s >= self._until_s


class Reporter(Protocol):
    """Receives a stage's reports."""

    def report(self, item: StageReport) -> None: ...


class SupervisorPipe:
    """A stage's end of the pipe. `identity` is the stage's name for dispatch: no two that run have the same."""

    def __init__(self, pipe: Connection, identity: str) -> None:
        self._pipe = pipe
        self.identity = identity
        self._outbox: SimpleQueue[StageReport | None] = SimpleQueue()
        self._last_heartbeat_s = 0.0
        self._closing = False
        self.stopping = False
        self.orphaned = False
        self._sender_thread = threading.Thread(target=self._send_reports, name="reports", daemon=True)
        self._sender_thread.start()

    def report(self, item: StageReport) -> None:
        """Report to the supervisor, without waiting; where it is gone, `commands` says so.

        Where it has not read for long, heartbeats and status reports are dropped.
        """
        if self._outbox.qsize() < _MAX_UNSENT or not isinstance(item, Heartbeat | StatusReport | Notice):
            self._outbox.put(item)

    def heartbeat(self) -> None:
        """Send a heartbeat when it is due."""
        now_s = time.monotonic()
        if now_s - self._last_heartbeat_s >= HEARTBEAT_S:
            self._last_heartbeat_s = now_s
            self.report(Heartbeat())

    def heartbeat_while_closing(self) -> None:
        """From now on files are finished, which may take long: signs of life are given meanwhile."""
        self._closing = True

    def close(self) -> None:
        """Let what was reported leave, at most a second long."""
        self._outbox.put(None)
        self._sender_thread.join(_FLUSH_TIMEOUT_S)

    def _send_reports(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._pipe.send_bytes(_encode(item))
        except OSError:
            self.stopping = self.orphaned = True

    def _next(self) -> StageReport | None:
        while True:
            try:
                return self._outbox.get(timeout=HEARTBEAT_S)
            except Empty:
                if self._closing:
                    return Heartbeat()

    def commands(self) -> Iterator[Command]:
        """Return the commands received since the last call; a closed pipe counts as `StopStage`."""
        try:
            while self._pipe.poll():
                command = msgspec.json.decode(self._pipe.recv_bytes(), type=Command)
                self.stopping = self.stopping or isinstance(command, StopStage)
                yield command
        except (EOFError, OSError):
            self.stopping = self.orphaned = True
            yield StopStage()


def run_stage_process(
    stage: tuple[str, str], document: bytes, endpoints: Endpoints, pipe: Connection, folders: Sequence[str]
) -> None:
    """Main function of every stage's process; `stage` is its module and its name.

    `folders` are the supervisor's own; where it was killed, they are removed.
    """
    module, name = stage
    signals.ignore_stop_signals()
    setproctitle(f"run_stream {name}")
    start_trimming()
    cv2.setNumThreads(1)  # the stages share the cores; the network's threads are those that gain by being several
    supervisor = SupervisorPipe(pipe, f"{name}.{os.getpid()}")
    exit_code = run_stage(module, name, parse(json.loads(document)), endpoints, supervisor)
    if supervisor.orphaned:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    if exit_code:
        os._exit(exit_code)


def run_stage(module: str, name: str, settings: Run, endpoints: Endpoints, supervisor: SupervisorPipe) -> int:
    """Run `serve` of a stage's module, and report why it failed; return the exit code."""
    exit_code = 0
    try:
        importlib.import_module(module).serve(settings, endpoints, name, supervisor)
    except Exception as error:  # noqa: BLE001 (reported once, by the supervisor)
        supervisor.report(StageFailed(describe_error(error)))
        exit_code = 1
    supervisor.close()
    return exit_code


def _encode(item: StageReport) -> bytes:
    """A report as JSON; bytes of a file's name that are no UTF-8 are written out."""
    try:
        return msgspec.json.encode(item)
    except UnicodeEncodeError:
        texts = {key: printable(text) for key, text in structs.asdict(item).items() if isinstance(text, str)}
        return msgspec.json.encode(structs.replace(item, **texts))


def printable(text: str) -> str:
    """A text that any terminal and any message can hold: `caf\\xe9` where a name is no UTF-8."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def describe_error(error: Exception) -> str:
    """Describe an error in one sentence: a StreamError's own, else with the exception's type before it."""
    text = " ".join(str(error).split()) or "no further word"
    return text if isinstance(error, StreamError) else f"{type(error).__name__}: {text}"
