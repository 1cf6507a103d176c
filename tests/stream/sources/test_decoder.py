"""What the decoder makes of packets that files rarely begin with."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import av
import pytest
from av import Packet, VideoFrame, VideoStream

from stream.message import Mode, Picture
from stream.sources.decoder import Decoder


def decoded(path: Path, mode: Mode, first_packet: int) -> tuple[list[Picture], list[bool]]:
    """The pictures of a file entered at a packet, and which of those packets are key frames."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert isinstance(stream, VideoStream)
        decoder = Decoder(stream, mode, "stream", 0)
        packets: list[Packet[VideoStream]] = [p for p in container.demux(stream) if p.size][first_packet:]
        pictures = [picture for index, packet in enumerate(packets) for picture in decoder.decode(packet, index)]
        return pictures, [packet.is_keyframe for packet in packets]


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_a_live_stream_entered_between_key_frames_starts_with_the_next(make_clip: Any, codec: str) -> None:
    """MPEG-4's decoder would show grey smears until then, H.264's holds back by itself."""
    options = {"g": "10", "bf": "0"}
    path = make_clip("gop.mkv", codec=codec, options=options, times_ms=range(0, 1200, 40))
    pictures, keys = decoded(path, "live", first_packet=3)
    key = keys.index(True)
    assert key > 0
    assert pictures[0].captured_ns == key
    assert pictures[0].pixels[-8:, -8:].mean() == pytest.approx(40 + 10 * (3 + key), abs=6)
    assert len(pictures) in (len(keys) - key, len(keys) - key - 1)  # the decoder may hold the last


def test_a_picture_carries_the_arrival_of_its_own_packet(make_clip: Any) -> None:
    """With B frames a picture is shown packets after its own came."""
    path = make_clip("b.mkv", options={"bf": "2", "b_strategy": "0", "g": "50"}, times_ms=range(0, 1200, 40))
    pictures, _ = decoded(path, "file", first_packet=0)
    with av.open(str(path)) as container:
        order = [p.pts for p in container.demux(video=0) if p.pts is not None]
    assert order != sorted(order)
    assert [p.captured_ns for p in pictures] == [order.index(p.pts_ns // 1_000_000) for p in pictures]


def frames_alive() -> int:
    return sum(type(held) is VideoFrame for held in gc.get_objects())  # isinstance would ask proxies of torch


def test_decoded_frames_do_not_wait_for_the_garbage_collector(make_clip: Any) -> None:
    """At 720p each that did would hold 1.4 MB, and hundreds of them did."""
    path = make_clip("long.mkv", options={"g": "50"}, times_ms=range(0, 1600, 40))
    gc.collect()
    others = frames_alive()  # those that the clip was made of
    gc.disable()
    try:
        pictures, keys = decoded(path, "live", first_packet=0)
        count = len(pictures)
        pictures.clear()  # they are the memory of the frames they were converted to
        left = frames_alive() - others
    finally:
        gc.enable()
    assert count > 30
    assert left <= sum(keys)
