"""A run that is changed while it goes on: `run_stream.py` and `tools/control.py` as a user starts them, the pictures as
a subscriber gets them."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import zmq

from clothseg.command import control
from clothseg.labels import BOTTOM, DRESS, PERSON, TOP
from stream.client import PublishedFrame, Subscriber
from stream.message import Pixels
from tests.running import ROOT, Running, run

pytestmark = pytest.mark.timeout(120)

GARMENT = ROOT / "configs/garments/striped-top.png"
CONFIG = """
cameras:
  front: {{source: "synthetic:", mode: live, rate_hz: 10}}
effects: []
control: {{bind: "{control}"}}
outputs:
  - {{kind: publisher, bind: "{publisher}"}}
  - {{kind: recording, path: "{folder}/view.mp4"}}
"""


class Stage(NamedTuple):
    """A run under way: whom to ask, and what it shows."""

    running: Running
    control: str
    frames: Subscriber

    def tool(self, *words: str) -> tuple[int, str]:
        """Run the command here; its exit code, and what it said."""
        with io.StringIO() as said, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return control.main(["--endpoint", self.control, *words]), said.getvalue()

    def effects(self, *effects: dict[str, Any]) -> None:
        """Run the command as a user does."""
        command = [sys.executable, str(ROOT / "tools/control.py"), "--endpoint", self.control]
        subprocess.run([*command, "effects", json.dumps(effects)], check=True, capture_output=True, timeout=50)

    def shown(self, what: Callable[[PublishedFrame], object]) -> PublishedFrame:
        """The first picture of which `what` is true; the test's time limit is how long it may take."""
        return next(frame for frame in self.frames if what(frame))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("run")
    asked, publisher = f"ipc://{folder}/control", f"ipc://{folder}/frames"
    config = folder / "run.yaml"
    config.write_text(CONFIG.format(control=asked, publisher=publisher, folder=folder), encoding="utf-8")
    with Running(str(config)) as running:
        running.wait_for("front: live")
        with Subscriber(publisher, kinds=["composite", "alpha", "parts"], timeout_s=60) as frames:
            yield Stage(running, asked, frames)
        running.send(signal.SIGINT)
        assert running.exit_code(10) == 0, running.words
    assert (folder / "view.mp4").stat().st_size > 10_000


def median(frame: PublishedFrame, label: int) -> Pixels:
    """The colour (3,) BGR in which most of a class is shown."""
    pixels = frame.composite[frame.parts == label]
    return np.asarray(np.median(pixels, axis=0)) if pixels.size else np.full(3, np.nan)


def near(colour: Pixels, bgr: tuple[int, int, int], tolerance: int = 40) -> bool:
    return bool(np.abs(colour - bgr).max() < tolerance)


def test_background_and_garment_are_switched_and_switched_back(stage: Stage) -> None:
    plain = stage.shown(lambda frame: all((frame.parts == kind).mean() > 0.02 for kind in (TOP, DRESS)))
    wall, shirt = median(plain, 0), median(plain, TOP)
    stage.effects({"effect": "background_colour", "colour": "#00ff00"})
    stage.shown(lambda frame: near(median(frame, 0), (0, 255, 0), 4) and near(median(frame, TOP), tuple(shirt)))
    stage.effects({"effect": "recolour", "part": "top", "colour": "#d02020"})
    red = stage.shown(lambda frame: near(median(frame, TOP), (32, 32, 208), 60) and (frame.parts == DRESS).any())
    assert near(median(red, 0), tuple(wall), 8)
    assert near(median(red, DRESS), tuple(median(plain, DRESS)), 12)
    stage.effects({"effect": "garment", "part": "top", "image": str(GARMENT)})
    stage.shown(lambda frame: (frame.parts == TOP).any() and frame.composite[frame.parts == TOP].std() > 60)  # stripes
    stage.effects()
    stage.shown(lambda frame: near(median(frame, TOP), tuple(shirt), 12))


def is_cut_out(parts: set[int], frame: PublishedFrame) -> bool:
    """Whether these classes are cut out, and no other."""
    alphas = {k: frame.alpha[frame.parts == k] for k in (PERSON, TOP, BOTTOM, DRESS)}
    return {k for k, alpha in alphas.items() if alpha.size and np.median(alpha) > 128} == parts


