"""The whole command as a user starts it, watched from outside: rate, latency, CPU and memory of its processes."""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import psutil

from stream.client import Subscriber
from stream.transport.protocol import PublishedFrame
from stream.transport.sockets import private_endpoints, remove_folder
from tools.benchmark.clip import ROOT

_START_TIMEOUT_S = 60.0  # a first start compiles the network
_LOOK_S = 0.25
_LEAST_FRAMES = 10


class Percentiles(msgspec.Struct, frozen=True):
    """Median and 95th percentile."""

    p50: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Percentiles":
        """Of the values, rounded to a hundredth."""
        p50, p95 = np.percentile(values, (50, 95))
        return cls(round(float(p50), 2), round(float(p95), 2))


class EndToEnd(msgspec.Struct, frozen=True, kw_only=True):
    """One run, measured from `warm_up_s` after its first frame for `measured_s`.

    `latency_ms`: from a picture's capture to its cut-out in the hands of a subscriber. `cpu_ms_per_frame`:
    user and system time of all its processes over the frames that arrived; `stages_cpu_ms` by process.
    `peak_rss_mb`: the greatest sum of the resident memory of its processes; pages they share, as those of
    libraries, count once for each. `dropped`: pictures of the measured time that did not arrive. `masks_hz`: masks
    of the network that were shown, a second; the other frames' were carried on, and were `mask_age_ms` old.
    `first_frame_s`: from the start of the command to the first cut-out.
    """

    fps: float
    latency_ms: Percentiles
    cpu_ms_per_frame: float
    peak_rss_mb: float
    times_rembg: float | None = None
    frames: int
    dropped: int
    measured_s: float
    first_frame_s: float
    stages_cpu_ms: dict[str, float]
    latency_ms_by_fifth: list[float]
    rss_mb_by_fifth: list[float]
    masks_hz: float
    mask_age_ms: Percentiles


class _Seen(NamedTuple):
    """One frame at the subscriber."""

    age_ms: float
    pts_ns: int
    mask_age_ns: int
    now_ns: int


def measure(
    source: str,
    measured_s: float,
    *,
    settings: Mapping[str, Any] | None = None,
    warm_up_s: float = 2.0,
    workers: Sequence[Sequence[str]] = (),
) -> EndToEnd:
    """Play `source`, a clip or an address, in real time through the command: cut-outs published, composite recorded.

    The recording is H.264. `settings` are laid over the default configuration. With `workers`, the command runs without
    inference of its own, and these programs, with the two endpoints behind their words, work in its place.
    Raises RuntimeError with the command's own words where it does not run.
    """
    endpoints, folder = private_endpoints(("publish", "dispatch", "results"))
    with tempfile.TemporaryDirectory() as room:
        config: dict[str, Any] = {
            "cameras": {"bench": {"source": source, "mode": "live"}},
            "outputs": [
                {"kind": "publisher", "bind": endpoints["publish"]},
                {"kind": "recording", "path": str(Path(room) / "composite.mp4"), "sound": "none"},
            ],
            **(settings or {}),
        }
        if workers:
            config["transport"] = {"dispatch": endpoints["dispatch"], "results": endpoints["results"]}
        path = Path(room) / "bench.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        stages = [["--stage", "capture"], ["--stage", "composite"]] if workers else [[]]
        commands = [[sys.executable, str(ROOT / "run_stream.py"), str(path), *stage] for stage in stages]
        commands += [[sys.executable, *worker, endpoints["dispatch"], endpoints["results"]] for worker in workers]
        log = Path(room) / "words.txt"
        started_s = time.monotonic()
        with log.open("w") as words:
            family = [subprocess.Popen(command, cwd=ROOT, stdout=words, stderr=words) for command in commands]
        try:
            with Subscriber(endpoints["publish"], kinds=["cutout"], timeout_s=_START_TIMEOUT_S) as subscriber:
                return _watch(subscriber, family, started_s, warm_up_s, measured_s)
        except Exception as error:
            raise RuntimeError(f"the run could not be measured ({error}): {log.read_text()[-2000:]}") from error
        finally:
            _end(family)
            remove_folder(folder)


