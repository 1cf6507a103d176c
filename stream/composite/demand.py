"""Demand: which cameras any output wants, reported at each change, so that unwatched frames cost nothing."""

from __future__ import annotations

from collections.abc import Callable

from stream.message import DemandChanged, EndOfStream, Output, StreamStart
from stream.process.pipe import LazyTimeout
from stream.stage import DemandAware

_IDLE_AFTER_S = 1.0  # without any use, before a camera rests: a subscriber that connects anew is not worth a stop


class DemandTracker:
    """Follows a run's cameras and asks the outputs about each."""

    def __init__(self, outputs: DemandAware, notify: Callable[[DemandChanged], None]) -> None:
        self._outputs = outputs
        self._notify = notify
        self._unwanted_since: dict[str, LazyTimeout | None] = {}
        self._idle: set[str] = set()

    def on_output(self, item: Output) -> None:
        """Track a camera that starts or ends."""
        if isinstance(item, StreamStart):
            self._unwanted_since.setdefault(item.camera, None)
        elif isinstance(item, EndOfStream):
            self._unwanted_since.pop(item.camera, None)
            self._idle.discard(item.camera)

    def poll(self) -> None:
        """Report every camera that became wanted, or has not been wanted for a while."""
        for camera, timeout in self._unwanted_since.items():
            if self._outputs.wants(camera):
                self._unwanted_since[camera] = None
                if camera in self._idle:
                    self._idle.discard(camera)
                    self._notify(DemandChanged(camera, watched=True))
            elif camera not in self._idle:
                running = self._unwanted_since[camera] = timeout or LazyTimeout(_IDLE_AFTER_S)
                if running.expired():
                    self._idle.add(camera)
                    self._notify(DemandChanged(camera, watched=False))
