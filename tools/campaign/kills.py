"""Workers that are killed while a file is read: no frame may be lost, doubled or changed by a pixel."""

from __future__ import annotations

import hashlib
import itertools
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import psutil

from tests.running import Running
from tools.campaign import command
from tools.campaign.plan import Plan
from tools.campaign.result import Result, Surroundings
from tools.campaign.viewer import Viewer

_CAMERA = "file"
_WORKERS = 2
_FRAMES_A_KILL = 10
_SIZE_PX = (160, 120)
_STARTED = "openvino"  # what a worker says when its network is loaded
_PATIENCE_S = 60.0
_LOOK_S = 0.02
_MOMENT_S = 0.1  # a kill comes within so long of its frame


class Picture(NamedTuple):
    """A recorded frame: its time and a digest of its pixels."""

    time: float | None
    digest: bytes


class Recorded(NamedTuple):
    """What a run left behind; `killed` workers died in it."""

    exit_code: int
    words: str
    pictures: list[Picture]
    killed: int


def measure(plan: Plan, around: Surroundings) -> list[Result]:
    """Record a file undisturbed, then again while workers are killed, and compare."""
    frames = _FRAMES_A_KILL * plan.kills
    begun_s = time.monotonic()
    whole = _recorded("whole", frames, 0, around)
    if whole.exit_code != 0 or len(whole.pictures) != frames:
        raise RuntimeError(f"the undisturbed run failed: {whole.words[-1000:]}")
    killed = _recorded("killed", frames, plan.kills, around)
    wrong = compared(whole, killed, frames)
    same = sum(one == other for one, other in zip(whole.pictures, killed.pictures, strict=False))
    return [
        Result(
            part="kills",
            fault=f"SIGKILL of {plan.kills} workers, at random moments of a file of {frames} frames",
            reach="exit code 0, no frame lost, none doubled, every pixel as without",
            trials=plan.kills,
            held=0 if wrong else killed.killed,
            measured=f"{killed.killed} killed, exit code {killed.exit_code}, {same} of {frames} frames as without",
            seconds=time.monotonic() - begun_s,
            failures=tuple(f"{told} (seed {around.seed})" for told in wrong),
        )
    ]


def compared(whole: Recorded, killed: Recorded, frames: int) -> list[str]:
    """What differs from the undisturbed run, in sentences."""
    wrong = []
    if killed.exit_code != 0:
        wrong.append(f"exit code {killed.exit_code} after {killed.killed} kills: {killed.words[-300:]}")
    if len(killed.pictures) != frames:
        wrong.append(f"{len(killed.pictures)} frames were recorded, expected {frames}")
    times = [picture.time for picture in killed.pictures]
    if times != [picture.time for picture in whole.pictures[: len(times)]]:
        wrong.append("frames are lost, doubled or out of order")
    pairs = zip(whole.pictures, killed.pictures, strict=False)
    changed = [number for number, (one, other) in enumerate(pairs) if one.digest != other.digest]
    if changed:
        wrong.append(f"{len(changed)} frames have other pixels, the first is {changed[0]}")
    return wrong


def _recorded(name: str, frames: int, kills: int, around: Surroundings) -> Recorded:
    (port,) = command.free_ports(1)
    made = around.room / f"{name}.mkv"
    with command.running(around.room, name, _settings(frames, port, made)) as run:
        with Viewer(command.tcp(port), [_CAMERA]) as viewer:
            killed = _kill(run, viewer, frames, kills, random.Random(f"{around.seed}/kills"))
        code = run.exit_code(_PATIENCE_S + frames)
        return Recorded(code, run.words, list(_pictures(made)), killed)


def _settings(frames: int, port: int, made: Path) -> dict[str, Any]:
    size = f"{_SIZE_PX[0]}x{_SIZE_PX[1]}"
    return {
        "matting": "off",
        "cameras": {_CAMERA: {"source": f"synthetic:?frames={frames}&size={size}"}},
        "model": {"workers": _WORKERS, "threads": 1, "frame_deadline_ms": 60_000},
        "outputs": [{"kind": "recording", "path": str(made)}, command.publisher(port)],
    }


def _kill(run: Running, viewer: Viewer, frames: int, kills: int, chance: random.Random) -> int:
    """Kill one worker every few frames, each at a moment of chance; how many were killed."""
    if not kills:
        return 0
    ripe_s = 1.5 * _loading_s(run)
    for number in range(kills):
        if not _wait_until_ripe(run, ripe_s):
            return number
        frame = frames * number // kills + chance.randrange(frames // kills)
        viewer.wait_for_seq(_CAMERA, min(frame, frames - 2 * _FRAMES_A_KILL), _PATIENCE_S)
        time.sleep(chance.uniform(0, _MOMENT_S))
        ripe = _ripe(run, ripe_s)
        if not ripe:
            return number
        chance.choice(ripe).kill()
    return kills


def _loading_s(run: Running) -> float:
    """How long the workers took to load their network."""
    run.wait_for(_STARTED, times=_WORKERS)
    return time.time() - min(worker.create_time() for worker in _workers(run))


def _workers(run: Running) -> list[psutil.Process]:
    return [process for process in run.stages() if "-worker-" in " ".join(process.cmdline())]


def _ripe(run: Running, ripe_s: float) -> list[psutil.Process]:
    """Workers that have loaded; one that dies again and again before stops the run, as it should."""
    try:
        return [worker for worker in _workers(run) if time.time() - worker.create_time() > ripe_s]
    except psutil.Error:
        return []  # one ended while it was looked at, or all did


def _wait_until_ripe(run: Running, ripe_s: float) -> bool:
    """Wait for a worker that may be killed; the reader stands still meanwhile, so that frames are left for it."""
    with _paused(run):
        for _ in itertools.takewhile(lambda _: not run.over, range(int(_PATIENCE_S / _LOOK_S))):
            if _ripe(run, ripe_s):
                return True
            time.sleep(_LOOK_S)
    return False


@contextmanager
def _paused(run: Running) -> Iterator[None]:
    """Let the reader stand still, if there is one any more."""
    try:
        reader = run.stage(f" {_CAMERA}")
        reader.suspend()
    except (AssertionError, psutil.Error):
        yield
        return
    try:
        yield
    finally:
        if reader.is_running():
            reader.resume()


def _pictures(path: Path) -> Iterator[Picture]:
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield Picture(frame.time, hashlib.blake2b(frame.to_ndarray().tobytes(), digest_size=16).digest())
    except (av.FFmpegError, OSError):
        return  # what could be read is all there is
