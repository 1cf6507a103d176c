"""A background video shows the picture of each moment, and starts over at its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clothseg.classes import USUAL
from clothseg.matting.matting import Matte
from clothseg.tryon import BackgroundVideo, open_effects
from stream.composite.background_video import open_background_video
from stream.sources import SourceError
from tests.conftest import MakeClip

MS = 1_000_000


def levels(clip_of: object, times_ms: list[int]) -> list[int]:
    """The level of the clip's lower right corner, which tells its pictures apart."""
    return [int(clip_of(time * MS)[-1, -1, 0]) for time in times_ms]  # type: ignore[operator]


@pytest.fixture
def video(make_clip: MakeClip) -> Path:
    return make_clip("behind.mp4", times_ms=(0, 100, 200, 300))


def test_the_picture_of_the_moment_is_shown_however_fast_it_is_asked(video: Path) -> None:
    one, other = (
        open_background_video(video),
        open_background_video(video),
    )
    assert levels(one, [0, 100, 200, 300]) == levels(other, [0, 50, 100, 150, 200, 250, 300])[::2]


def test_it_starts_over_at_its_end(video: Path) -> None:
    shown = levels(open_background_video(video), list(range(0, 1000, 100)))
    assert shown[4:8] == shown[:4]


def test_the_timeout_counts_from_the_first_call(video: Path) -> None:
    late = open_background_video(video)
    assert levels(late, [9000, 9100]) == levels(open_background_video(video), [0, 100])


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("no video", encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.mp4"):
        open_background_video(path)


def test_cameras_play_it_each_at_their_own_pace(video: Path) -> None:
    [effect] = open_effects([BackgroundVideo(video=video)], open_background_video)
    picture = np.zeros((48, 64, 3), np.uint8)
    nobody = Matte(np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8), picture, USUAL)

    def play(times_ms: list[int]) -> list[int]:
        state, shown = None, []
        for time in times_ms:
            state, made = effect(state, picture, nobody, time * MS)
            shown.append(int(made[-1, -1, 0]))
        return shown

    alone = play([0, 100, 200])
    assert play([70_000, 70_100, 70_200]) == alone


def test_a_video_that_fails_in_mid_run_stands_still_and_that_is_told_once(
    video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = open_background_video(video)
    levels(clip, [0, 100])
    video.write_bytes(b"gone")
    stood = levels(clip, list(range(200, 3000, 100)))
    assert len(set(stood[10:])) == 1
    assert [record.message for record in caplog.records].count(caplog.records[-1].message) == 1
    assert "stands still" in caplog.records[-1].message


def test_after_a_long_gap_the_video_is_not_read_through(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.composite.background_video._MAX_PICTURES", 2)
    clip = open_background_video(video)
    assert levels(clip, [0]) == levels(open_background_video(video), [0])
    assert levels(clip, [10**9, 10**9 + 100]) == levels(open_background_video(video), [0, 200, 300])[1:]


def test_a_playlist_opens_nothing_else(tmp_path: Path, video: Path) -> None:
    for name, text in (
        ("a.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:0.4,\n{video}\n#EXT-X-ENDLIST\n"),
        ("a.txt", f"ffconcat version 1.0\nfile {video.name}\n"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(SourceError, match=name):
            open_background_video(tmp_path / name)
