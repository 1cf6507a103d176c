"""Lets an output work beside the pipeline: what it is given waits in a short queue, and nothing is lost."""

from __future__ import annotations

import threading
from queue import Queue
from typing import Final

from stream.message import Output
from stream.stage import Sink

_QUEUE_FRAMES: Final = 2  # frames that may wait; then the pipeline does


class BackgroundSink:
    """Writes to `sink` in a thread of its own, in order; what fails there is raised at the next write or the close."""

    def __init__(self, sink: Sink[Output]) -> None:
        self._sink = sink
        self._queue: Queue[Output | None] = Queue(_QUEUE_FRAMES)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._serve, name="beside", daemon=True)
        self._thread.start()

    def write(self, item: Output) -> None:
        """Queue a frame or event; blocks while the queue is full."""
        self._raise_failure()
        self._queue.put(item)

    def close(self) -> None:
        """Write what still waits, and finish the sink; may be called more than once."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        try:
            self._sink.close()
        finally:
            self._raise_failure()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _serve(self) -> None:
        failed = False
        while (item := self._queue.get()) is not None:
            # After a failure what still comes is dropped, so that nothing blocks for ever.
            if not failed:
                try:
                    self._sink.write(item)
                except Exception as error:  # noqa: BLE001 (raised in the pipeline)
                    self._failure, failed = error, True
