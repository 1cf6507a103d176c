"""Writes to several sinks; one that fails is closed and reported, the others go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stream.message import Output
from stream.stage import DemandAware, Sink, StreamError


class Tee:
    """One sink made of several, by name. `on_failure(name, sentence)` is called once for each that failed.

    Only a `StreamError` (a full disk, a lost screen) is survived: any other is a mistake in the program
    and is raised.
    """

    def __init__(self, sinks: Mapping[str, Sink[Output]], on_failure: Callable[[str, str], None]) -> None:
        self._sinks = dict(sinks)
        self._on_failure = on_failure

    @property
    def open_sinks(self) -> tuple[str, ...]:
        """The names of the sinks that still take what is written."""
        return tuple(self._sinks)

    def wants(self, camera: str) -> bool:
        """Return whether any open sink wants a camera's frames now."""
        return any(not isinstance(sink, DemandAware) or sink.wants(camera) for sink in self._sinks.values())

    def write(self, item: Output) -> None:
        """Hand `item` to every sink that works."""
        for name, sink in tuple(self._sinks.items()):
            try:
                sink.write(item)
            except StreamError as error:
                del self._sinks[name]
                self._on_failure(name, str(error))
                self._close(name, sink)

    def close(self) -> None:
        """Finish them all, also those after one that cannot be finished."""
        while self._sinks:
            name, sink = self._sinks.popitem()
            self._close(name, sink)

    def _close(self, name: str, sink: Sink[Output]) -> None:
        try:
            sink.close()
        except StreamError as error:
            self._on_failure(name, str(error))
