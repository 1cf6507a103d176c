"""Reads the sound of a file, in step with its pictures."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from av import AudioStream, Packet, VideoStream
from av.container import InputContainer

from stream.media.opening import AV_ERRORS, open_local
from stream.media.timeline import JUMP_BACK_NS, nominal_step_ns

log = logging.getLogger(__name__)

NS_PER_S = Fraction(1, 1_000_000_000)
_READ_AHEAD = 500  # packets of sound that wait for the picture they belong to


class AudioReader:
    """The first audio track of a file, read as far as the pictures have come; time 0 is the file's start.

    Where the file's clock goes back (two parts were joined), the audio moves with the pictures, as
    `stream.media.timeline` moves them. Damage is counted and reported at the end: audio never ends the pictures.
    """

    def __init__(self, path: Path, container: InputContainer) -> None:
        self.path = path
        self.stream = container.streams.audio[0]
        self._container = container
        video = container.streams.best("video")
        self._clock = _Clock(video if isinstance(video, VideoStream) else None, 1000 * (container.start_time or 0))
        self._packets = container.demux([self.stream, *filter(None, [video])])
        self._read: deque[tuple[Packet[AudioStream], int]] = deque()
        self._ended = False
        self._lost_ns = 0

    @classmethod
    def open(cls, source: str) -> AudioReader | None:
        """The sound of the file at `source`; None where it is no file, or a silent one."""
        path = Path(source)
        if not path.is_file():
            return None
        try:
            container = open_local(path)
        except AV_ERRORS:
            return None
        if not container.streams.audio or container.streams.audio[0].codec_context is None:
            container.close()
            return None
        return cls(path, container)

    def until(self, pts_ns: int) -> Iterator[tuple[Packet[AudioStream], int]]:
        """The packets, not given before, that begin before `pts_ns`, each with its time."""
        while (begins_ns := self._next_ns()) is not None and begins_ns < pts_ns:
            yield self._read.popleft()[0], begins_ns

    def count_lost(self, packet: Packet[AudioStream]) -> None:
        """Count a packet of which no use could be made."""
        self._lost_ns += round((packet.duration or 0) * (packet.time_base or 0) / NS_PER_S)

    def close(self) -> None:
        """Close the file, and report what was skipped."""
        self._container.close()
        if self._lost_ns:
            log.warning("%s: damaged sound was left out: %d ms", self.path, max(1, round(self._lost_ns / 1e6)))
            self._lost_ns = 0

    def _next_ns(self) -> int | None:
        """Return when the next packet begins; None at the end."""
        while not self._ended and not (self._read and self._clock.has_offset(self._read[0][1])):
            if len(self._read) >= _READ_AHEAD:
                break
            self._advance()
        if not self._read:
            return None
        packet, part = self._read[0]
        return self._clock.audio_pts(packet, part)

    def _advance(self) -> None:
        try:
            packet: Packet[Any] | None = next(self._packets, None)
        except AV_ERRORS as error:
            log.warning("the sound of %s cannot be read any further: %s", self.path, error)
            packet = None
        if packet is None:
            self._ended = True
        elif packet.stream is not self.stream:
            self._clock.on_picture_packet(packet)
        elif packet.size and packet.pts is not None:
            self._read.append((packet, self._clock.on_audio_packet(packet)))


class _Clock:
    """Offsets of the parts of a file, learned from its pictures: a new part begins where times go back.

    Audio of a part may be read before its first picture, and after the first one of the next.
    """

    def __init__(self, video: VideoStream | None, origin_ns: int) -> None:
        self._step_ns = nominal_step_ns(video.guessed_rate if video else None)
        self._offsets_ns = [-origin_ns]
        self._seen_ns: int | None = None  # the last picture read, as it stands in the file
        self._shown_ns: int | None = None  # the latest picture of this part
        self._part = 0  # of the sound
        self._heard_ns: int | None = None
        self._sounded_ns = 0  # where the sound of the part before ended

    def on_picture_packet(self, packet: Packet[VideoStream]) -> None:
        """Take note of a picture."""
        pts_ns, order_ns = _ns(packet, packet.pts), _ns(packet, packet.dts if packet.dts is not None else packet.pts)
        if pts_ns is None or order_ns is None:
            return
        if self._seen_ns is not None and self._shown_ns is not None and order_ns < self._seen_ns - JUMP_BACK_NS:
            self._offsets_ns.append(self._shown_ns + self._offsets_ns[-1] + self._step_ns - pts_ns)
            self._shown_ns = pts_ns
        self._seen_ns = order_ns
        self._shown_ns = pts_ns if self._shown_ns is None else max(pts_ns, self._shown_ns)

    def on_audio_packet(self, packet: Packet[AudioStream]) -> int:
        """The part that a packet of sound belongs to."""
        begins_ns = _ns(packet, packet.pts) or 0
        if self._heard_ns is not None and begins_ns < self._heard_ns - JUMP_BACK_NS:
            self._part += 1
        self._heard_ns = begins_ns
        return self._part

    def has_offset(self, part: int) -> bool:
        """Return whether a part's offset is known."""
        return part < len(self._offsets_ns)

    def audio_pts(self, packet: Packet[AudioStream], part: int) -> int:
        """Return when a packet begins; one whose part has no pictures follows the audio before it."""
        begins_ns = _ns(packet, packet.pts) or 0
        while not self.has_offset(part):
            self._offsets_ns.append(self._sounded_ns - begins_ns)
        placed_ns = begins_ns + self._offsets_ns[part]
        self._sounded_ns = placed_ns + (_ns(packet, packet.duration) or 0)
        return placed_ns


def _ns(packet: Packet[Any], ticks: int | None) -> int | None:
    return None if ticks is None or packet.time_base is None else round(ticks * packet.time_base / NS_PER_S)
