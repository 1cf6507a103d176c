"""What is replaced within aiortc, which offers no setting for it. `tests/stream/web/test_compat.py` says when to stop.

* Bitrate: the bounds are constants of the modules of its codecs (github.com/aiortc/aiortc, issues 402 and 980).
* Jitter buffer: a picture leaves it when the next one begins (no issue upstream that we found; see `reassembly`).

Last looked at with aiortc 1.16; `pyproject.toml` holds it below 2.
"""

from __future__ import annotations

from types import ModuleType

from aiortc import rtcrtpreceiver
from aiortc.codecs import h264, vpx

from stream.web.reassembly import MarkerJitterBuffer


def patch_aiortc(max_bitrate_hz: int) -> None:
    """Let encoders use up to `max_bitrate_hz` bits a second, half at first, and pictures leave with their marker."""
    for codec in (vpx, h264):
        _replace(codec, "MAX_BITRATE", max_bitrate_hz)
        _replace(codec, "DEFAULT_BITRATE", max_bitrate_hz // 2)
    _replace(rtcrtpreceiver, "JitterBuffer", MarkerJitterBuffer)


def _replace(module: ModuleType, name: str, value: object) -> None:
    """Replace what a module holds under `name`; RuntimeError where it holds nothing there, and so would not heed it."""
    if name not in vars(module):
        raise RuntimeError(f"expected {module.__name__}.{name}, which this aiortc has not: install aiortc 1.16")
    vars(module)[name] = value
