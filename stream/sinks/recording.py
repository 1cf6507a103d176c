"""Records each camera into a file of its own, in the format its ending names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stream.config import Recording
from stream.message import CompositedFrame, EndOfStream, Output, Pixels
from stream.sinks.error import SinkError
from stream.sinks.formats import Format, Shows, format_of
from stream.sinks.movie import Movie


def check(settings: Recording, cameras: Sequence[str]) -> None:
    """Refuse a recording that could not work, before anything starts; make its folder where it is missing."""
    format_of(settings.path)
    if len(cameras) > 1 and "{camera}" not in str(settings.path):
        raise SinkError(
            f"{len(cameras)} cameras cannot share a recording: write {{camera}} into the name {settings.path}"
        )
    for camera in cameras or ("camera",):
        _expect_writable(path_for(settings, camera))


def path_for(settings: Recording, camera: str) -> Path:
    """Where `camera` is recorded."""
    return Path(str(settings.path).replace("{camera}", camera)).expanduser()


def _expect_writable(path: Path) -> None:
    was_there = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        if not was_there:
            path.unlink()
    except OSError as error:
        raise SinkError(f"cannot record to {path}: {os.strerror(error.errno or 0)}") from None


def shown(frame: CompositedFrame, shows: Shows) -> Pixels:
    """The picture of `frame` that a format shows."""
    return frame.cutout if shows == "cutout" else frame.composite


class RecordingSink:
    """A movie for each camera, begun with its first frame and finished with its stream.

    During an outage nothing is written: the last picture stands until the next. A camera whose stream
    ended and that comes again is recorded into a further file (`name-2.mp4`), never over the first.
    """

    def __init__(self, settings: Recording, cameras: Sequence[str]) -> None:
        check(settings, cameras)
        self._settings = settings
        self._form: Format = format_of(settings.path)
        self._movies: dict[str, _Take] = {}
        self._takes: dict[str, int] = {}

    def write(self, item: Output) -> None:
        """Record a frame, or finish the file of a camera whose stream has ended."""
        if isinstance(item, CompositedFrame):
            camera = item.frame.camera
            pixels = shown(item, self._form.shows)
            if camera not in self._movies:
                self._movies[camera] = _Take(self._begun(camera, pixels))
            self._movies[camera].write(pixels, item.frame.picture.pts_ns, item.frame.epoch)
        elif isinstance(item, EndOfStream) and (take := self._movies.pop(item.camera, None)):
            take.close()

    def close(self) -> None:
        """Finish every file; the first failure is raised after all were tried."""
        failures = []
        while self._movies:
            try:
                self._movies.popitem()[1].close()
            except SinkError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _begun(self, camera: str, pixels: Pixels) -> Movie:
        take = self._takes[camera] = self._takes.get(camera, 0) + 1
        path = path_for(self._settings, camera)
        if take > 1:
            path = path.with_stem(f"{path.stem}-{take}")
        return Movie(path, self._form, *pixels.shape[:2])


class _Take:
    """A movie and its camera's time line: a new epoch whose clock starts lower goes on after the last."""

    def __init__(self, movie: Movie) -> None:
        self._movie = movie
        self._epoch: int | None = None
        self._last_ns = 0
        self._offset_ns = 0

    def write(self, pixels: Pixels, pts_ns: int, epoch: int) -> None:
        if self._epoch is not None and epoch != self._epoch and pts_ns + self._offset_ns <= self._last_ns:
            self._offset_ns = self._last_ns + 1_000_000 - pts_ns
        self._epoch = epoch
        self._last_ns = pts_ns + self._offset_ns
        self._movie.write(pixels, self._last_ns)

    def close(self) -> None:
        self._movie.close()
