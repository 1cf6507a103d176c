"""Carries the sound of a file over into its recordings, in step with the pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av import AudioStream, Packet
from av.container import InputContainer, OutputContainer

log = logging.getLogger(__name__)

NS = Fraction(1, 1_000_000_000)
ENCODERS = {"opus": "libopus"}
OPUS_RATE_HZ = 48_000
FAILURES = (av.FFmpegError, OSError, ValueError)


class Sound:
    """The first sound track of a file, read as far as the pictures have come; time 0 is the file's start."""

    def __init__(self, path: Path, container: InputContainer) -> None:
        self.path = path
        self.stream = container.streams.audio[0]
        self.origin_ns = 1000 * (container.start_time or 0)
        self._container = container
        self._packets = container.demux(self.stream)
        self._ahead: Packet[AudioStream] | None = None

    @classmethod
    def of(cls, source: str) -> Sound | None:
        """The sound of the file at `source`; None where it is no file, or a silent one."""
        if not Path(source).is_file():
            return None
        try:
            container = av.open(source, "r", metadata_errors="replace")
        except FAILURES:
            return None
        if not container.streams.audio:
            container.close()
            return None
        return cls(Path(source), container)

    def until(self, pts_ns: int) -> Iterator[tuple[Packet[AudioStream], int]]:
        """The packets, not given before, that begin before `pts_ns`, each with its time."""
        while (packet := self._ahead or self._next()) is not None:
            begins_ns = round((packet.pts or 0) * packet.time_base / NS) - self.origin_ns
            self._ahead = packet
            if begins_ns >= pts_ns:
                return
            self._ahead = None
            yield packet, begins_ns

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def _next(self) -> Packet[AudioStream] | None:
        try:
            packet = next(self._packets, None)
        except FAILURES as error:
            log.warning("the sound of %s cannot be read any further: %s", self.path, error)
            return None
        return packet if packet is not None and packet.size else None


class SoundTrack:
    """One recording's track of a `Sound`: copied where its container knows the codec, else encoded anew."""

    def __init__(self, sound: Sound, container: OutputContainer, codecs: tuple[str, ...]) -> None:
        self._sound = sound
        self._container = container
        self._copied = sound.stream.codec_context.codec.canonical_name in codecs
        self._stream: AudioStream
        if self._copied:
            self._stream = container.add_stream_from_template(sound.stream)
        else:
            encoder = ENCODERS.get(codecs[0], codecs[0])
            rate = OPUS_RATE_HZ if codecs[0] == "opus" else sound.stream.rate
            self._stream = cast(AudioStream, container.add_stream(encoder, rate=rate))
            self._stream.layout = "mono" if sound.stream.channels == 1 else "stereo"

    def write(self, from_ns: int, until_ns: int) -> None:
        """Append what sounds before `until_ns`; the recording begins at `from_ns`, what is earlier is left out."""
        for packet, begins_ns in self._sound.until(until_ns):
            if begins_ns < from_ns or packet.pts is None:
                continue
            shift = round((from_ns + self._sound.origin_ns) * NS / packet.time_base)
            packet.pts -= shift
            packet.dts = packet.pts
            if self._copied:
                packet.stream = self._stream
                self._container.mux(packet)
            else:
                for frame in self._sound.stream.decode(packet):
                    self._container.mux(self._stream.encode(frame))

    def flush(self) -> None:
        """Append what the encoder still holds."""
        if not self._copied:
            self._container.mux(self._stream.encode(None))