def _watch(
    subscriber: Subscriber,
    family: Sequence["subprocess.Popen[bytes]"],
    started_s: float,
    warm_up_s: float,
    measured_s: float,
) -> EndToEnd:
    """Receive until the measured time is over; usage is read at its two ends."""
    frames: list[_Seen] = []
    usage = _Usage([process.pid for process in family])
    first_s = begin_s = None
    before: dict[str, float] = {}
    with usage:
        while begin_s is None or time.monotonic() < begin_s + measured_s:
            frame = subscriber.receive(500)
            now_ns = time.monotonic_ns()
            if frame is None:
                if subscriber.ended or time.monotonic() - started_s > _START_TIMEOUT_S + measured_s:
                    raise RuntimeError("it ended before the measured time")
                continue
            first_s = first_s or now_ns / 1e9
            if begin_s is None and now_ns / 1e9 > first_s + warm_up_s:
                begin_s, before = now_ns / 1e9, usage.cpu_s()
                usage.rss_mb.clear()
            if begin_s is not None:
                frames.append(_seen(frame, now_ns))
        after = usage.cpu_s()
    assert first_s is not None
    rate_hz = subscriber.streams["bench"].rate_hz
    assert rate_hz is not None
    spent_s = {name: after[name] - before.get(name, 0.0) for name in after}
    return _summed(frames, rate_hz, spent_s, usage, first_s - started_s)


def _seen(frame: PublishedFrame, now_ns: int) -> _Seen:
    return _Seen((now_ns - frame.captured_ns) / 1e6, frame.pts_ns, frame.mask_age_ns, now_ns)


def _summed(
    frames: Sequence[_Seen],
    rate_hz: float,
    cpu_s: Mapping[str, float],
    usage: "_Usage",
    first_frame_s: float,
) -> EndToEnd:
    """Of the frames seen and the source's rate, by which the missing are counted."""
    if len(frames) < _LEAST_FRAMES:
        raise RuntimeError(f"expected at least {_LEAST_FRAMES} frames in the measured time, got {len(frames)}")
    ages_ms = [frame.age_ms for frame in frames]
    pts_ns = [frame.pts_ns for frame in frames]
    length_s = (frames[-1].now_ns - frames[0].now_ns) / 1e9
    return EndToEnd(
        fps=round((len(frames) - 1) / length_s, 2),
        latency_ms=Percentiles.of(ages_ms),
        cpu_ms_per_frame=round(1000 * sum(cpu_s.values()) / len(frames), 2),
        peak_rss_mb=round(max(usage.rss_mb), 1),
        frames=len(frames),
        dropped=round((pts_ns[-1] - pts_ns[0]) / 1e9 * rate_hz) + 1 - len(frames),
        measured_s=round(length_s, 2),
        first_frame_s=round(first_frame_s, 2),
        stages_cpu_ms={name: round(1000 * seconds / len(frames), 2) for name, seconds in sorted(cpu_s.items())},
        latency_ms_by_fifth=_by_fifth(ages_ms),
        rss_mb_by_fifth=_by_fifth(usage.rss_mb),
        masks_hz=round(len({frame.pts_ns - frame.mask_age_ns for frame in frames}) / length_s, 2),
        mask_age_ms=Percentiles.of([frame.mask_age_ns / 1e6 for frame in frames]),
    )


def _by_fifth(values: Sequence[float]) -> list[float]:
    """The median of each fifth of the time."""
    return [round(float(np.median(fifth)), 1) for fifth in np.array_split(values, 5) if len(fifth)]


class _Usage:
    """What the processes of a run use; their memory is watched by a thread while the context is open."""

    def __init__(self, pids: Sequence[int]) -> None:
        self.rss_mb: list[float] = []
        self._parents = [psutil.Process(pid) for pid in pids]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Usage":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def cpu_s(self) -> dict[str, float]:
        """Seconds of CPU so far, user and system, by the name of the stage."""
        used: dict[str, float] = {}
        for process in self._all():
            try:
                times, name = process.cpu_times(), _stage(process)
            except psutil.Error:
                continue  # it has just ended
            used[name] = used.get(name, 0.0) + times.user + times.system
        return used

    def _look(self) -> None:
        while not self._over.wait(_LOOK_S):
            resident = 0.0
            for process in self._all():
                try:
                    resident += process.memory_info().rss / 1e6
                except psutil.Error:
                    continue  # it has just ended
            self.rss_mb.append(resident)

    def _all(self) -> list[psutil.Process]:
        return [p for parent in self._parents for p in (parent, *parent.children(recursive=True))]


def _stage(process: psutil.Process) -> str:
    """`capture`, `dispatch`, `inference`, `composite`, or `supervisor` for all else."""
    title = " ".join(process.cmdline())
    found = re.match(r"run_stream (.*)", title)
    if found is None:
        return "inference" if "slow_worker" in title else "supervisor"
    name = found[1].strip()
    return "inference" if "-worker-" in name else "capture" if name == "bench" else name


def _end(family: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in family:
        process.terminate()
    for process in family:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
