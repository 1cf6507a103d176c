"""Puts a picture together from its RTP packets and hands it out with the last of them.

aiortc's own buffer does so when the first packet of the *next* picture arrives: one interval later, and never where the
page waits for this picture's result before it sends the next.
"""

from __future__ import annotations

from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket


class MarkerJitterBuffer(JitterBuffer):
    """A jitter buffer that knows the last packet of a picture by its marker (RFC 3550, 5.1)."""

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take in a packet: whether a new key frame must be asked for, and the picture that is complete."""
        lost, frame = super().add(packet)
        return lost, frame if frame is not None and frame.data else self._completed_frame()

    def _completed_frame(self) -> JitterFrame | None:
        pieces: list[RtpPacket] = []
        assert self._origin is not None
        for index in range(self.capacity):
            packet = self._packets[(self._origin + index) % self.capacity]
            if packet is None or (pieces and packet.timestamp != pieces[0].timestamp):
                return None
            pieces.append(packet)
            if packet.marker:
                self.remove(index + 1)
                data = b"".join(fragment._data for fragment in pieces)  # type: ignore[attr-defined]
                return JitterFrame(data, packet.timestamp)
        return None
