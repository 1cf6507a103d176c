"""A video behind the person: asked for a moment, it shows its picture of then, started over at its end."""

from __future__ import annotations

from collections.abc import Iterator

from clothseg.tryon import BackgroundVideo, Clip
from stream.message import Picture, Pixels
from stream.settings.config import Camera
from stream.sources import open_source


def open_clip(settings: BackgroundVideo) -> Clip:
    """Open the file of a background; SourceError where it cannot be read."""
    return _Loop(Camera(source=str(settings.video), mode="file")).at


class _Loop:
    """Reads forward only, so asking for rising times is cheap; at the file's end it is opened again."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._pictures: Iterator[Picture] = iter(open_source(camera))
        self._shown = next(self._pictures)
        self._begun_ns = self._shown.pts_ns
        self._asked_ns: int | None = None

    def at(self, pts_ns: int) -> Pixels:
        """The picture (H, W, 3) uint8 BGR of the moment `pts_ns` of the camera in front of it."""
        if self._asked_ns is None or pts_ns < self._asked_ns:
            self._begun_ns = self._shown.pts_ns
            self._asked_ns = pts_ns
        while self._shown.pts_ns - self._begun_ns < pts_ns - self._asked_ns:
            following = next(self._pictures, None)
            if following is None:
                self._pictures = iter(open_source(self._camera))
                following = next(self._pictures)
                self._begun_ns, self._asked_ns = following.pts_ns, pts_ns
            self._shown = following
        return self._shown.pixels
