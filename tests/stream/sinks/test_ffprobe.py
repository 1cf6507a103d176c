"""Every format as Debian's own FFmpeg sees it, which is not the one that wrote it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from stream.message import EndOfStream
from stream.settings.config import Recording
from stream.sinks import open_sink
from stream.sinks.formats import CODECS, CONTAINERS

pytestmark = pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed: apt install ffmpeg")

NAMES = {"h264": "h264", "h265": "hevc", "vp9": "vp9", "prores": "prores", "ffv1": "ffv1"}
ROWS = [(ending, codec) for ending, container in CONTAINERS.items() for codec in container.codecs if codec in NAMES]
DECODERS = {"vp9": ["-c:v", "libvpx-vp9"]}  # the only one of FFmpeg's that reads the alpha beside VP9
TIMES_MS = [0, 40, 80, 400, 440]
SIZE = (160, 120)


@pytest.fixture
def record(tmp_path: Path, make_frame: Any) -> Any:
    def recorded(ending: str, codec: Any) -> tuple[Path, list[Any]]:
        path = tmp_path / f"clip{ending}"
        frames = [make_frame(i, t * 1_000_000, size=SIZE) for i, t in enumerate(TIMES_MS)]
        sink = open_sink(Recording(path=path, codec=codec), ["cam"], lambda: None)
        for item in [*frames, EndOfStream("cam", len(frames) - 1)]:
            sink.write(item)
        sink.close()
        return path, frames

    return recorded


@pytest.mark.parametrize(("ending", "codec"), ROWS)
def test_ffprobe_finds_the_codec_the_size_and_every_time(record: Any, ending: str, codec: str) -> None:
    path, _ = record(ending, codec)
    shown = "stream=codec_name,width,height:frame=pts_time"
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", shown, "-of", "json", str(path)]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=30)
    assert answer.stderr == b""
    found = msgspec.json.decode(answer.stdout)
    (stream,) = found["streams"]
    assert stream["codec_name"] == NAMES[codec]
    assert (stream["width"], stream["height"]) == SIZE
    assert [round(1000 * float(frame["pts_time"])) for frame in found["frames"]] == TIMES_MS


@pytest.mark.parametrize(("ending", "codec"), [row for row in ROWS if CODECS[row[1]].alpha is not None])
def test_ffmpeg_reads_the_alpha_that_was_written(record: Any, ending: str, codec: str) -> None:
    path, frames = record(ending, codec)
    plane = ["-vf", "alphaextract,format=gray", "-f", "rawvideo", "-fps_mode", "passthrough", "-"]
    command = ["ffmpeg", "-v", "error", *DECODERS.get(codec, []), "-i", str(path), *plane]
    read = np.frombuffer(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout, np.uint8)
    alpha = read.reshape(len(frames), SIZE[1], SIZE[0]).astype(int)
    error = np.abs(alpha - np.stack([frame.alpha for frame in frames])).mean()
    assert error <= {"ffv1": 0, "prores": 2, "vp9": 4}[codec]
