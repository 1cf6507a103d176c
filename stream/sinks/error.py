"""The error of sinks."""

from __future__ import annotations

from stream.stage import StreamError


class SinkError(StreamError):
    """An output cannot be opened or written; the text is one sentence naming the output."""
