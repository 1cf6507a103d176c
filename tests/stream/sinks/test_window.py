"""The preview window, on a real (virtual) screen where there is one: Xvfb."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from stream.settings.config import Window
from stream.sinks import SinkError, check
from stream.sinks.window import no_signal

NO_SCREEN = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a screen")
def test_without_a_screen_it_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SinkError, match=r"there is no screen for a window \(DISPLAY is not set\)"):
        check([Window()], ["cam"])


def test_an_opencv_without_windows_is_told_from_one_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
    with pytest.raises(SinkError, match="install opencv-python in place of opencv-python-headless"):
        check([Window()], ["cam"])


def test_no_signal_is_written_over_the_darkened_picture() -> None:
    bright = np.full((120, 400, 3), 240, np.uint8)
    shown = no_signal(bright)
    assert shown.shape == bright.shape
    assert bright.min() == 240  # the frame itself is not painted on
    assert 0.01 < (shown > 200).mean() < 0.3  # letters
    assert np.median(shown) == 80
    assert no_signal(None).max() == 255


@pytest.fixture
def screen() -> Iterator[str]:
    """A virtual screen; its address."""
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed (see .ci/apt-packages.txt)")
    readable, writable = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writable), "-screen", "0", "640x480x24"],
        pass_fds=[writable],
        stderr=subprocess.DEVNULL,
    )
    os.close(writable)
    with os.fdopen(readable) as answer:
        number = answer.readline().strip()
    assert re.fullmatch(r"\d+", number)
    yield f":{number}"
    process.terminate()
    process.wait()


SHOW = """
import sys
import numpy as np
from stream.settings.config import Window
from stream.message import CompositedFrame, EndOfStream, Frame, Outage, Picture
from stream.sinks import open_sink

stopped = []
sink = open_sink(Window(), ["front-door"], lambda: stopped.append(1))
picture = np.full((300, 400, 3), (40, 60, 200), np.uint8)
alpha = np.zeros((300, 400), np.uint8)
frame = Frame("front-door", 0, 0, Picture(picture, 0, 0))
item = CompositedFrame(frame, ("a",), np.zeros((1, 4, 4), np.uint8), alpha, alpha, picture, picture)
for what in sys.stdin:
    for _ in range(30):
        sink.write(item if what == "frame\\n" else Outage("front-door", 0, "gone"))
    print("shown", flush=True)
sink.write(EndOfStream("front-door", 0))
sink.close()
print("stopped" if stopped else "closed", flush=True)
"""


def seen_on(screen: str) -> Any:
    """What is on the screen, (H, W, 3) uint8 BGR."""
    with av.open(screen, "r", format="x11grab", options={"video_size": "640x480"}) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


def test_a_frame_and_an_outage_are_seen_on_the_screen(screen: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW],
        env={**NO_SCREEN, "DISPLAY": screen},
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    red = {}
    for what in ("frame", "outage"):
        process.stdin.write(f"{what}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "shown\n"
        picture = seen_on(screen).astype(int)
        red[what] = [int((np.abs(picture - c).max(axis=2) < 8).sum()) for c in ((40, 60, 200), (13, 20, 66))]
    out, errors = process.communicate()
    assert out == "closed\n", errors
    assert red["frame"][0] > 0.9 * 300 * 400
    assert red["outage"][0] < 1000
    assert red["outage"][1] > 0.7 * 300 * 400


def test_q_and_escape_ask_the_run_to_end(screen: str) -> None:
    for key in ("113", "27"):
        pressed = SHOW.replace("stopped = []", f"stopped = []; import cv2; cv2.waitKey = lambda _: {key}")
        ended = subprocess.run(
            [sys.executable, "-c", pressed],
            env={**NO_SCREEN, "DISPLAY": screen},
            cwd=Path(__file__).parents[3],
            input="frame\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.stdout.splitlines()[-1] == "stopped", ended.stderr
