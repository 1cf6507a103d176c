"""The error of sources."""

from __future__ import annotations

from stream.stage import StreamError


class SourceError(StreamError):
    """An input cannot be opened or read; the text is one sentence naming the input, without its secrets."""
