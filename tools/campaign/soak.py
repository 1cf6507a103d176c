"""A run that goes on beside all other parts, with everyday wear; what it holds is fitted with a line."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import zmq
from msgspec import structs
from websockets.exceptions import WebSocketException

from tests.running import Running
from tools.campaign import command, family, trend
from tools.campaign.family import Held
from tools.campaign.result import Result
from tools.campaign.viewer import Viewer
from tools.campaign.visitor import opened, picture

REACH_AN_HOUR = 1.0
"""Megabytes, descriptors, threads."""
_CAMERA = "front"
_RATE_HZ = 2
_LOOK_S = 1.0
_WARM_S, _WARM_SHARE = 600.0, 0.4  # of a run shorter than that, this share comes before the fit
_WEAR_S = 2.0
_SHORT_S = 1800.0  # after less than that a slope of the reach cannot be told from none
_LEAST_POINTS = 10


class Sample(NamedTuple):
    """What the run held at a time."""

    at_s: float
    held: Held


class Soak:
    """The run, while its context is open; `result` says what it came to, once it has closed."""

    def __init__(self, seed: int, room: Path) -> None:
        self._chance = random.Random(f"{seed}/soak")
        self._room = room
        self._samples: list[Sample] = []
        self._wrong: list[str] = []
        self._wears = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._wear)]
        self._stack = ExitStack()
        self._begun_s = time.monotonic()
        self._published, self._page, self._control = command.free_ports(3)
        self._run: Running | None = None

    def __enter__(self) -> Soak:
        settings: dict[str, Any] = {
            "model": {"threads": 1, "frame_deadline_ms": 60_000},
            "cameras": {_CAMERA: command.synthetic(_RATE_HZ, (160, 120))},
            "outputs": [command.publisher(self._published), {"kind": "mjpeg", "bind": "127.0.0.1:0"}],
            "control": {"bind": command.tcp(self._control)},
            "web": {"bind": f"127.0.0.1:{self._page}"},
        }
        with ExitStack() as stack:
            self._run = stack.enter_context(command.running(self._room, "soak", settings))
            viewer = stack.enter_context(Viewer(command.tcp(self._published), [_CAMERA], "composite"))
            command.wait_for_first_frames(self._run, viewer, _CAMERA)
            self._stack = stack.pop_all()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert self._run is not None
        self._wrong += command.stopped(self._run)
        self._stack.close()

    @property
    def seconds(self) -> float:
        """How long it has gone on."""
        return time.monotonic() - self._begun_s

    def result(self) -> Result:
        """What grew, and how fast."""
        return judged(self._samples, self._wears, self._wrong, self.seconds)

    def _look(self) -> None:
        assert self._run is not None
        while not self._over.wait(_LOOK_S):
            self._samples.append(Sample(time.monotonic(), family.held(self._run.stages())))

    def _wear(self) -> None:
        """What happens to a run in a day, every few seconds."""
        while not self._over.wait(self._chance.uniform(0, 2 * _WEAR_S)):
            with contextlib.suppress(OSError, WebSocketException, zmq.ZMQError):
                self._chance.choice((self._visit, self._subscribe, self._ask))()
                self._wears += 1

    def _visit(self) -> None:
        """A visitor comes, is seen for a moment, and goes."""
        with opened(self._page) as link:
            link.send('{"type": "send_camera"}')
            for number in range(self._chance.randint(1, 10)):
                link.send(picture(number))
                time.sleep(0.1)

    def _subscribe(self) -> None:
        """A subscriber comes, takes a few frames, and goes."""
        with zmq.Context() as context, context.socket(zmq.SUB) as link:
            link.setsockopt(zmq.LINGER, 0)
            link.connect(command.tcp(self._published))
            link.subscribe(f"{_CAMERA}/cutout+parts/{self._chance.choice(('raw', 'png', 'jpeg'))}")
            for _ in range(self._chance.randint(1, 3)):
                if link.poll(2000):
                    link.recv_multipart()

    def _ask(self) -> None:
        """What is shown is changed."""
        effects: list[dict[str, Any]] = self._chance.choice(
            ([], [{"effect": "background_blur"}], [{"effect": "recolour", "part": "top", "colour": "#aa2233"}])
        )
        with zmq.Context() as context, context.socket(zmq.REQ) as link:
            link.setsockopt(zmq.LINGER, 0)
            link.connect(command.tcp(self._control))
            link.send(json.dumps({"request": "set_effects", "effects": effects}).encode())
            if link.poll(5000):
                link.recv()


def judged(samples: list[Sample], wears: int, wrong: list[str], seconds: float) -> Result:
    """The lines through memory, descriptors and threads after the warm-up.

    The reach is about what grows for certain: the slope less two standard errors. A short run cannot tell a slope of
    the reach from none, and says so.
    """
    begun_s = samples[0].at_s if samples else 0.0
    length_s = samples[-1].at_s - begun_s if samples else 0.0
    warm_s = min(_WARM_S, _WARM_SHARE * length_s)
    late = [sample for sample in samples if sample.at_s - begun_s >= warm_s]
    untold = Result(
        part="soak",
        fault=f"a run with everyday wear ({wears} visitors, subscribers and changes), beside all other parts",
        reach=f"memory grows by less than {REACH_AN_HOUR:g} MB an hour, descriptors and threads by less than one",
        missing="the campaign was too short",
        seconds=seconds,
        failures=tuple(wrong),
    )
    if len(late) < _LEAST_POINTS:
        return untold
    hours = [(sample.at_s - begun_s) / 3600 for sample in late]
    lines = [trend.fit(hours, [value[index] for value in (sample.held for sample in late)]) for index in range(3)]
    grown = [
        f"{name} grow by {line.slope:.1f} ± {2 * line.error:.1f} an hour"
        for name, line in zip(("megabytes", "descriptors", "threads"), lines, strict=True)
        if line.least > REACH_AN_HOUR
    ]
    memory, descriptors, threads = lines
    short = " (too short to tell the reach from none)" if length_s - warm_s < _SHORT_S else ""
    return structs.replace(
        untold,
        missing=None,
        trials=1,
        held=0 if grown or wrong else 1,
        measured=f"{memory.slope:+.1f} ± {2 * memory.error:.1f} MB an hour, descriptors {descriptors.slope:+.1f} ± "
        f"{2 * descriptors.error:.1f}, threads {threads.slope:+.1f} ± {2 * threads.error:.1f}, over "
        f"{(length_s - warm_s) / 60:.1f} min after {warm_s / 60:.1f} min{short}",
        memory_mb=late[-1].held.memory_mb - late[0].held.memory_mb,
        failures=(*grown, *wrong),
    )
