"""A video in one regular file: what others may name, so neither device nor pipe nor URL, nor a list of those."""

from __future__ import annotations

import weakref
from pathlib import Path

import av

from clothseg.regular import open_regular
from stream.media.opening import AV_ERRORS, BOUNDS, ffmpeg_reason
from stream.sources.container import ContainerSource
from stream.sources.error import SourceError

_NOTHING_ELSE = {"protocol_whitelist": "none"}
"""What a playlist names is opened by no protocol at all; the file itself is read by us."""


def open_film(path: Path) -> ContainerSource:
    """Open the video in the regular file at `path`; SourceError where it is none, or holds no video."""
    try:
        file = open_regular(path)
    except OSError as error:
        raise SourceError(f"cannot open {path}: {error.strerror}") from None
    try:
        container = av.open(file, "r", options=BOUNDS | _NOTHING_ELSE, metadata_errors="replace")
    except AV_ERRORS as error:
        file.close()
        raise SourceError(f"{path} cannot be read as a video: {ffmpeg_reason(error)}") from None
    source = ContainerSource(container, str(path), mode="file", realtime=False, release=file.close)
    weakref.finalize(source, file.close)  # effects are dropped, not closed
    return source
