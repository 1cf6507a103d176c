"""Recordings, written and read back: what is in them, when, and what survives a kill or a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.codec import Codec, CodecContext
from av.video.codeccontext import VideoCodecContext

from stream.message import EndOfStream, Outage, Pixels, StreamStart
from stream.settings.config import Camera, Recording
from stream.sinks import SinkError, check, open_sink
from stream.sources import open_source
from tests.cases import CASES

MS = 1_000_000


def record(path: Path, frames: list[Any], cameras: tuple[str, ...] = ("cam",)) -> Path:
    sink = open_sink(Recording(path=path), cameras, lambda: None)
    for item in frames:
        sink.write(item)
    sink.close()
    return path


def times_ms(path: Path) -> list[int]:
    return [picture.pts_ns // MS for picture in open_source(Camera(source=str(path)))]


def pictures(path: Path) -> list[Pixels]:
    return [picture.pixels for picture in open_source(Camera(source=str(path)))]


def with_alpha(path: Path) -> list[Pixels]:
    """Every picture of a VP9 file as BGRA; FFmpeg's own decoder knows no alpha, libvpx's does."""
    found = []
    with av.open(str(path)) as container:
        decoder = CodecContext.create(Codec("libvpx-vp9", "r"))
        for packet in container.demux(video=0):
            for frame in cast(VideoCodecContext, decoder).decode(packet if packet.size else None):
                assert frame.format.name == "yuva420p"
                found.append(np.asarray(frame.to_ndarray(format="bgra"), np.uint8))
    return found


def near(seen: Pixels, expected: Pixels, tolerance: float) -> bool:
    return bool(np.abs(seen.astype(int) - expected).mean() <= tolerance)


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_every_frame_is_there_at_its_exact_time(tmp_path: Path, make_frame: Any, ending: str) -> None:
    times = [0, 33, 40, 500, 501, 2000, 4321, 4333]
    path = record(tmp_path / f"clip{ending}", [make_frame(i, t * MS) for i, t in enumerate(times)])
    assert times_ms(path) == times


def test_times_are_exact_to_a_ninety_thousandth_of_a_second(tmp_path: Path, make_frame: Any) -> None:
    times_ns = [round(i * 1e9 / 29.97) for i in range(40)]
    path = record(tmp_path / "ntsc.mp4", [make_frame(i, t) for i, t in enumerate(times_ns)])
    read = [p.pts_ns for p in open_source(Camera(source=str(path)))]
    assert np.abs(np.array(read) - times_ns).max() <= 1e9 / 90_000


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_the_file_states_the_rate_of_the_source(tmp_path: Path, make_frame: Any, ending: str) -> None:
    start = StreamStart("cam", 0, 0, "file", "synthetic:", rate_hz=30_000 / 1001)
    path = tmp_path / f"ntsc{ending}"
    record(path, [start, *(make_frame(i, round(i * 1_001_000_000 / 30)) for i in range(60)), EndOfStream("cam", 59)])
    source = open_source(Camera(source=str(path)))
    assert source.rate_hz == pytest.approx(29.97, abs=0.1)
    source.close()


def test_a_recording_begins_with_its_first_frame(tmp_path: Path, make_frame: Any) -> None:
    path = record(tmp_path / "late.mp4", [make_frame(i, (90_000 + 40 * i) * MS) for i in range(3)])
    assert times_ms(path) == [0, 40, 80]


def test_mp4_shows_the_composite_in_its_colours(tmp_path: Path, make_frame: Any) -> None:
    frames = [make_frame(i, i * 40 * MS, size=(320, 240)) for i in range(10)]
    path = record(tmp_path / "clip.mp4", frames)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        tags = stream.codec_context
        assert (tags.colorspace, tags.color_range, tags.color_primaries, tags.color_trc) == (1, 1, 1, 1)
        assert stream.frames == 10
        assert container.duration == pytest.approx(400_000, abs=1000)
    for seen, frame in zip(pictures(path), frames, strict=True):
        assert near(seen, frame.composite, 3)
        assert near(seen[10:100, 10:140], frame.composite[10:100, 10:140], 3)


def test_webm_shows_the_cutout_with_its_alpha(tmp_path: Path, make_frame: Any) -> None:
    frames = [make_frame(i, i * 40 * MS, size=(320, 240)) for i in range(10)]
    path = record(tmp_path / "cutout.webm", frames)
    with av.open(str(path)) as container:
        tags = container.streams.video[0].codec_context
        assert (tags.colorspace, tags.color_range, tags.color_primaries, tags.color_trc) == (1, 1, 1, 1)
        assert container.streams.video[0].metadata["ALPHA_MODE"] == "1"
    seen = with_alpha(path)
    assert len(seen) == 10
    for picture, frame in zip(seen, frames, strict=True):
        assert near(picture[..., 3], frame.alpha, 4)
        inside = frame.alpha == 255
        assert near(picture[..., :3][inside], frame.foreground[inside], 5)


@pytest.mark.parametrize(
    ("ending", "size", "recorded"),
    [
        (".mp4", (33, 17), (34, 18)),
        (".mp4", (1, 1), (2, 2)),
        (".mp4", (480, 853), (480, 854)),
        (".webm", (33, 17), (33, 17)),
        (".webm", (1, 1), (1, 1)),
    ],
)
def test_odd_sizes_lose_nothing(
    tmp_path: Path, make_frame: Any, ending: str, size: tuple[int, int], recorded: tuple[int, int]
) -> None:
    frames = [make_frame(i, i * 40 * MS, size=size) for i in range(3)]
    seen = pictures(record(tmp_path / f"odd{ending}", frames))
    assert [s.shape for s in seen] == [(recorded[1], recorded[0], 3)] * 3
    if ending == ".mp4":
        assert near(seen[0][: size[1], : size[0]], frames[0].composite, 8)


def test_another_size_is_fitted_into_the_open_recording(tmp_path: Path, make_frame: Any) -> None:
    wide = [make_frame(i, i * 40 * MS, size=(320, 180)) for i in range(3)]
    tall = [make_frame(3 + i, (120 + i * 40) * MS, size=(180, 360), epoch=1) for i in range(3)]
    seen = pictures(record(tmp_path / "clip.mp4", wide + tall))
    assert {s.shape for s in seen} == {(180, 320, 3)}
    fitted = seen[-1]
    assert fitted[:, :110].max() < 24
    assert fitted[:, -110:].max() < 24
    assert near(fitted[5:80, 120:155], np.broadcast_to((200, 60, 40), (75, 35, 3)), 8)


def test_nothing_is_written_during_an_outage_and_the_same_file_goes_on(tmp_path: Path, make_frame: Any) -> None:
    items = [
        StreamStart("cam", 0, 0, "live", "rtsp://cam"),
        *(make_frame(i, i * 40 * MS) for i in range(5)),
        Outage("cam", 4, "the camera is gone"),
        StreamStart("cam", 1, 5, "live", "rtsp://cam"),
        *(make_frame(5 + i, (5000 + i * 40) * MS, epoch=1) for i in range(5)),
        EndOfStream("cam", 9),
    ]
    assert times_ms(record(tmp_path / "clip.mp4", items)) == [0, 40, 80, 120, 160, 5000, 5040, 5080, 5120, 5160]


def test_a_new_epoch_whose_clock_starts_lower_goes_on_after_the_last_frame(tmp_path: Path, make_frame: Any) -> None:
    first = [make_frame(i, (1000 + i * 40) * MS) for i in range(3)]
    second = [make_frame(3 + i, i * 40 * MS, epoch=1) for i in range(3)]
    assert times_ms(record(tmp_path / "clip.mp4", first + second)) == [0, 40, 80, 81, 121, 161]


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".webm", ".mkv"])
@pytest.mark.parametrize("pictures_between", [1, 13, 30])
def test_a_recording_is_as_long_as_what_was_seen_after_any_number_of_reconnects(
    tmp_path: Path, make_frame: Any, ending: str, pictures_between: int
) -> None:
    items: list[Any] = [StreamStart("cam", 0, 0, "live", "rtsp://cam", rate_hz=25)]
    time_ms = 0
    for epoch in range(4):
        for _ in range(pictures_between):
            items.append(make_frame(len(items), time_ms * MS, epoch=epoch))
            time_ms += 40
        time_ms += 2000
    items.append(EndOfStream("cam", len(items) - 2))
    path = record(tmp_path / f"clip{ending}", items)
    with av.open(str(path)) as container:
        assert container.duration is not None
        assert container.duration / 1000 == pytest.approx(time_ms - 2000, abs=1)
    assert times_ms(path)[-1] == time_ms - 2040


@pytest.mark.parametrize("name", ["rec-10:30.mp4", "http:a.mkv", "100% [a] {b}.webm", "50%d.mp4", "take:%d.png"])
def test_any_name_is_a_file(tmp_path: Path, make_frame: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record(Path(name), [make_frame(0, 0), make_frame(1, 40 * MS), EndOfStream("cam", 1)])
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".png"] == [name] * (not name.endswith(".png"))
    assert len(list(tmp_path.glob("take:%d-*.png"))) == 2 * name.endswith(".png")


def test_each_camera_has_its_own_file(tmp_path: Path, make_frame: Any) -> None:
    frames = [make_frame(i, i * 40 * MS, camera=c) for i in range(3) for c in ("left", "right")]
    record(tmp_path / "deep" / "{camera}.mp4", frames, ("left", "right"))
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["left.mp4", "right.mp4"]
    assert len(pictures(tmp_path / "deep" / "right.mp4")) == 3


def test_a_camera_that_comes_again_does_not_overwrite_its_first_recording(tmp_path: Path, make_frame: Any) -> None:
    visit = [make_frame(0, 0), make_frame(1, 40 * MS), EndOfStream("cam", 1)]
    record(tmp_path / "clip.mp4", visit + visit)
    assert len(pictures(tmp_path / "clip.mp4")) == len(pictures(tmp_path / "clip-2.mp4")) == 2


def test_the_end_of_a_stream_finishes_its_file_before_the_run_ends(tmp_path: Path, make_frame: Any) -> None:
    sink = open_sink(Recording(path=tmp_path / "clip.mp4"), ["cam"], lambda: None)
    for item in (make_frame(0, 0), make_frame(1, 40 * MS), EndOfStream("cam", 1)):
        sink.write(item)
    assert len(pictures(tmp_path / "clip.mp4")) == 2
    sink.close()
    sink.close()


def test_a_run_without_a_frame_leaves_no_file(tmp_path: Path) -> None:
    record(tmp_path / "clip.mp4", [EndOfStream("cam", -1, "there was nothing")])
    assert list(tmp_path.iterdir()) == []


RECORD_UNTIL_KILLED = """
import sys
from pathlib import Path
import numpy as np
from stream.settings.config import Recording
from stream.message import CompositedFrame, Frame, Picture
from stream.sinks import open_sink

