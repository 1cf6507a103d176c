"""Sources: one address in, an iterable of `Picture` out.

    camera:0, /dev/video0      a camera device            stream.sources.camera
    rtsp://, http://, srt://   a network stream           stream.sources.network
    clip.mp4                   a video file               stream.sources.file
    photo.jpg, folder/         photos                     stream.sources.images
    synthetic:                 a drawn, moving figure     stream.sources.synthetic

A source does not retry: it ends where its stream ends and raises `SourceError` where it fails;
its reader reopens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from stream.media.address import local_path, redact, scheme_of
from stream.message import Mode, Picture
from stream.settings.config import Camera
from stream.sources.error import SourceError

__all__ = ["PictureSource", "SourceError", "mode_of", "open_source", "redact"]


class PictureSource(Protocol):
    """An opened input. Iterate it once; `close` may be called at any time, also from another thread.

    `address` is where it comes from, without secrets; `mode` its own default; `realtime` whether its
    pictures come at the pace they were taken; `rate_hz` the nominal rate and `frames` the number
    expected, where known; `skipped` counts damaged pictures left out.
    """

    @property
    def address(self) -> str: ...

    @property
    def mode(self) -> Mode: ...

    @property
    def realtime(self) -> bool: ...

    @property
    def rate_hz(self) -> float | None: ...

    @property
    def frames(self) -> int | None: ...

    @property
    def skipped(self) -> int: ...

    def __iter__(self) -> Iterator[Picture]: ...

    def close(self) -> None: ...


def mode_of(camera: Camera) -> Mode:
    """Return a camera's mode before it is opened: its setting, else `live` unless it has an end."""
    if camera.mode is not None:
        return camera.mode
    ends = local_path(camera.source) is not None or scheme_of(camera.source) == "synthetic"
    return "file" if ends else "live"


def open_source(camera: Camera, on_packet: Callable[[], None] = lambda: None) -> PictureSource:
    """Open what `camera.source` names; raise `SourceError` saying what is wrong with which input.

    What is played `live` without coming in real time is paced by its timestamps, and `mirror` is
    applied, whatever the source is. `on_packet` is called whenever a network stream sends something, also while that
    makes no picture.
    """
    from stream.sources.presentation import PresentedSource

    source = _opened(camera, on_packet)
    in_time = (camera.mode or source.mode) == "file" or source.realtime
    return source if in_time and not camera.mirror else PresentedSource(source, camera)


def _opened(camera: Camera, on_packet: Callable[[], None]) -> PictureSource:
    if (path := local_path(camera.source)) is not None:
        from stream.sources.file import open_file
        from stream.sources.images import is_photo, open_images

        return open_images(path, camera.rate_hz) if is_photo(path) else open_file(path)
    match scheme_of(camera.source):
        case "camera" | "":  # without a scheme and no file: /dev/…
            from stream.sources.camera import open_camera

            return open_camera(camera)
        case "synthetic":
            from stream.sources.synthetic import open_synthetic

            return open_synthetic(camera)
        case _:
            from stream.sources.network import open_network

            return open_network(camera, on_packet)
