from __future__ import annotations

from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

from stream.web.reassembly import MarkerJitterBuffer


def packet(number: int, picture: int, data: str, last: bool) -> RtpPacket:
    made = RtpPacket(sequence_number=number % 65536, timestamp=3000 * picture, marker=int(last))
    made._data = data.encode()  # type: ignore[attr-defined]
    return made


def out(buffer: MarkerJitterBuffer, *packets: RtpPacket) -> list[bytes | None]:
    frames: list[JitterFrame | None] = [buffer.add(one)[1] for one in packets]
    return [None if frame is None else frame.data for frame in frames]


def test_a_picture_comes_with_its_last_packet() -> None:
    buffer = MarkerJitterBuffer(16, is_video=True)
    first = (packet(65534, 1, "a", False), packet(65535, 1, "b", False), packet(65536, 1, "c", True))
    assert out(buffer, *first, packet(65537, 2, "d", True)) == [None, None, b"abc", b"d"]


def test_packets_may_come_in_any_order() -> None:
    buffer = MarkerJitterBuffer(16, is_video=True)
    assert out(buffer, packet(1, 1, "a", True)) == [b"a"]
    late = (packet(4, 2, "d", True), packet(2, 2, "b", False), packet(3, 2, "c", False))
    assert out(buffer, *late) == [None, None, b"bcd"]


def test_a_picture_waits_for_the_packet_that_was_lost_and_the_next_for_it() -> None:
    buffer = MarkerJitterBuffer(16, is_video=True)
    arrivals = (packet(1, 1, "a", False), packet(3, 2, "c", True), packet(2, 1, "b", True), packet(4, 3, "d", True))
    assert out(buffer, *arrivals) == [None, None, b"ab", b"c"]
    assert out(buffer, packet(5, 4, "e", True)) == [b"d"]


def test_padding_holds_no_picture_back() -> None:
    buffer = MarkerJitterBuffer(16, is_video=True)
    assert out(buffer, packet(1, 1, "a", True), packet(2, 1, "", False), packet(3, 2, "b", True)) == [b"a", None, b"b"]
