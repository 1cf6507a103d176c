"""All stages in one process: the same stages and supervisor as in several, as threads whose links lie in memory."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue

from stream.composite.control import endpoint_of
from stream.process import signals
from stream.process.pipe import SupervisorPipe, run_stage
from stream.run.console import Console
from stream.run.outcome import Outcome
from stream.run.processes import COMPOSITE, STAGES, ProcessType
from stream.run.supervisor import Supervisor
from stream.settings.config import Run
from stream.stage import StreamError
from stream.transport.endpoints import Endpoints, in_memory


def run_inline(settings: Run, console: Console) -> Outcome:
    """Run until the streams end or a signal comes."""
    try:
        endpoints = in_memory(endpoint_of(settings.control) if settings.control is not None else "")
    except StreamError as error:
        return Outcome(failure=str(error))
    threads = _Threads(settings, endpoints)
    supervisor = Supervisor(settings, endpoints, STAGES, console, threads.launch)
    signals.on_stop_signals(supervisor.on_signal)
    with ThreadPoolExecutor(1, "supervisor") as executor:
        outcome = executor.submit(supervisor.run)
        outcome.add_done_callback(lambda _: threads.stop())
        threads.run_composite()
        return outcome.result()


class _Threads:
    """Begins each stage as a thread; composite in the one that waits for it, the only one that may open a window."""

    def __init__(self, settings: Run, endpoints: Endpoints) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._numbers = itertools.count()
        self._composite: SimpleQueue[_StageThread | None] = SimpleQueue()

    def launch(self, process: ProcessType, name: str, end: Connection) -> _StageThread:
        """Begin a stage: a `Launch`."""
        supervisor = SupervisorPipe(end, f"{name}.{next(self._numbers)}")
        serve = partial(run_stage, process.module, name, self._settings, self._endpoints)
        stage = _StageThread(serve, supervisor, end)
        if process is COMPOSITE:
            self._composite.put(stage)
        else:
            threading.Thread(target=stage.run, name=name).start()  # no daemon: the network must not outlive Python
        return stage

    def run_composite(self) -> None:
        """Run composite in this thread, once it is begun."""
        stage = self._composite.get()
        if stage is not None:
            stage.run()

    def stop(self) -> None:
        """Begin nothing any more: whoever waits for composite is let go."""
        self._composite.put(None)


class _StageThread:
    can_kill = False
    sentinel: int | None = None  # the pipe breaks at its end

    def __init__(self, serve: Callable[[SupervisorPipe], int], supervisor: SupervisorPipe, end: Connection) -> None:
        self.identity = supervisor.identity
        self.exit_code: int | None = None
        self._serve = serve
        self._supervisor = supervisor
        self._end = end
        self._ended = threading.Event()

    def run(self) -> None:
        self.exit_code = self._serve(self._supervisor)
        self._ended.set()
        self._end.close()

    def kill(self) -> None:
        """Ask it to end: a thread cannot be killed."""
        self._supervisor.stopping = True
        self._ended.wait(1)
