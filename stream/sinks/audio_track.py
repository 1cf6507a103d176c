"""Writes a recording's track of sound: packets as they are where the container knows them, else encoded anew."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av import AudioFrame, AudioResampler, AudioStream
from av.container import OutputContainer

from stream.media.opening import AV_ERRORS
from stream.sinks.audio import NS_PER_S, AudioReader

ENCODERS = {"opus": "libopus"}
USUAL_RATE_HZ = 48_000
JITTER_NS = 10_000_000
"""Sound this far from where its time puts it is left there: times are rounded by containers."""
MAX_LAG_NS = 1_000_000_000
"""Where there is no sound for longer, silence is written, so that the file on disk does not wait for it."""

Samples = np.ndarray[tuple[int, int], np.dtype[Any]]


def copies(sound: AudioReader, codecs: tuple[str, ...]) -> bool:
    """Return whether a container that holds `codecs` takes the packets of `sound` as they are."""
    return sound.stream.codec_context.codec.canonical_name in codecs


def open_track(sound: AudioReader, container: OutputContainer, codecs: tuple[str, ...]) -> CopiedAudio | EncodedAudio:
    """The track of `sound` in a file about to be written, in one of `codecs`, by preference the first."""
    return CopiedAudio(sound, container) if copies(sound, codecs) else EncodedAudio(sound, container, codecs[0])


class CopiedAudio:
    """A track of the packets of a file."""

    def __init__(self, sound: AudioReader, container: OutputContainer) -> None:
        self._sound = sound
        self._container = container
        self._stream = container.add_stream_from_template(sound.stream)
        self._last_pts = -1

    def write(self, from_ns: int, until_ns: int) -> None:
        """Append what sounds before `until_ns`; the recording begins at `from_ns`, what is earlier is left out."""
        for packet, begins_ns in self._sound.until(until_ns):
            if begins_ns < from_ns:
                continue
            packet.pts = packet.dts = max(
                round((begins_ns - from_ns) * NS_PER_S / packet.time_base), self._last_pts + 1
            )
            self._last_pts = packet.pts
            packet.stream = self._stream
            try:
                self._container.mux(packet)
            except AV_ERRORS:
                self._sound.count_lost(packet)

    def flush(self) -> None:
        """There is nothing left to append."""


class EncodedAudio:
    """A track in a codec of the container: without a gap from the recording's start on, silent where nothing sounds."""

    def __init__(self, sound: AudioReader, container: OutputContainer, codec: str) -> None:
        self._sound = sound
        self._container = container
        encoder = av.Codec(ENCODERS.get(codec, codec), "w")
        known = encoder.audio_rates
        self._rate_hz = sound.stream.rate if not known or sound.stream.rate in known else USUAL_RATE_HZ
        self._stream = cast(AudioStream, container.add_stream(encoder.name, rate=self._rate_hz))
        self._stream.layout = "mono" if sound.stream.channels == 1 else "stereo"
        self._resampler = self._new_resampler()
        self._position = 0
        """How many samples were written."""

    def write(self, from_ns: int, until_ns: int) -> None:
        """Append what sounds before `until_ns`; the recording begins at `from_ns`, what is earlier is left out."""
        for packet, begins_ns in self._sound.until(until_ns):
            packet.pts = packet.dts = round((begins_ns - from_ns) * NS_PER_S / packet.time_base)
            try:
                for frame in self._sound.stream.decode(packet):
                    self._append(self._resampled(frame))
            except AV_ERRORS:
                self._sound.count_lost(packet)
        self._pad_with_silence(self._samples(until_ns - from_ns - MAX_LAG_NS))

    def flush(self) -> None:
        """Append what the encoder still holds."""
        self._append(self._resampler.resample(None))
        self._container.mux(self._stream.encode(None))

    def _new_resampler(self) -> AudioResampler:
        return AudioResampler(self._stream.format, self._stream.layout, self._rate_hz)

    def _resampled(self, frame: AudioFrame) -> list[AudioFrame]:
        try:
            return self._resampler.resample(frame)
        except ValueError:  # rate or channels have changed
            self._resampler = self._new_resampler()
            return self._resampler.resample(frame)

    def _append(self, frames: Iterable[AudioFrame]) -> None:
        """Append `frames`, each where its time puts it."""
        for frame in frames:
            begin = self._position
            if frame.pts is not None and frame.time_base is not None:
                begin = round(frame.pts * frame.time_base * self._rate_hz)
            if begin - self._position > self._samples(JITTER_NS):
                self._pad_with_silence(begin)
            samples: Samples = frame.to_ndarray()
            late = self._position - begin
            self._encode(samples[:, late * self._interleaved :] if late > self._samples(JITTER_NS) else samples)

    def _pad_with_silence(self, position: int) -> None:
        planes = 1 if self._stream.format.is_packed else self._stream.layout.nb_channels
        while (missing := min(position - self._position, self._rate_hz)) > 0:
            kind = AudioFrame(self._stream.format, self._stream.layout, 1).to_ndarray().dtype
            self._encode(np.zeros((planes, missing * self._interleaved), kind))

    def _encode(self, samples: Samples) -> None:
        count = samples.shape[1] // self._interleaved
        if count == 0:
            return
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), self._stream.format.name, self._stream.layout.name
        )
        frame.sample_rate, frame.time_base, frame.pts = self._rate_hz, Fraction(1, self._rate_hz), self._position
        self._position += count
        self._container.mux(self._stream.encode(frame))

    @property
    def _interleaved(self) -> int:
        """Return how many values of one row make a sample."""
        return self._stream.layout.nb_channels if self._stream.format.is_packed else 1

    def _samples(self, duration_ns: int) -> int:
        return round(duration_ns * self._rate_hz / 1e9)
