"""Takes everything and keeps nothing: for measuring."""

from __future__ import annotations

from typing import Final

from stream.message import Output
from stream.settings.config import Null
from stream.sinks.registry import SinkType


class NullSink:
    """A sink without a bottom."""

    def write(self, item: Output) -> None:
        """Take `item`."""

    def close(self) -> None:
        """Nothing to finish."""


SINK: Final[SinkType[Null]] = SinkType(
    name=lambda settings: "null",
    open=lambda settings, context: NullSink(),
    takes="direct",
)
