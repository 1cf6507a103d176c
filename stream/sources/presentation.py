"""Presentation of any source: mirrored, and in real time where it is played live."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import cv2

from stream.message import Mode, Picture
from stream.settings.config import Camera
from stream.sources import PictureSource


def mirrored(pictures: Iterable[Picture]) -> Iterator[Picture]:
    """The same pictures, left and right exchanged."""
    for picture in pictures:
        yield dataclasses.replace(picture, pixels=cv2.flip(picture.pixels, 1))


def paced(pictures: Iterable[Picture], now_ns: Callable[[], int], wait: Callable[[float], object]) -> Iterator[Picture]:
    """The same pictures, each held back until its time has come, and `captured` then, as from a camera.

    `wait(seconds)` may return early, on which the rest is given without delay.
    """
    offset_ns: int | None = None
    for picture in pictures:
        if offset_ns is None:
            offset_ns = now_ns() - picture.pts_ns
        due_ns = picture.pts_ns + offset_ns
        if (wait_ns := due_ns - now_ns()) > 0:
            wait(wait_ns / 1e9)
        yield dataclasses.replace(picture, captured_ns=now_ns())


class PresentedSource:
    """A source as its camera's settings want it shown; a `PictureSource` itself."""

    def __init__(self, source: PictureSource, camera: Camera) -> None:
        self._source = source
        self._camera = camera
        self._closed = threading.Event()

    @property
    def address(self) -> str:
        """The source's address, without secrets."""
        return self._source.address

    @property
    def mode(self) -> Mode:
        """The source's own default."""
        return self._source.mode

    @property
    def realtime(self) -> bool:
        """True if the source's own pictures come at the pace they were taken."""
        return self._source.realtime

    @property
    def rate_hz(self) -> float | None:
        """The nominal rate, where known."""
        return self._source.rate_hz

    @property
    def frames(self) -> int | None:
        """The number of pictures expected, where known."""
        return self._source.frames

    @property
    def skipped(self) -> int:
        """Number of damaged pictures skipped so far."""
        return self._source.skipped

    def __iter__(self) -> Iterator[Picture]:
        pictures: Iterable[Picture] = self._source
        if self._camera.mirror:
            pictures = mirrored(pictures)
        if (self._camera.mode or self.mode) == "live" and not self.realtime:
            pictures = paced(pictures, time.monotonic_ns, self._closed.wait)
        for picture in pictures:
            if self._closed.is_set():
                return
            yield picture

    def close(self) -> None:
        """Let go of the input, at once where it was only waiting for a picture's time to come."""
        self._closed.set()
        self._source.close()
