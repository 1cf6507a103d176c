"""Sources: one address in, an iterable of `Picture` out.

    clip.mp4, photo.jpg, folder/   files
    camera:0, /dev/video0          a camera device
    rtsp://, http://, srt://       a network stream
    synthetic:                     a drawn, moving figure

Each is a file here, and its scheme stands in the table below.
A source does not retry: it ends where its stream ends and raises `SourceError` where it fails;
its reader reopens it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

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


class SourceType(NamedTuple):
    """A kind of source: the module whose `open_source(camera, on_packet)` opens it, and how it runs by default.

    `file`: it has an end, after which its camera is over. `live`: after its end it is reopened.
    """

    module: str
    mode: Mode


_FILE: Final = SourceType("stream.sources.file", "file")
_DEVICE: Final = SourceType("stream.sources.camera", "live")
_NETWORK: Final = SourceType("stream.sources.network", "live")
_SCHEMES: Final[Mapping[str, SourceType]] = {
    "camera": _DEVICE,
    "": _DEVICE,  # without a scheme and no file: /dev/…
    "synthetic": SourceType("stream.sources.synthetic", "file"),
}
"""What opens an address by its scheme; any other is FFmpeg's to open, over the network."""


def _type_of(address: str) -> SourceType:
    return _FILE if local_path(address) is not None else _SCHEMES.get(scheme_of(address), _NETWORK)


def mode_of(camera: Camera) -> Mode:
    """Return a camera's mode before it is opened: its setting, else `live` unless it has an end."""
    return camera.mode or _type_of(camera.source).mode


def open_source(camera: Camera, on_packet: Callable[[], None] = lambda: None) -> PictureSource:
    """Open what `camera.source` names; raise `SourceError` saying what is wrong with which input.

    What is played `live` without coming in real time is paced by its timestamps, and `mirror` is
    applied, whatever the source is. `on_packet` is called whenever a network stream sends something, also while that
    makes no picture.
    """
    from stream.sources.presentation import PresentedSource

    module = importlib.import_module(_type_of(camera.source).module)
    source: PictureSource = module.open_source(camera, on_packet)
    in_time = (camera.mode or source.mode) == "file" or source.realtime
    return source if in_time and not camera.mirror else PresentedSource(source, camera)
