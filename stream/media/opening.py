"""Opening files with FFmpeg: bounds, options, and the reason where it fails."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer

from stream.bounds import MAX_PIXELS
from stream.media.address import reveals

BOUNDS = {"max_pixels": str(MAX_PIXELS)}
"""Options for opening and decoding: FFmpeg rejects a larger picture before taking memory for it."""
AV_ERRORS = (av.FFmpegError, OSError, ValueError)
"""What PyAV raises when an input or output is not what it should be; its own errors are not all `OSError`."""


def open_local(path: Path) -> InputContainer:
    """Open `path` with FFmpeg: no part of a name is taken for a protocol, none of an existing file for a pattern."""
    options = BOUNDS | ({"pattern_type": "none"} if path.exists() else {})
    return av.open(f"file:{path}", "r", options=options, metadata_errors="replace")


def ffmpeg_reason(error: Exception, address: str = "") -> str:
    """Return FFmpeg's reason for an error at `address`, without its secrets."""
    words: str = getattr(error, "strerror", None) or str(error)
    return type(error).__name__ if not words or reveals(words, address) else words
