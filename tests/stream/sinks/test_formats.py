"""Every format: written, read back by FFmpeg, and compared."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.codec import Codec, CodecContext
from av.video.codeccontext import VideoCodecContext

from stream.message import EndOfStream, Pixels, StreamStart
from stream.settings.config import Recording
from stream.sinks import SinkError, check, open_sink
from stream.sinks.formats import CODECS, CONTAINERS, format_of
from stream.sinks.verification import verify
from stream.sinks.video_writer import VideoWriter

MS = 1_000_000
SIZE = (160, 120)
TIMES_MS = [0, 33, 66, 100, 500, 540, 1600, 1640]


def record(settings: Recording, items: list[Any]) -> None:
    sink = open_sink(settings, ["cam"], lambda: None)
    for item in items:
        sink.write(item)
    sink.close()


def decoded(path: Path, pixel_format: str) -> Iterator[tuple[int, Pixels]]:
    """Time in milliseconds and pixels of every picture, with the decoder that knows alpha where there is one."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        if context.name == "vp9":
            context = cast(VideoCodecContext, CodecContext.create(Codec("libvpx-vp9", "r")))
        for packet in container.demux(stream):
            for frame in context.decode(packet if packet.size else None):
                assert frame.pts is not None
                yield (
                    round(1000 * frame.pts * (stream.time_base or 1)),
                    np.asarray(frame.to_ndarray(format=pixel_format)),
                )


ROWS = [(ending, codec) for ending, container in CONTAINERS.items() for codec in container.codecs if ending != ".png"]


@pytest.mark.parametrize(("ending", "codec"), ROWS)
def test_every_row_keeps_its_times_and_what_it_shows(tmp_path: Path, make_frame: Any, ending: str, codec: Any) -> None:
    settings = Recording(path=tmp_path / f"clip{ending}", codec=codec)
    frames = [make_frame(i, t * MS, size=SIZE) for i, t in enumerate(TIMES_MS)]
    record(settings, [*frames, EndOfStream("cam", len(frames) - 1)])
    transparent = CODECS[codec].alpha is not None
    seen = list(decoded(settings.path, "bgra" if transparent else "bgr24"))
    assert [time for time, _ in seen] == TIMES_MS
    for (_, pixels), frame in zip(seen, frames, strict=True):
        if transparent:
            error = np.abs(pixels[..., 3].astype(int) - frame.alpha).mean()
            assert error <= {"ffv1": 0, "prores": 2, "vp9": 4}[codec]
        inside = frame.alpha == 255 if transparent else ...
        expected = frame.foreground if transparent else frame.composite
        assert np.abs(pixels[..., :3][inside].astype(int) - expected[inside]).mean() <= (0 if codec == "ffv1" else 5)


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "png"])
@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (100, 101)])
def test_odd_sizes_are_recorded_or_refused_in_a_sentence(
    tmp_path: Path, make_frame: Any, codec: Any, shape: Any
) -> None:
    ending = next(ending for ending, container in CONTAINERS.items() if codec in container.codecs)
    settings = Recording(path=tmp_path / f"odd{ending}", codec=codec)
    frames = [make_frame(i, i * 40 * MS, size=shape[::-1]) for i in range(3)]
    if codec == "h265" and shape == (1, 1):
        with pytest.raises(SinkError, match="cannot record to"):
            record(settings, frames)
        return
    record(settings, [*frames, EndOfStream("cam", 2)])
    multiple = CODECS[codec].multiple_px
    height, width = (side + -side % multiple for side in shape)
    assert [pixels.shape[:2] for _, pixels in decoded(settings.path, "bgr24")] == [(height, width)] * 3


def test_lossless_colours_are_exact_even_where_nothing_is_seen(tmp_path: Path, make_frame: Any) -> None:
    settings = Recording(path=tmp_path / "clip.mkv")
    record(settings, [make_frame(0, 0), make_frame(1, 40 * MS)])
    assert np.array_equal(next(decoded(settings.path, "bgra"))[1], make_frame(0, 0).cutout)


@pytest.mark.parametrize("ending", [".webm", ".mov"])
def test_the_room_that_was_cut_away_is_not_in_the_file(tmp_path: Path, make_frame: Any, ending: str) -> None:
    settings = Recording(path=tmp_path / f"clip{ending}")
    record(settings, [make_frame(i, i * 40 * MS, size=(320, 240)) for i in range(3)])
    for _, pixels in decoded(settings.path, "bgr24"):
        assert pixels[:20, :20].max() < 24  # blue, in the picture
        assert pixels[100:110, 150:155].max() > 150


def test_part_masks_are_a_lossless_film_of_class_indices(tmp_path: Path, make_frame: Any) -> None:
    settings = Recording(path=tmp_path / "parts.mkv", shows="parts")
    frames = [make_frame(i, i * 40 * MS, size=(65, 49)) for i in range(4)]
    record(settings, [*frames, EndOfStream("cam", 3)])
    for (_, labels), frame in zip(decoded(settings.path, "gray"), frames, strict=True):
        assert np.array_equal(labels, frame.parts)


