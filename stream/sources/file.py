"""Video files: anything FFmpeg opens, with the timestamps it was made with."""

from __future__ import annotations

from pathlib import Path

import av

from stream.sources.container import FAILURES, ContainerSource, reason
from stream.sources.decoder import BOUNDS
from stream.sources.error import SourceError


def open_file(address: str) -> ContainerSource:
    """Open a video file (or an FFmpeg pattern such as `shot-%04d.png`)."""
    path = Path(address)
    if not path.exists() and "%" not in address:
        raise SourceError(f"there is no file {address}")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{address} is empty")
    try:
        container = av.open(address, "r", options=BOUNDS, metadata_errors="replace")
    except FAILURES as error:
        raise SourceError(f"{address} cannot be read as a video: {reason(error)}") from None
    return ContainerSource(container, address, mode="file", realtime=False)
