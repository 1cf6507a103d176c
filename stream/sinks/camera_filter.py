"""Keeps visitors' cameras away from an output: what is recorded or published is the run's own cameras only."""

from __future__ import annotations

from collections.abc import Collection

from stream.message import CompositedFrame, Output
from stream.stage import DemandAware, Sink


class CameraFilter:
    """Writes on to `sink` what is of one of `cameras`."""

    def __init__(self, sink: Sink[Output], cameras: Collection[str]) -> None:
        self._sink = sink
        self._cameras = frozenset(cameras)

    def write(self, item: Output) -> None:
        """Pass on a frame or event, unless it is a visitor's."""
        camera = item.frame.camera if isinstance(item, CompositedFrame) else item.camera
        if camera in self._cameras:
            self._sink.write(item)

    def wants(self, camera: str) -> bool:
        """Return whether the sink wants a camera of the run's own now."""
        return camera in self._cameras and (not isinstance(self._sink, DemandAware) or self._sink.wants(camera))

    def close(self) -> None:
        """Finish the sink."""
        self._sink.close()
