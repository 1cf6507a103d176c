"""A visitor's photo: decoded, resized and cut out in a process of its own, which has a deadline and blocks nothing.

What comes back is a small PNG of 8 bits that every other process may read.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import cv2
import numpy as np

from clothseg.classes import USUAL
from clothseg.image_header import MAX_SCANS, read_image_header
from clothseg.tryon.asset import EffectError, decode_picture
from clothseg.tryon.garment import GARMENT_PX, garment_alpha, matte_clothing, measure_garment
from stream.web.page_protocol import PhotoUse
from stream.web.photo import PhotoError, to_png

MAX_BYTES = 3_000_000
MIN_SIDE_PX = 16
MAX_PX = 16_000_000
"""What a phone takes; the page itself sends less than a tenth of it."""
DEADLINE_S = 30.0
"""The network that cuts a garment out is compiled first."""
_BACKGROUND_PX = 1920
_NAME = Path("the photo")
_AT_ONCE = 2


def check(data: bytes) -> None:
    """Raise PhotoError for what is no photo of a few megapixels, by its header alone."""
    if len(data) > MAX_BYTES:
        raise PhotoError(f"expected a photo of at most {MAX_BYTES} bytes, got {len(data)}: choose another")
    header = read_image_header(data)
    if header is None:
        raise PhotoError("the photo is neither PNG nor JPEG: choose another")
    if header.height * header.width > MAX_PX or header.bits > 8:
        raise PhotoError(
            f"expected a photo of at most {MAX_PX} pixels of 8 bits, got {header.width}x{header.height} of "
            f"{header.bits} bits: choose another"
        )
    if min(header.height, header.width) < MIN_SIDE_PX:
        raise PhotoError(f"expected a photo of at least {MIN_SIDE_PX} pixels a side: choose another")
    if header.scans > MAX_SCANS:
        raise PhotoError(f"expected a JPEG of at most {MAX_SCANS} scans: save the photo anew")


class PhotoProcessor:
    """Develops the photos of all visitors, a few at once."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def process(self, data: bytes, use: PhotoUse) -> bytes:
        """The photo as a PNG, small, and for a garment with the garment's alpha; raises PhotoError."""
        check(data)
        async with self._free:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "stream.web.upload", use),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_surroundings(),
            )
            try:
                async with asyncio.timeout(self._deadline_s):
                    made, _ = await process.communicate(data)
            except TimeoutError:
                raise PhotoError("the photo takes too long to be read: choose another") from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode == 0:
            return made
        if process.returncode == _REJECTED:
            raise PhotoError(made.decode("utf-8", "replace"))
        raise PhotoError("the photo cannot be read: choose another")


_REJECTED = 3


def _surroundings() -> dict[str, str]:
    """Return the child's environment: where modules are found, and the decoder's own bound, read at import."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(place for place in sys.path if place),
        "OPENCV_IO_MAX_IMAGE_PIXELS": str(MAX_PX),
    }


def process_photo(data: bytes, use: PhotoUse) -> bytes:
    """Make the result of `PhotoProcessor.process`; raises EffectError."""
    longest_px = _BACKGROUND_PX if use == "background" else GARMENT_PX
    picture = decode_picture(data, str(_NAME), longest_px, MAX_PX)
    if use == "background":
        return to_png(np.asarray(picture[:, :, :3], np.uint8))
    picture[:, :, 3] = garment_alpha(picture, matte_clothing)
    picture[0, 0, 3] = 0  # cut out it is, whatever was found: it is not done again
    colour = np.ascontiguousarray(picture[:, :, :3])
    measure_garment(colour, np.ascontiguousarray(picture[:, :, 3]), use, USUAL.region(use) or "upper", _NAME)
    return to_png(picture)


def main() -> int:
    """Read a photo from standard input, write the PNG, or why there is none, to standard output."""
    import resource
    import signal

    signal.alarm(round(DEADLINE_S) + 5)  # the visitor may be gone
    resource.setrlimit(resource.RLIMIT_CPU, (2 * round(DEADLINE_S),) * 2)
    os.nice(5)  # the pictures that are live come first
    cv2.setNumThreads(1)
    try:
        made, code = process_photo(sys.stdin.buffer.read(MAX_BYTES + 1), sys.argv[1]), 0
    except EffectError as error:
        made, code = str(error).encode(), _REJECTED
    sys.stdout.buffer.write(made)
    return code


if __name__ == "__main__":
    sys.exit(main())
