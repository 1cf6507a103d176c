"""All stages in one process, without sockets: readers in threads, then segment, composite and write, one by one.

The same readers, dispatcher, steps and outputs as in several processes, and so the same pixels.
"""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue

from stream import inference
from stream.capture.mailbox import Mailbox
from stream.capture.reader import read
from stream.composite import composite
from stream.composite.demand import DemandTracker
from stream.composite.looks import LookChanges, drain
from stream.composite.resequence import Resequencer
from stream.dispatch import dispatch
from stream.dispatch.scheduler import Outgoing
from stream.message import CompositedFrame, DemandChanged, Dropped, EndOfRun, Frame, LateMasks, Output, PictureRequest
from stream.process import signals
from stream.process.pipe import (
    HEARTBEAT_S,
    Notice,
    SinkFailed,
    StageReport,
    StatusReport,
    StopRequested,
    describe_error,
)
from stream.run.console import Console
from stream.run.supervisor import Outcome
from stream.settings.config import Run

_WORKER = "inline.0"


def run_inline(settings: Run, console: Console) -> Outcome:
    """Run until the streams end or a signal comes."""
    run = _Inline(settings, console)
    signals.on_stop_signals(run.on_signal)
    return run.run()


class _Inline:
    def __init__(self, settings: Run, console: Console) -> None:
        self._console = console
        self._outcome = Outcome()
        self._wake_up = threading.Condition()
        self._stopped = threading.Event()
        self._stop_requested = False
        self._segment = inference.announcing(inference.step(inference.load_segmenter(settings.model)), console.log)
        self._composite = composite.step(settings, console.log)
        self._changes: LookChanges = SimpleQueue()
        self._outputs = composite.open_outputs(settings, self._changes, self)
        self._resequencer = Resequencer()
        self._scheduler = dispatch.new_scheduler(settings)
        self._mailboxes = {name: Mailbox(self._wake_up) for name in settings.cameras}
        self._credit = dict.fromkeys(settings.cameras, 0)
        self._readers = [
            threading.Thread(
                target=read, args=(name, camera, self._mailboxes[name], self._stopped), name=name, daemon=True
            )
            for name, camera in settings.cameras.items()
        ]
        self._demand = DemandTracker(self._outputs, self._on_demand_changed)
        self._last_status_s = 0.0

    def on_signal(self, number: int, _frame: object) -> None:
        self._outcome.stop_signal = self._outcome.stop_signal or number
        self._stop_requested = True

    def report(self, item: StageReport) -> None:
        """Handle an output's report, as the supervisor would handle a stage's."""
        match item:
            case SinkFailed(text):
                self._outcome.sink_failures.append(text)
                self._console.log(text)
            case Notice(text):
                self._console.log(text)
            case StopRequested():
                self._stop_requested = True

    def run(self) -> Outcome:
        for reader in self._readers:
            reader.start()
        self._execute(self._scheduler.on_worker_ready(_WORKER, time.monotonic_ns()))
        try:
            with self._console:
                while not self._scheduler.finished:
                    self._iterate()
        except Exception as error:  # noqa: BLE001 (reported once, as a sentence)
            self._outcome.failure = describe_error(error)
        finally:
            self._stopped.set()
            for mailbox in self._mailboxes.values():
                mailbox.close()
            self._outputs.close()
        self._outcome.failure = self._outcome.failure or self._scheduler.failure
        self._outcome.status = StatusReport(self._scheduler.status(time.monotonic_ns()), 0)
        return self._outcome

    def _iterate(self) -> None:
        """Take from every mailbox once; where none has anything, wait for one."""
        for change in drain(self._changes):
            for output in self._composite(change):
                self._write(output)
        self._demand.poll()
        received = False
        for name, mailbox in self._mailboxes.items():
            item = mailbox.take(credit=self._credit[name])
            if item is not None:
                received = True
                self._execute(self._scheduler.on_reader_message(item, time.monotonic_ns()))
        if self._stop_requested and not self._stopped.is_set():
            self._stopped.set()
            self._execute(self._scheduler.stop())
        if not received and not self._scheduler.finished:
            with self._wake_up:
                self._wake_up.wait(0.02)
        if time.monotonic() - self._last_status_s >= HEARTBEAT_S:
            self._last_status_s = time.monotonic()
            self._console.show(StatusReport(self._scheduler.status(time.monotonic_ns()), 0))

    def _execute(self, orders: list[Outgoing]) -> None:
        for _, name, item in orders:
            if isinstance(item, PictureRequest):
                self._credit[name] = 1
            elif isinstance(item, Frame):
                self._credit[name] = 0
                for segmented in self._segment(item):
                    self._deliver(segmented)
                self._execute(self._scheduler.on_worker_ready(_WORKER, time.monotonic_ns()))
            elif not isinstance(item, EndOfRun):
                self._deliver(item)

    def _on_demand_changed(self, item: DemandChanged) -> None:
        self._execute(self._scheduler.on_demand_changed(item))

    def _deliver(self, item: composite.CompositeInput | Dropped) -> None:
        for due in [item] if isinstance(item, LateMasks) else self._resequencer.push(item):
            for output in self._composite(due):
                self._write(output)

    def _write(self, output: Output | Dropped) -> None:
        if isinstance(output, Dropped):
            self._execute(self._scheduler.on_frame_failed(output, time.monotonic_ns()))
            return
        self._outputs.write(output)
        self._demand.on_output(output)
        if isinstance(output, CompositedFrame):
            self._execute(self._scheduler.on_ack(composite.make_ack(output), time.monotonic_ns()))
