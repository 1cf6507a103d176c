"""Takes everything and keeps nothing: for measuring."""

from __future__ import annotations

from stream.message import Output


class NullSink:
    """A sink without a bottom."""

    def write(self, item: Output) -> None:
        """Take `item`."""

    def close(self) -> None:
        """Nothing to finish."""
