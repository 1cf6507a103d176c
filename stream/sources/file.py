"""Video files: anything FFmpeg opens, with the timestamps it was made with."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer

from stream.media.address import readable, redact
from stream.sources.container import FAILURES, ContainerSource, reason
from stream.sources.decoder import BOUNDS
from stream.sources.error import SourceError


def open_file(path: Path) -> ContainerSource:
    """Open a video file, or the pictures that one of FFmpeg's patterns means (`shot-%04d.png`)."""
    address = redact(readable(path))
    if not path.exists() and "%" not in path.name:
        raise SourceError(f"there is no file {address}")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{address} is empty")
    try:
        container = open_local(path)
    except FAILURES as error:
        raise SourceError(f"{address} cannot be read as a video: {reason(error)}") from None
    return ContainerSource(container, address, mode="file", realtime=False)


def open_local(path: Path) -> InputContainer:
    """What FFmpeg makes of `path`: no part of a name is taken for a protocol, of one that exists none for a pattern."""
    options = BOUNDS | ({"pattern_type": "none"} if path.exists() else {})
    return av.open(f"file:{path}", "r", options=options, metadata_errors="replace")