def test_another_size_of_part_masks_invents_no_class(tmp_path: Path, make_frame: Any) -> None:
    settings = Recording(path=tmp_path / "parts.mkv", shows="parts")
    record(settings, [make_frame(0, 0), make_frame(1, 40 * MS, size=(200, 99))])
    _, last = list(decoded(settings.path, "gray"))[-1]
    assert last.shape == (48, 64)
    assert set(np.unique(last)) == {0, 1, 2}


def test_stacked_is_the_cutout_over_its_mask(tmp_path: Path, make_frame: Any) -> None:
    settings = Recording(path=tmp_path / "stacked.mp4", shows="stacked")
    frames = [make_frame(i, i * 40 * MS, size=(160, 121)) for i in range(3)]
    record(settings, [*frames, EndOfStream("cam", 2)])
    for (_, pixels), frame in zip(decoded(settings.path, "bgr24"), frames, strict=True):
        assert pixels.shape == (242, 160, 3)
        assert np.abs(pixels[121:242, :, 1].astype(int) - frame.alpha).mean() < 3
        inside = frame.alpha == 255
        assert np.abs(pixels[:121][inside].astype(int) - frame.foreground[inside]).mean() < 4


def test_single_pictures_carry_their_time_in_their_name(tmp_path: Path, make_frame: Any) -> None:
    settings = Recording(path=tmp_path / "100%d" / "shot.png")
    frames = [make_frame(i, t * MS) for i, t in enumerate((0, 33, 1500))]
    record(settings, [*frames, EndOfStream("cam", 2)])
    names = sorted(path.name for path in (tmp_path / "100%d").iterdir())
    assert names == ["shot-0000000000.png", "shot-0000000033.png", "shot-0000001500.png"]
    for name, frame in zip(names, frames, strict=True):
        with av.open(str(tmp_path / "100%d" / name), format="png_pipe") as container:
            assert np.array_equal(next(container.decode(video=0)).to_ndarray(format="bgra"), frame.cutout)


