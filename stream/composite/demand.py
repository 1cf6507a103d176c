"""Which cameras the outputs have a use for: told at each change, so that nothing is made that nobody looks at."""

from __future__ import annotations

from collections.abc import Callable

from stream.message import EndOfStream, Output, StreamStart, Watched
from stream.process.pipe import Patience
from stream.stage import Selective

_PATIENCE_S = 1.0  # without any use, before a camera rests: a subscriber that connects anew is not worth a stop


class Attention:
    """Follows a run's cameras and asks the outputs about each."""

    def __init__(self, outputs: Selective, tell: Callable[[Watched], None]) -> None:
        self._outputs = outputs
        self._tell = tell
        self._unwanted: dict[str, Patience | None] = {}
        self._resting: set[str] = set()

    def follow(self, item: Output) -> None:
        """Note a camera that begins or ends."""
        if isinstance(item, StreamStart):
            self._unwanted.setdefault(item.camera, None)
        elif isinstance(item, EndOfStream):
            self._unwanted.pop(item.camera, None)
            self._resting.discard(item.camera)

    def look(self) -> None:
        """Tell of every camera for which a use was found, or for which there has been none for a while."""
        for camera, patience in self._unwanted.items():
            if self._outputs.wants(camera):
                self._unwanted[camera] = None
                if camera in self._resting:
                    self._resting.discard(camera)
                    self._tell(Watched(camera, by_anyone=True))
            elif camera not in self._resting:
                running = self._unwanted[camera] = patience or Patience(_PATIENCE_S)
                if running.over():
                    self._resting.add(camera)
                    self._tell(Watched(camera, by_anyone=False))
