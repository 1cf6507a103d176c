"""Inputs that people have reported of other programs, recorded with their sound."""

from __future__ import annotations

import logging
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from clothseg.classes import USUAL
from stream.message import CompositedFrame, EndOfStream, Frame, StreamStart
from stream.settings.config import Camera, Recording
from stream.sinks import open_sink
from stream.sources import open_source
from tests.cases import CASES


def record(source: Path, settings: Recording) -> None:
    """Record every picture of a file as it is, with its sound, and have the recording proven."""
    sink = open_sink(settings, ["cam"], lambda: None)
    sink.write(StreamStart("cam", 0, 0, "file", str(source), rate_hz=30))
    seq = -1
    for seq, picture in enumerate(open_source(Camera(source=str(source)))):
        alpha = np.full(picture.pixels.shape[:2], 255, np.uint8)
        probabilities = np.zeros((len(USUAL.names), 2, 2), np.uint8)
        frame = Frame("cam", 0, seq, picture)
        sink.write(CompositedFrame(frame, USUAL, probabilities, alpha, alpha, picture.pixels, picture.pixels))
    sink.write(EndOfStream("cam", seq))
    sink.close()


def times_s(path: Path) -> list[float]:
    return [picture.pts_ns / 1e9 for picture in open_source(Camera(source=str(path)))]


def sound(path: Path) -> tuple[list[float], float]:
    """When pieces of sound begin, and when the last ends."""
    with av.open(str(path)) as container:
        frames = [(frame.time or 0, frame.samples / frame.sample_rate) for frame in container.decode(audio=0)]
    return [begins for begins, _ in frames], frames[-1][0] + frames[-1][1]


@pytest.mark.parametrize("name", ["opus.mkv", "pcm16k.mov", "alaw8k.mov"])
@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_sound_that_is_encoded_anew_does_not_move_the_pictures(tmp_path: Path, name: str, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    record(CASES / name, Recording(path=path, codec="h264"))
    times = times_s(path)
    assert len(times) == 60
    assert times[1] == pytest.approx(1 / 30, abs=0.002)
    assert times[-1] == pytest.approx(1.967, abs=0.002)
    begins, end = sound(path)
    assert begins[0] == pytest.approx(0, abs=0.001)
    assert end == pytest.approx(2.0, abs=0.07)


def test_segments_after_the_first_keep_their_pictures_and_sound(tmp_path: Path) -> None:
    record(CASES / "pcm16k.mov", Recording(path=tmp_path / "out.mp4", segment_s=1))
    for name in ("out.mp4", "out-2.mp4"):
        assert len(times_s(tmp_path / name)) == 30
        begins, end = sound(tmp_path / name)
        assert begins[0] == pytest.approx(0, abs=0.001)
        assert end == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".webm", ".mkv"])
def test_where_the_clock_goes_back_the_sound_moves_with_the_pictures(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    record(CASES / "splice.ts", Recording(path=path))
    times = times_s(path)
    assert len(times) == 120
    assert {round(1000 * (later - earlier)) for earlier, later in pairwise(times)} <= {33, 34}
    begins, end = sound(path)
    assert end == pytest.approx(4.0, abs=0.1)
    assert max(later - earlier for earlier, later in pairwise(begins)) < 0.12


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_a_damaged_packet_of_sound_costs_itself_alone_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ending: str
) -> None:
    path = tmp_path / f"out{ending}"
    with caplog.at_level(logging.WARNING):
        record(CASES / "bad-aac-packet.mp4", Recording(path=path))
    assert len(times_s(path)) == 60
    if ending == ".webm":  # an .mp4 takes the packet as it is
        assert [record.getMessage() for record in caplog.records] == [
            f"{CASES / 'bad-aac-packet.mp4'}: damaged sound was left out: 21 ms"
        ]
        assert sound(path)[1] == pytest.approx(2.0, abs=0.06)


def test_sound_that_cannot_be_begun_leaves_the_pictures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No MP4 holds Speex."""
    monkeypatch.setattr("stream.sinks.audio_track.ENCODERS", {"aac": "libspeex"})
    record(CASES / "pcm16k.mov", Recording(path=tmp_path / "out.mp4"))
    assert len(times_s(tmp_path / "out.mp4")) == 60
    assert "out.mp4 is recorded without the sound of" in caplog.text


def test_a_file_whose_sound_is_all_noise_is_recorded_with_its_pictures(tmp_path: Path) -> None:
    """Every packet of sound is overwritten."""
    content = bytearray((CASES / "bad-aac-packet.mp4").read_bytes())
    with av.open(str(CASES / "bad-aac-packet.mp4")) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size and p.pos is not None]
    for at, size in places:
        content[at : at + size] = b"\xff" * size
    source = tmp_path / "noise.mp4"
    source.write_bytes(content)
    for ending in (".webm", ".mp4", ".mkv"):
        record(source, Recording(path=tmp_path / f"out{ending}"))
        assert len(times_s(tmp_path / f"out{ending}")) == 60