def test_what_is_cut_out_is_switched(stage: Stage) -> None:
    everyone = {PERSON, TOP, BOTTOM, DRESS}
    stage.shown(functools.partial(is_cut_out, everyone))
    for cutout, parts in (("top", {TOP}), ("dress", {DRESS}), ("clothing", {TOP, BOTTOM, DRESS})):
        assert stage.tool("cutout", cutout) == (0, '{\n  "reply": "accepted"\n}\n')
        stage.shown(functools.partial(is_cut_out, parts))
    stage.tool("cutout", "person")
    stage.shown(functools.partial(is_cut_out, everyone))


def test_the_view_is_switched(stage: Stage) -> None:
    assert stage.tool("panels", "composite", "parts", "--camera", "front")[0] == 0
    stage.shown(lambda frame: frame.composite.shape[1] == 2 * frame.width)
    assert stage.tool("panels", "composite")[0] == 0
    stage.shown(lambda frame: frame.composite.shape[1] == frame.width)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("effects", "[{effect: sparkle}]"), "sparkle"),
        (("effects", "[{effect: background_image, image: README.md}]"), "neither a PNG nor a JPEG"),
        (("effects", "[{effect: background_image, image: nowhere.png}]"), "nowhere.png"),
        (("effects", "[{effect: background_video, video: README.md}]"), "README.md"),
        (("effects", "[{effect: texture, part: hat, image: a.png}]"), "part"),
        (("effects", "[{effect: recolour, part: top, colour: reddish}]"), "colour"),
        (("effects", "[", "--camera", "front"), "expected a list in YAML"),
        (("cutout", "top", "--camera", "nobody"), "expected one of front, got nobody"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence_and_the_stream_goes_on(
    stage: Stage, words: tuple[str, ...], complaint: str
) -> None:
    before = json.loads(stage.tool("status")[1])["cameras"][0]
    code, said = stage.tool(*words)
    assert code == 1
    assert complaint in said
    assert len(said.strip().splitlines()) == 1
    after = json.loads(stage.tool("status")[1])["cameras"][0]
    assert after["look"] == before["look"]
    assert (after["state"], after["epoch"]) == ("live", before["epoch"])
    stage.shown(lambda frame: frame.seq > before["last_seq"])


@pytest.mark.parametrize(
    "garbage", [b"", b"garbage", b"[]", b"\x80\x04.", b'{"request":"no such"}', b"[" * 100_000, b'"' + b"x" * 1_000_000]
)
def test_a_message_that_is_no_request_is_answered_with_a_sentence_and_the_stream_goes_on(
    stage: Stage, garbage: bytes
) -> None:
    with zmq.Context() as context, context.socket(zmq.REQ) as asker:
        asker.setsockopt(zmq.RCVTIMEO, 10_000)
        asker.setsockopt(zmq.LINGER, 0)
        asker.connect(stage.control)
        asker.send(garbage)
        reply = json.loads(asker.recv())
    assert reply["reply"] == "rejected"
    assert reply["error"]
    assert "\n" not in reply["error"]
    last = stage.shown(lambda _: True).seq
    stage.shown(lambda frame: frame.seq > last)


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        ("{kind: recording, path: out/a.mp4, codec: divx}", "outputs.0.codec"),
        ("{kind: recording, path: out/a.webm, codec: prores}", "prores"),
        ("{kind: recording, path: /proc/nothing/a.mp4}", "cannot record to /proc/nothing/a.mp4"),
        ('{kind: push, url: "ftp://127.0.0.1/a"}', "expected an address that begins with"),
    ],
)
def test_an_output_that_cannot_be_is_refused_at_start_in_a_sentence(
    tmp_path: Path, output: str, complaint: str
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(f'cameras: {{a: {{source: "synthetic:"}}}}\noutputs: [{output}]\n', encoding="utf-8")
    code, words = run(str(config))
    assert code == 2
    assert complaint in words
    assert len(words.strip().splitlines()) == 1