def test_h265_is_tagged_as_apples_players_ask(tmp_path: Path, make_frame: Any) -> None:
    settings = Recording(path=tmp_path / "clip.mp4", codec="h265")
    record(settings, [make_frame(i, i * 40 * MS) for i in range(3)])
    with av.open(str(settings.path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("clip.mp4", {"codec": "vp9"}, "cannot record vp9 to .*: .mp4 holds h264 or h265"),
        ("clip.webm", {"codec": "ffv1"}, ".webm holds vp9"),
        (
            "clip.mp4",
            {"shows": "cutout"},
            "h264 knows no transparency; use .webm, .mov, .mkv or .png, or record it `stacked`",
        ),
        ("clip.webm", {"shows": "parts"}, "vp9 would blur their labels; use .mkv or .png"),
        ("clip.avi", {}, "its ending must be one of"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_at_start(tmp_path: Path, name: str, given: Any, says: str) -> None:
    with pytest.raises(SinkError, match=says):
        check([Recording(path=tmp_path / name, **given)], ["cam"])


def test_segments_begin_anew_by_time_and_lose_nothing(tmp_path: Path, make_frame: Any) -> None:
    settings = Recording(path=tmp_path / "clip.mp4", segment_s=1)
    record(settings, [*(make_frame(i, i * 100 * MS) for i in range(25)), EndOfStream("cam", 24)])
    times = [[t for t, _ in decoded(tmp_path / name, "bgr24")] for name in ("clip.mp4", "clip-2.mp4", "clip-3.mp4")]
    assert times == [list(range(0, 1000, 100)), list(range(0, 1000, 100)), list(range(0, 500, 100))]


class TestProof:
    """A finished recording is held to what was written."""

    def movie(self, path: Path, make_frame: Any) -> VideoWriter:
        movie = VideoWriter(path, format_of(Recording(path=path)), (120, 160), start_ns=0, rate_hz=25, sound=None)
        for index in range(60):
            movie.write(make_frame(index, 0, size=SIZE).cutout, index * 40 * MS)
        movie.close()
        verify(movie)
        return movie

    @pytest.mark.parametrize("ending", [".webm", ".mkv", ".png", ".mov"])
    def test_a_changed_mask_is_found(self, tmp_path: Path, make_frame: Any, ending: str) -> None:
        movie = self.movie(tmp_path / f"clip{ending}", make_frame)
        assert 4 <= len(movie.samples) <= 8
        movie.samples[-1].mask[:] ^= 255
        with pytest.raises(SinkError, match=r"is not what was written: its masks at \d\.\d+ s are .* of 255 off"):
            verify(movie)

    def test_a_missing_picture_is_found(self, tmp_path: Path, make_frame: Any) -> None:
        movie = self.movie(tmp_path / "clip.mkv", make_frame)
        movie.count += 1
        with pytest.raises(SinkError, match="it holds 60 of 61 pictures"):
            verify(movie)

    def test_another_length_is_found(self, tmp_path: Path, make_frame: Any) -> None:
        movie = self.movie(tmp_path / "clip.mkv", make_frame)
        movie.last_tick += 40
        with pytest.raises(SinkError, match=r"it is 2\.360 s long in place of 2\.400 s"):
            verify(movie)

    def test_another_length_told_to_players_is_found(self, tmp_path: Path, make_frame: Any) -> None:
        movie = self.movie(tmp_path / "clip.mkv", make_frame)
        movie.end_tick += 140
        movie.latest_end_tick += 140
        with pytest.raises(SinkError, match=r"players are told 2\.400 s instead of 2\.540 s"):
            verify(movie)

    def test_a_file_cut_short_is_found(self, tmp_path: Path, make_frame: Any) -> None:
        movie = self.movie(tmp_path / "clip.mkv", make_frame)
        movie.path.write_bytes(movie.path.read_bytes()[: movie.path.stat().st_size // 2])
        with pytest.raises(SinkError, match=r"it holds \d+ of 60 pictures"):
            verify(movie)

    def test_the_end_of_a_stream_asks_for_it_an_interruption_does_not(
        self, tmp_path: Path, make_frame: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proven: list[Path] = []
        monkeypatch.setattr("stream.sinks.recording.verify", lambda movie: proven.append(movie.path))
        path = tmp_path / "clip.mp4"
        record(Recording(path=path), [make_frame(0, 0), EndOfStream("cam", 0, interrupted=True)])
        assert proven == []
        record(Recording(path=path), [make_frame(0, 0), EndOfStream("cam", 0)])
        assert proven == [path]


def beeps(path: Path, rate: int = 44_100) -> Path:
    """A 3 s video with a 0.1 s beep at every full second."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height = 64, 48
        audio = container.add_stream("aac", rate=rate)
        assert isinstance(audio, av.AudioStream)
        audio.layout = "mono"
        time = np.arange(3 * rate) / rate
        wave = (0.5 * np.sin(2 * np.pi * 1000 * time) * (time % 1 < 0.1)).astype(np.float32)
        for index in range(75):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index, np.uint8), format="bgr24")
            frame.pts = index
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts = rate, 0
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    return path


def beep_times_s(path: Path) -> list[float]:
    """When it beeps in a file, to a hundredth of a second."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", "mono", 48_000)
        loud = np.zeros(48_000 * 6, bool)
        for frame in container.decode(stream):
            for piece in resampler.resample(frame):
                begin = round((frame.time or 0) * 48_000)
                values = np.abs(piece.to_ndarray()[0]) > 0.1
                loud[begin : begin + len(values)] |= values
    hundredths = [bool(values.any()) for values in loud.reshape(-1, 480)]
    begins = [i for i, (before, now) in enumerate(pairwise(hundredths), 1) if now and not before]
    return [i / 100 for i in ([0] if hundredths[0] else []) + begins]


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".webm", ".mkv"])
def test_the_audio_of_a_file_is_carried_over_in_sync(tmp_path: Path, make_frame: Any, ending: str) -> None:
    source = beeps(tmp_path / "source.mp4")
    settings = Recording(path=tmp_path / f"out{ending}")
    frames = [make_frame(i, i * 40 * MS) for i in range(75)]
    record(settings, [StreamStart("cam", 0, 0, "file", str(source)), *frames, EndOfStream("cam", 74)])
    assert beep_times_s(settings.path) == pytest.approx([0, 1, 2], abs=0.03)


def test_sound_begins_where_the_recording_begins_and_goes_on_in_the_next_segment(
    tmp_path: Path, make_frame: Any
) -> None:
    source = beeps(tmp_path / "source.mp4")
    settings = Recording(path=tmp_path / "out.mp4", segment_s=1)
    frames = [make_frame(i, (500 + i * 40) * MS) for i in range(60)]
    record(settings, [StreamStart("cam", 0, 0, "file", str(source)), *frames, EndOfStream("cam", 59)])
    assert beep_times_s(settings.path) == pytest.approx([0.5], abs=0.03)
    assert beep_times_s(tmp_path / "out-2.mp4") == pytest.approx([0.5], abs=0.03)


@pytest.mark.parametrize("source", ["rtsp://***@cam/live", "synthetic:", "silent"])
def test_a_source_without_sound_is_recorded_without(
    tmp_path: Path, make_frame: Any, make_clip: Any, source: str
) -> None:
    address = str(make_clip("silent.mp4")) if source == "silent" else source
    settings = Recording(path=tmp_path / "out.mp4")
    record(settings, [StreamStart("cam", 0, 0, "file", address), make_frame(0, 0), EndOfStream("cam", 0)])
    with av.open(str(settings.path)) as container:
        assert len(container.streams) == 1


def test_sound_can_be_left_out(tmp_path: Path, make_frame: Any) -> None:
    source = beeps(tmp_path / "source.mp4")
    settings = Recording(path=tmp_path / "out.mp4", sound="none")
    record(settings, [StreamStart("cam", 0, 0, "file", str(source)), make_frame(0, 0), EndOfStream("cam", 0)])
    with av.open(str(settings.path)) as container:
        assert len(container.streams) == 1
