"""A live output in a thread of its own: it gets the newest frame, is opened anew when it fails, and stalls nobody."""

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
from stream.sinks.latest import Newest
from stream.stage import Sink

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0
_POLL_S = 0.25
_PATIENCE_S = 1.0  # at the end, for an output that hangs


class Reconnecting:
    """Writes to whatever `open_sink` opens; that may block and fail with `SinkError` as often as it likes.

    It is opened when the first frame is there. `tell` is given a sentence when the output `name` is lost and
    when it is back, from another thread.
    """

    def __init__(self, name: str, open_sink: Callable[[], Sink[CompositedFrame]], tell: Callable[[str], None]) -> None:
        self._name = name
        self._open_sink = open_sink
        self._tell = tell
        self._waiting = Newest()
        self._closing = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def write(self, item: Output) -> None:
        """Leave a frame, in place of one that still waits."""
        if isinstance(item, CompositedFrame):
            self._waiting.put(item)

    def close(self) -> None:
        """Finish what was begun, for at most a second."""
        self._waiting.close()
        self._closing.set()
        self._thread.join(_PATIENCE_S)

    def _serve(self) -> None:
        for attempt in Retrying(
            retry=retry_if_exception_type(SinkError),
            wait=wait_exponential(FIRST_PAUSE_S, LONGEST_PAUSE_S) + wait_random(0, FIRST_PAUSE_S),
            stop=lambda _: self._closing.is_set(),
            sleep=sleep_using_event(self._closing),
            before_sleep=self._say_lost,
            retry_error_callback=lambda _: None,
        ):
            with attempt:
                self._carry()

    def _carry(self) -> None:
        """Write frames until there are no more, or the output fails."""
        frame = self._next()
        if frame is None:
            return
        sink = self._open_sink()
        try:
            while frame is not None:
                sink.write(frame)
                if self._lost:
                    self._lost = False
                    self._tell(f"{self._name} is back")
                frame = self._next()
        finally:
            sink.close()

    def _next(self) -> CompositedFrame | None:
        while not self._waiting.over:
            item = self._waiting.take(_POLL_S)
            if isinstance(item, CompositedFrame):
                return item
        return None

    def _say_lost(self, state: RetryCallState) -> None:
        if not self._lost:
            self._lost = True
            cause = state.outcome.exception() if state.outcome is not None else None
            self._tell(f"{self._name} is lost and tried again: {cause}")
