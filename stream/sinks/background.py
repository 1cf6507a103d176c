"""Lets an output work beside the pipeline: what it is given waits in a short queue, and nothing is lost."""

from __future__ import annotations

import threading

from stream.message import Output
from stream.sinks.buffers import BoundedBuffer
from stream.stage import Sink


class BackgroundSink:
    """Writes to `sink` in a thread of its own, in order; what fails there is raised at the next write or the close."""

    def __init__(self, sink: Sink[Output]) -> None:
        self._sink = sink
        self.buffer = BoundedBuffer()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._serve, name="background sink", daemon=True)
        self._thread.start()

    def write(self, item: Output) -> None:
        """Queue a frame or event; blocks while the buffer is full."""
        self._raise_failure()
        self.buffer.put(item)

    def close(self) -> None:
        """Write what still waits, and finish the sink; may be called more than once."""
        self.buffer.close()
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
        try:
            while (item := self.buffer.take(None)) is not None:
                self._sink.write(item)
        except Exception as error:  # noqa: BLE001 (raised in the pipeline)
            self._failure = error
            self.buffer.fail()
