"""Standard error, written to by a thread: no run waits for a terminal that stands still or ends for a full disk."""

from __future__ import annotations

import os
import threading
from typing import TextIO

_MOST_UNWRITTEN = 1000  # pieces that wait; what comes after is dropped
_FLUSH_S = 0.2
_LAST_S = 5.0  # for the last words, where somebody reads slowly


class Log:
    """A text file for `rich`. What cannot be written, or not soon, is dropped; nobody waits and nothing is raised."""

    def __init__(self, stream: TextIO | None) -> None:
        """`stream` is standard error, None where a run was started without."""
        self._stream = stream
        self._news = threading.Condition()
        self._unwritten: list[str] = []
        self._writing = False
        self._stands_still = False
        if stream is not None:
            threading.Thread(target=self._write_on, name="log", daemon=True).start()

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> int:
        """Leave a piece of text to be written."""
        with self._news:
            if self._stream is not None and len(self._unwritten) < _MOST_UNWRITTEN:
                self._unwritten.append(text)
                self._news.notify_all()
        return len(text)

    def flush(self) -> None:
        """Wait a moment until all is written, unless it stands still already."""
        if not self._stands_still:
            self._stands_still = not self._wait(_FLUSH_S)

    def close(self) -> None:
        """Wait for the last words, but not for ever."""
        self._wait(_LAST_S)

    def _wait(self, timeout_s: float) -> bool:
        with self._news:
            return self._news.wait_for(lambda: not self._unwritten and not self._writing, timeout_s)

    def _write_on(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: bool(self._unwritten))
                text, self._writing = "".join(self._unwritten), True
                self._unwritten.clear()
            try:
                self._put(text)
            except (OSError, ValueError):  # a full disk, a pipe without a reader, a stream that was closed
                continue
            finally:
                with self._news:
                    self._writing = self._stands_still = False
                    self._news.notify_all()

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
