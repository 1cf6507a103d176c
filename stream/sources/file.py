"""Files: photos, and videos, which is anything FFmpeg opens, with the timestamps it was made with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stream.media.address import local_path, readable, redact
from stream.media.opening import AV_ERRORS, ffmpeg_reason, open_local
from stream.settings.config import Camera
from stream.sources.container import ContainerSource
from stream.sources.error import SourceError
from stream.sources.images import ImageSource, is_photo, open_images


def open_source(camera: Camera, on_packet: Callable[[], None]) -> ContainerSource | ImageSource:
    """Open a video, a photo or a folder of photos."""
    path = local_path(camera.source) or Path(camera.source)
    return open_images(path, camera.rate_hz) if is_photo(path) else open_video(path)


def open_video(path: Path) -> ContainerSource:
    """Open a video file, or the pictures that one of FFmpeg's patterns means (`shot-%04d.png`)."""
    address = redact(readable(path))
    if not path.exists() and "%" not in path.name:
        raise SourceError(f"there is no file {address}")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{address} is empty")
    try:
        container = open_local(path)
    except AV_ERRORS as error:
        raise SourceError(f"{address} cannot be read as a video: {ffmpeg_reason(error)}") from None
    return ContainerSource(container, address, mode="file", realtime=False)
