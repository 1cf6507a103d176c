"""Photos, and folders of them in the order a person would count them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from stream.media.address import readable, redact
from stream.message import Mode, Picture
from stream.sources.error import SourceError
from stream.sources.photo import read_photo

PHOTO_SUFFIXES = frozenset(
    f".{name}"
    for names in ("jpg jpeg jfif jp2 jxl png webp avif heic", "bmp tif tiff tga qoi ppm pgm pbm exr")
    for name in names.split()
)
DEFAULT_RATE_HZ = 25.0


def is_photo(path: Path) -> bool:
    """Return whether `path` is one photo or a folder (which is taken for a folder of photos)."""
    pattern = "%" in path.name and not path.exists()
    return path.is_dir() or (path.suffix.lower() in PHOTO_SUFFIXES and not pattern)


def natural_order(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Sorting key by which `shot9.jpg` comes before `shot10.jpg`."""
    pieces = re.split(r"(\d+)", path.name.casefold())
    return tuple((0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece)


def open_images(path: Path, rate_hz: float | None = None) -> ImageSource:
    """Open a photo, or the photos of a folder; files that are not photos by their ending are left out.

    `rate_hz` is how many are shown a second, 25 where None.
    """
    address = redact(readable(path))
    if not path.exists():
        raise SourceError(f"there is no file {address}")
    paths = [path]
    if path.is_dir():
        visible = (entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
        paths = [entry for entry in visible if is_photo(entry)]
    if not paths:
        raise SourceError(f"there is no photo in the folder {address}")
    return ImageSource(address, sorted(paths, key=natural_order), rate_hz or DEFAULT_RATE_HZ)


class ImageSource:
    """Photos as a film of `rate_hz` pictures a second; they may differ in size."""

    mode: Mode = "file"
    realtime = False
    skipped = 0

    def __init__(self, address: str, paths: list[Path], rate_hz: float) -> None:
        self.address = address
        self.rate_hz: float | None = rate_hz
        self.frames: int | None = len(paths)
        self._step_ns = 1e9 / rate_hz
        self._paths = paths
        self._closed = False

    def __iter__(self) -> Iterator[Picture]:
        for index, path in enumerate(self._paths):
            if self._closed:
                return
            captured_ns = time.monotonic_ns()
            yield Picture(read_photo(path), round(index * self._step_ns), captured_ns)

    def close(self) -> None:
        """End after the photo being read."""
        self._closed = True
