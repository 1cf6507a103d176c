"""A live output in a thread of its own: it gets the newest frame, reconnects when it fails, and blocks nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    wait_exponential,
    wait_random,
)

from stream.message import CompositedFrame, Output
from stream.sinks.error import SinkError
from stream.sinks.latest import LatestBuffer
from stream.stage import Sink

MIN_BACK_OFF_S, MAX_BACK_OFF_S = 0.1, 1.0
_POLL_S = 0.25
_CLOSE_TIMEOUT_S = 1.0  # at the end, for an output that hangs


class ReconnectingSink:
    """Writes to whatever `open_sink` opens; that may block and fail with `SinkError` as often as it likes.

    It is opened when the first frame is there. `notify` is given a sentence when the output `name` is lost and
    when it is back, from another thread.
    """

    def __init__(
        self, name: str, open_sink: Callable[[], Sink[CompositedFrame]], notify: Callable[[str], None]
    ) -> None:
        self._name = name
        self._open_sink = open_sink
        self._notify = notify
        self._buffer = LatestBuffer()
        self._closing = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def write(self, item: Output) -> None:
        """Leave a frame, in place of one that still waits."""
        if isinstance(item, CompositedFrame):
            self._buffer.put(item)

    def close(self) -> None:
        """Finish what was begun, for at most a second."""
        self._buffer.close()
        self._closing.set()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _serve(self) -> None:
        for attempt in Retrying(
            retry=retry_if_exception_type(SinkError),
            wait=wait_exponential(MIN_BACK_OFF_S, MAX_BACK_OFF_S) + wait_random(0, MIN_BACK_OFF_S),
            stop=lambda _: self._closing.is_set(),
            sleep=sleep_using_event(self._closing),
            before_sleep=self._report_lost,
            retry_error_callback=lambda _: None,
        ):
            with attempt:
                self._write_frames()

    def _write_frames(self) -> None:
        """Write frames until there are no more, or the output fails."""
        frame = self._next_frame()
        if frame is None:
            return
        sink = self._open_sink()
        try:
            while frame is not None:
                sink.write(frame)
                if self._lost:
                    self._lost = False
                    self._notify(f"{self._name} is back")
                frame = self._next_frame()
        finally:
            sink.close()

    def _next_frame(self) -> CompositedFrame | None:
        while not self._buffer.drained:
            item = self._buffer.take(_POLL_S)
            if isinstance(item, CompositedFrame):
                return item
        return None

    def _report_lost(self, state: RetryCallState) -> None:
        if not self._lost:
            self._lost = True
            cause = state.outcome.exception() if state.outcome is not None else None
            self._notify(f"{self._name} is lost, reconnecting: {cause}")
