"""Disks that are full and logs that cannot be written: one output ends, the run does not."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import av

from tests.running import ROOT
from tools.campaign import command
from tools.campaign.plan import Plan
from tools.campaign.result import Result, Surroundings

_PATIENCE_S = 240.0
_FULL_BYTES = 30_000
_CONFIG = "configs/file.yaml"


def measure(plan: Plan, around: Surroundings) -> list[Result]:
    """Record a file under each of the faults."""
    begun_s = time.monotonic()
    wrong = []
    for name, work in KINDS.items():
        if told := work(plan.frames, around.room):
            wrong.append(f"{name}: {told}")
    return [
        Result(
            part="disks",
            fault=", ".join(KINDS),
            reach="the output on the full disk ends, reported once, with exit code 1; a log costs no frame",
            trials=len(KINDS),
            held=len(KINDS) - len(wrong),
            measured=f"{plan.frames} frames each",
            seconds=time.monotonic() - begun_s,
            failures=tuple(wrong),
        )
    ]


def _arguments(frames: int, *recorded: Path) -> list[str]:
    settings = ("matting=off", f"model.frame_deadline_ms={command.LIGHT['model']['frame_deadline_ms']}")
    return [
        _CONFIG,
        *("--source", f"synthetic:?frames={frames}&size=160x120"),
        *(word for path in recorded for word in ("--record", str(path))),
        *(word for setting in settings for word in ("--set", setting)),
    ]


def _full_disk(frames: int, room: Path) -> str | None:
    """Files may not grow; the other output, a publisher, goes on, and every frame is delivered."""

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FULL_BYTES, _FULL_BYTES))

    made = room / "full.mp4"
    code, words = _run(_arguments(frames, made), subprocess.PIPE, prepare=small_files)
    if code != 1 or words.count(f"recording {made} stopped:") != 1:
        return f"exit code {code}, expected 1 and one sentence: {words[-300:]}"
    return None if f"delivered {frames} of {frames}" in words else f"frames were lost: {words[-300:]}"


def _full_log(frames: int, room: Path) -> str | None:
    """Standard error is on a full disk."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        code, _ = _run(_arguments(frames, room / "full-log.mp4"), full.fileno())
    return _recorded(code, frames, room / "full-log.mp4")


def _closed_log(frames: int, room: Path) -> str | None:
    """Standard error is a pipe that is no longer read."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code, _ = _run(_arguments(frames, room / "closed-log.mp4"), writing)
    finally:
        os.close(writing)
    return _recorded(code, frames, room / "closed-log.mp4")


def _run(arguments: list[str], error: int, prepare: Callable[[], None] | None = None) -> tuple[int | None, str]:
    """Exit code (None: it had to be ended) and what was said."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run_stream.py"), *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=error,
        text=True,
        preexec_fn=prepare,  # noqa: PLW1509 (a resource limit, set before any thread is started)
    )
    try:
        _, words = process.communicate(timeout=_PATIENCE_S)
        return process.returncode, words or ""
    except subprocess.TimeoutExpired:
        process.kill()  # its stages notice
        process.wait()
        return None, ""


def _recorded(code: int | None, frames: int, made: Path) -> str | None:
    """What is wrong with a recording that should be whole."""
    if code != 0:
        return f"exit code {code}"
    with av.open(str(made)) as container:
        count = sum(1 for _ in container.decode(video=0))
    return None if count == frames else f"{count} of {frames} frames were recorded"


KINDS: Mapping[str, Callable[[int, Path], str | None]] = {
    "a recording on a full disk": _full_disk,
    "a log on a full disk": _full_log,
    "a log into a closed pipe": _closed_log,
}
"""Each fault; what was wrong, None where nothing was."""
