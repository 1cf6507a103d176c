"""A video behind the person: asked for a moment, it shows its picture of then, started over at its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from clothseg.tryon import VideoLookup
from stream.message import Picture, Pixels
from stream.sources import SourceError
from stream.sources.regular import open_film

log = logging.getLogger(__name__)

_MAX_PICTURES = 600
"""Read for one picture of the camera: after a long gap the video goes on from where it is instead."""


def open_background_video(path: Path) -> VideoLookup:
    """Open the file of a background, a regular file alone; SourceError where it cannot be read."""
    return _LoopedVideo(path).picture_at


class _LoopedVideo:
    """Reads forward only, so asking for rising times is cheap; at the file's end it is opened again.

    Where that fails in the middle of a run, the last picture stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pictures: Iterator[Picture] = iter(open_film(self._path))
        self._current = next(self._pictures)
        self._loop_start_ns = self._current.pts_ns
        self._loop_requested_ns: int | None = None
        self._broken = False

    def picture_at(self, pts_ns: int) -> Pixels:
        """The picture (H, W, 3) uint8 BGR of the moment `pts_ns` of the camera in front of it."""
        if self._loop_requested_ns is None or pts_ns < self._loop_requested_ns:
            self._set_out(pts_ns)
        assert self._loop_requested_ns is not None
        read = 0
        while not self._broken and self._current.pts_ns - self._loop_start_ns < pts_ns - self._loop_requested_ns:
            read += 1
            if read > _MAX_PICTURES:
                self._set_out(pts_ns)
                break
            try:
                self._go_on(pts_ns)
            except SourceError as error:
                self._broken = True
                log.warning("the video behind people stands still from now on: %s", error)
        return self._current.pixels

    def _set_out(self, pts_ns: int) -> None:
        """Take what is shown for the picture of the moment `pts_ns`."""
        self._loop_start_ns, self._loop_requested_ns = self._current.pts_ns, pts_ns

    def _go_on(self, pts_ns: int) -> None:
        """Show the next picture; after the last, the first again."""
        following = next(self._pictures, None)
        if following is not None:
            self._current = following
            return
        self._pictures = iter(open_film(self._path))
        self._current = next(self._pictures)
        self._set_out(pts_ns)
