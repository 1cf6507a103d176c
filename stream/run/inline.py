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
from stream.composite.demand import Attention
from stream.composite.looks import Changes, waiting
from stream.composite.resequence import Resequencer
from stream.dispatch import dispatch
from stream.dispatch.scheduler import Order
from stream.message import CompositedFrame, Dropped, Finished, Frame, LateMasks, Next, Output, Watched
from stream.process import signals
from stream.process.pipe import BEAT_S, Notice, Report, SinkFailed, Status, StopWanted, sentence
from stream.run.console import Console
from stream.run.supervisor import Outcome
from stream.settings.config import Run

_WORKER = "inline.0"


def run_inline(settings: Run, console: Console) -> Outcome:
    """Run until the streams end or a signal comes."""
    run = _Inline(settings, console)
    signals.heed(run.on_signal)
    return run.run()


class _Inline:
    def __init__(self, settings: Run, console: Console) -> None:
        self._console = console
        self._outcome = Outcome()
        self._bell = threading.Condition()
        self._stopped = threading.Event()
        self._stop_wanted = False
        self._segment = inference.step(inference.load(settings.model))
        self._composite = composite.step(settings, console.log)
        self._changes: Changes = SimpleQueue()
        self._outputs = composite.open_outputs(settings, self._changes, self)
        self._resequencer = Resequencer()
        self._dispatcher = dispatch.dispatcher(settings)
        self._mailboxes = {name: Mailbox(self._bell) for name in settings.cameras}
        self._wanted = dict.fromkeys(settings.cameras, 0)
        self._readers = [
            threading.Thread(
                target=read, args=(name, camera, self._mailboxes[name], self._stopped), name=name, daemon=True
            )
            for name, camera in settings.cameras.items()
        ]
        self._attention = Attention(self._outputs, self._watch)
        self._told_s = 0.0

    def on_signal(self, number: int, _frame: object) -> None:
        self._outcome.stopped_by = self._outcome.stopped_by or number
        self._stop_wanted = True

    def report(self, item: Report) -> None:
        """What an output says, as a stage would say it to the launcher."""
        match item:
            case SinkFailed(text):
                self._outcome.sink_failures.append(text)
                self._console.log(text)
            case Notice(text):
                self._console.log(text)
            case StopWanted():
                self._stop_wanted = True

    def run(self) -> Outcome:
        for reader in self._readers:
            reader.start()
        self._carry_out(self._dispatcher.ready(_WORKER, time.monotonic_ns()))
        try:
            with self._console:
                while not self._dispatcher.finished:
                    self._turn()
        except Exception as error:  # noqa: BLE001 (told once, as a sentence)
            self._outcome.failure = sentence(error)
        finally:
            self._stopped.set()
            for mailbox in self._mailboxes.values():
                mailbox.close()
            self._outputs.close()
        self._outcome.failure = self._outcome.failure or self._dispatcher.failure
        self._outcome.status = Status(self._dispatcher.status(time.monotonic_ns()), 0)
        return self._outcome

    def _turn(self) -> None:
        """Hear every reader once; where none has anything, wait for one."""
        for change in waiting(self._changes):
            for output in self._composite(change):
                self._write(output)
        self._attention.look()
        heard = False
        for name, mailbox in self._mailboxes.items():
            item = mailbox.take(pictures=self._wanted[name])
            if item is not None:
                heard = True
                self._carry_out(self._dispatcher.hear(item, time.monotonic_ns()))
        if self._stop_wanted and not self._stopped.is_set():
            self._stopped.set()
            self._carry_out(self._dispatcher.stop())
        if not heard and not self._dispatcher.finished:
            with self._bell:
                self._bell.wait(0.02)
        if time.monotonic() - self._told_s >= BEAT_S:
            self._told_s = time.monotonic()
            self._console.show(Status(self._dispatcher.status(time.monotonic_ns()), 0))

    def _carry_out(self, orders: list[Order]) -> None:
        for _, name, item in orders:
            if isinstance(item, Next):
                self._wanted[name] = 1
            elif isinstance(item, Frame):
                self._wanted[name] = 0
                for segmented in self._segment(item):
                    self._deliver(segmented)
                self._carry_out(self._dispatcher.ready(_WORKER, time.monotonic_ns()))
            elif not isinstance(item, Finished):
                self._deliver(item)

    def _watch(self, item: Watched) -> None:
        self._carry_out(self._dispatcher.watch(item))

    def _deliver(self, item: composite.Arrival | Dropped) -> None:
        for due in [item] if isinstance(item, LateMasks) else self._resequencer.push(item):
            for output in self._composite(due):
                self._write(output)

    def _write(self, output: Output | Dropped) -> None:
        if isinstance(output, Dropped):
            self._carry_out(self._dispatcher.undrawn(output, time.monotonic_ns()))
            return
        self._outputs.write(output)
        self._attention.follow(output)
        if isinstance(output, CompositedFrame):
            self._carry_out(self._dispatcher.done(composite.done(output), time.monotonic_ns()))