sink = open_sink(Recording(path=Path(sys.argv[1])), ["cam"], lambda: None)
noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
alpha = np.full((120, 160), 255, np.uint8)
for index in range(10**6):
    picture = np.roll(noise, index, axis=1)
    frame = Frame("cam", 0, index, Picture(picture, index * 40_000_000, 0))
    sink.write(CompositedFrame(frame, ("a",), np.zeros((1, 4, 4), np.uint8), alpha, alpha, picture, picture))
    print(index, flush=True)
"""


@pytest.mark.parametrize("ending", [".mp4", ".webm", ".mov", ".mkv"])
def test_a_recording_plays_up_to_the_last_two_seconds_after_kill_9(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"killed{ending}"
    process = subprocess.Popen(
        [sys.executable, "-c", RECORD_UNTIL_KILLED, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout
    written = -1
    while written < 160:  # 6.4 s of video
        written = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    times = times_ms(path)
    assert times == list(range(0, 40 * len(times), 40))
    assert times[-1] >= 40 * written - 2000


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".webm"])
def test_so_does_one_with_sound_that_is_encoded_and_ends_early(tmp_path: Path, ending: str) -> None:
    """The header waits for the encoder's first packets; it must not wait for sound that never comes."""
    path = tmp_path / f"killed{ending}"
    begins = f'sink.write(StreamStart("cam", 0, 0, "file", {str(CASES / "pcm16k.mov")!r}, rate_hz=25))\nnoise ='
    program = RECORD_UNTIL_KILLED.replace("noise =", begins, 1).replace("Picture\n", "Picture, StreamStart\n", 1)
    program = program.replace(
        "Recording(path=Path(sys.argv[1]))", "Recording(path=Path(sys.argv[1]), shows='composite')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert process.stdout
    written = -1
    while written < 160:
        written = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    times = times_ms(path)
    assert times == list(range(0, 40 * len(times), 40))
    assert times[-1] >= 40 * written - 2000


def test_a_full_disk_ends_the_recording_with_a_sentence(tmp_path: Path, make_frame: Any) -> None:
    """`/dev/full` takes no byte; closing afterwards is quiet, because the failure has been told."""
    for ending in (".mp4", ".webm"):
        path = tmp_path / f"full{ending}"
        path.symlink_to("/dev/full")
        sink = open_sink(Recording(path=path), ["cam"], lambda: None)

        def fill(sink: Any = sink) -> None:
            for index in range(100):
                sink.write(make_frame(index, index * 40 * MS))

        with pytest.raises(SinkError, match="No space left on device") as raised:
            fill()
        assert str(path) in str(raised.value)
        sink.close()


UNTIL_THE_DISK_IS_FULL = RECORD_UNTIL_KILLED.replace(
    "import sys", "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))", 1
)


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_what_was_recorded_before_the_disk_was_full_plays(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"grown{ending}"
    ended = subprocess.run(
        [sys.executable, "-c", UNTIL_THE_DISK_IS_FULL, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert (
        ended.stderr.strip().splitlines()[-1]
        == f"stream.sinks.error.SinkError: the recording {path} ends here: File too large"
    )
    assert len(times_ms(path)) >= 10


@pytest.mark.parametrize(
    ("path", "cameras", "says"),
    [
        ("clip.xyz", ("a",), "its ending must be one of .mp4, .mov, .webm"),
        ("clip", ("a",), "its ending must be one of"),
        ("clip.mp4", ("a", "b"), r"2 cameras cannot share a recording: write \{camera\}"),
        ("/proc/none/clip.mp4", ("a",), "cannot record to /proc/none/clip.mp4: No such file or directory"),
        ("/dev/null/clip.mp4", ("a",), "cannot record to /dev/null/clip.mp4: "),
    ],
)
def test_what_cannot_work_is_refused_at_start(tmp_path: Path, path: str, cameras: tuple[str, ...], says: str) -> None:
    with pytest.raises(SinkError, match=says) as raised:
        check([Recording(path=tmp_path / path)], cameras)
    assert "\n" not in str(raised.value)


def test_two_recordings_cannot_share_a_file(tmp_path: Path) -> None:
    twice = [Recording(path=tmp_path / "clip.mp4"), Recording(path=tmp_path / "clip.mp4", codec="h265")]
    with pytest.raises(SinkError, match="2 recordings would be written to the same file"):
        check(twice, ["a"])


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").mkdir()
    with pytest.raises(SinkError, match="Is a directory"):
        check([Recording(path=tmp_path / "clip.mp4")], ["a"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match="Permission denied"):
        check([Recording(path=tmp_path / "clip.mp4")], ["a"])


def test_the_check_makes_folders_and_harms_no_file(tmp_path: Path) -> None:
    old = tmp_path / "old.mp4"
    old.write_bytes(b"before")
    check([Recording(path=old)], ["a"])
    check([Recording(path=tmp_path / "new" / "{camera}.webm")], ["a", "b"])
    assert old.read_bytes() == b"before"
    assert list((tmp_path / "new").iterdir()) == []


def test_the_file_a_recording_is_made_from_is_not_overwritten(tmp_path: Path, make_frame: Any, make_clip: Any) -> None:
    source = make_clip("clip.mp4")
    before = source.read_bytes()
    sink = open_sink(Recording(path=tmp_path / "." / "clip.mp4"), ["cam"], lambda: None)
    sink.write(StreamStart("cam", 0, 0, "file", str(source)))
    with pytest.raises(SinkError, match="would overwrite the file it is made from"):
        sink.write(make_frame(0, 0))
    sink.close()
    assert source.read_bytes() == before


def test_pictures_of_an_earlier_run_are_not_mixed_with_new_ones(tmp_path: Path, make_frame: Any) -> None:
    settings = Recording(path=tmp_path / "[shot].png")
    record(settings.path, [make_frame(0, 0)])
    with pytest.raises(SinkError, match="remove them or choose another name"):
        check([settings], ["cam"])
