"""Each patch of aiortc does what it should, and aiortc alone still has the fault: once it has not, drop the patch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from aiortc import rtcrtpreceiver
from aiortc.codecs import vpx
from aiortc.jitterbuffer import JitterBuffer

from stream.web import compat
from stream.web.reassembly import MarkerJitterBuffer
from tests.stream.web.test_reassembly import packet

PROGRAM = """
from aiortc.codecs import h264, vpx
for encoder in (vpx.Vp8Encoder(), h264.H264Encoder()):
    encoder.target_bitrate = 4_000_000
    print(encoder.target_bitrate)
"""


def bitrates(program: str) -> list[int]:
    """What a program prints in a process of its own, where nothing is patched yet."""
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return [int(line) for line in made.stdout.split()]


def test_aiortc_alone_offers_less_than_four_megabits() -> None:
    assert all(bitrate < 4_000_000 for bitrate in bitrates(PROGRAM))


def test_patched_it_offers_four() -> None:
    patch = "from stream.web.compat import patch_aiortc; patch_aiortc(4_000_000)"
    assert bitrates(patch + PROGRAM) == [4_000_000, 4_000_000]


@pytest.mark.parametrize(("buffer", "waits"), [(JitterBuffer, True), (MarkerJitterBuffer, False)])
def test_aiortc_alone_holds_a_whole_picture_until_the_next(buffer: type[JitterBuffer], waits: bool) -> None:
    assert (buffer(16, is_video=True).add(packet(1, 1, "a", last=True))[1] is None) is waits


def test_patched_it_gives_a_picture_with_its_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtcrtpreceiver, "JitterBuffer", JitterBuffer)
    compat.patch_aiortc(4_000_000)
    receiver = rtcrtpreceiver.RTCRtpReceiver.__init__
    assert receiver.__globals__["JitterBuffer"] is MarkerJitterBuffer


def test_an_aiortc_that_would_not_heed_a_patch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(vpx, "MAX_BITRATE")
    with pytest.raises(RuntimeError, match=r"expected aiortc\.codecs\.vpx\.MAX_BITRATE"):
        compat.patch_aiortc(4_000_000)
