"""Standard error, written to by a thread: no run waits for a terminal that stands still or ends for a full disk."""

from __future__ import annotations

import os
import threading
from typing import TextIO

_MAX_UNWRITTEN = 1000  # pieces that wait; what comes after is dropped
_FLUSH_S = 0.2
_CLOSE_TIMEOUT_S = 5.0  # for the last lines, where the reader is slow


class Log:
    """A text file for `rich`. What cannot be written, or not soon, is dropped; it never blocks and never raises."""

    def __init__(self, stream: TextIO | None) -> None:
        """`stream` is standard error, None where a run was started without."""
        self._stream = stream
        self._changed = threading.Condition()
        self._unwritten: list[str] = []
        self._writer_thread = False
        self._stalled = False
        if stream is not None:
            threading.Thread(target=self._write_on, name="log", daemon=True).start()

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> int:
        """Leave a piece of text to be written."""
        with self._changed:
            if self._stream is not None and len(self._unwritten) < _MAX_UNWRITTEN:
                self._unwritten.append(text)
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Wait a moment until all is written, unless it stands still already."""
        if not self._stalled:
            self._stalled = not self._wait(_FLUSH_S)

    def close(self) -> None:
        """Wait for the last words, but not for ever."""
        self._wait(_CLOSE_TIMEOUT_S)

    def _wait(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._unwritten and not self._writer_thread, timeout_s)

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._unwritten))
                text, self._writer_thread = "".join(self._unwritten), True
                self._unwritten.clear()
            try:
                self._put(text)
            except (OSError, ValueError):  # a full disk, a pipe without a reader, a stream that was closed
                continue
            finally:
                with self._changed:
                    self._writer_thread = self._stalled = False
                    self._changed.notify_all()

    def _put(self, text: str) -> None:
        """Write past the stream's own buffer: what stayed there would fail once more as Python ends, with code 120."""
        assert self._stream is not None
        try:
            descriptor = self._stream.fileno()
        except OSError:  # a stream in memory
            self._stream.write(text)
            return
        data = memoryview(text.encode(self.encoding, "backslashreplace"))
        while data:
            data = data[os.write(descriptor, data) :]
