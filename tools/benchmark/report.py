"""Everything that was measured in one run of the benchmark, and on which machine."""

import functools
import os
import platform
from collections.abc import Callable
from pathlib import Path

import msgspec

from clothseg.engines import available_cores
from tools.benchmark import clip, end_to_end, engines, peers, rtsp, stages
from tools.benchmark.end_to_end import EndToEnd
from tools.benchmark.engines import EngineTime
from tools.benchmark.peers import Peers
from tools.benchmark.stages import Stage

HD, FULL_HD = (1280, 720), (1920, 1080)
Tell = Callable[[str], None]
"""What is told what is measured next."""

_SLACK_S = 12.0  # of a clip beyond what is waited for and measured: to start
_WAITING_S = 0.25  # two then make as many masks as frames have a use for, and need not share the processor
_SLOW_WORKER = str(Path(__file__).with_name("slow_worker.py"))


class Machine(msgspec.Struct, frozen=True):
    """What it was measured on; `load` is the load average of the minute before, 0 where nothing else was done."""

    processor: str
    cores: int
    amx: bool
    vnni: bool
    memory_gb: float
    system: str
    python: str
    load: float


class Lengths(msgspec.Struct, frozen=True):
    """How long each part is measured: seconds of runs, frames, rounds."""

    settle_s: float  # after the first frame, until the pace has found its level
    main_s: float  # of the main job, from RTSP as well, and under overload
    soak_s: float | None  # of the main job once more, for its memory; None: that of the first run is all there is
    side_s: float | None
    frames: int
    rounds: int
    peer_rounds: int


DEFAULT = Lengths(settle_s=8, main_s=20, soak_s=60, side_s=12, frames=100, rounds=20, peer_rounds=4)
QUICK = Lengths(settle_s=2, main_s=3, soak_s=None, side_s=None, frames=12, rounds=2, peer_rounds=0)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The results: `end_to_end` is the main job with its defaults, `soak` the same at length; `runs` are that job
    changed in one thing."""

    machine: Machine
    lengths: Lengths
    end_to_end: EndToEnd
    runs: dict[str, EndToEnd]
    stages: dict[str, Stage]
    engines: list[EngineTime]
    peers: Peers | None
    soak: EndToEnd | None


def measure(lengths: Lengths, room: Path, tell: Tell) -> Report:
    """Measure it all, in the folder `room`; `tell` is told what is next."""
    machine = this_machine()
    moving = _clip(room, tell, HD, lengths.settle_s + max(lengths.main_s, lengths.soak_s or 0))
    tell(f"the main job for {lengths.main_s:g} s")
    main = end_to_end.measure(str(moving), lengths.main_s, warm_up_s=lengths.settle_s)
    runs = _side_runs(moving, lengths, lengths.side_s, room, tell) if lengths.side_s else {}
    pictures = list(clip.pictures(HD))[:8]
    against = None
    if lengths.peer_rounds:
        tell("the peers, in turns with ours")
        against = peers.measure(pictures, lengths.peer_rounds)
        main = msgspec.structs.replace(main, times_rembg=against.times_rembg)
    tell("every stage by itself")
    by_stage = stages.measure(moving, lengths.frames, available_cores())
    tell("every engine")
    by_engine = engines.measure(pictures[0], lengths.rounds, available_cores())
    soak = None
    if lengths.soak_s:  # last: what else is done on the machine meanwhile changes no memory
        tell(f"the main job for {lengths.soak_s:g} s, for its memory")
        soak = end_to_end.measure(str(moving), lengths.soak_s, warm_up_s=lengths.settle_s)
    return Report(
        machine=machine,
        lengths=lengths,
        end_to_end=main,
        runs=runs,
        stages=by_stage,
        engines=by_engine,
        peers=against,
        soak=soak,
    )


def _side_runs(moving: Path, lengths: Lengths, length_s: float, room: Path, tell: Tell) -> dict[str, EndToEnd]:
    """The main job changed in one thing at a time."""
    runs: dict[str, EndToEnd] = {}
    settle_s = lengths.settle_s
    measure_one = functools.partial(end_to_end.measure, measured_s=length_s, warm_up_s=settle_s)
    for precision in ("int8", "fp32"):
        tell(f"{precision} forced")
        runs[precision] = measure_one(str(moving), settings={"model": {"precision": precision}})
    tell("from RTSP")
    try:
        with rtsp.served(moving) as address:
            runs["rtsp"] = end_to_end.measure(address, lengths.main_s, warm_up_s=settle_s)
    except rtsp.NoServerError as missing:
        tell(f"no RTSP server here: {missing}")
    still = _clip(room, tell, HD, settle_s + length_s, scene="still")
    tell("a still scene")
    runs["still"] = measure_one(str(still))
    large = _clip(room, tell, FULL_HD, settle_s + length_s)
    tell("1080p")
    runs["1080p"] = measure_one(str(large))
    fast = _clip(room, tell, HD, settle_s + lengths.main_s, rate_hz=60)
    tell("60 fps in, a network slowed to 10 fps by waiting")
    runs["overload"] = end_to_end.measure(
        str(fast), lengths.main_s, warm_up_s=settle_s, workers=[(_SLOW_WORKER, "0.1")]
    )
    for workers in (1, 2):
        tell(f"{workers} × a network slowed to {1 / _WAITING_S:.0f} fps by waiting")
        runs[f"waiting x {workers}"] = measure_one(str(moving), workers=[(_SLOW_WORKER, str(_WAITING_S))] * workers)
    return runs


def _clip(
    room: Path,
    tell: Tell,
    size_px: tuple[int, int],
    length_s: float,
    *,
    rate_hz: int = 30,
    scene: clip.Scene = "moving",
) -> Path:
    path = room / f"{scene}-{size_px[1]}p{rate_hz}.mp4"
    tell(f"making {path.name}")
    clip.write_clip(path, size_px, rate_hz, length_s + _SLACK_S, scene)
    return path


def this_machine() -> Machine:
    """The machine as it is now."""
    import psutil

    from clothseg.engines.choice import this_host

    host = this_host()
    return Machine(
        processor=_processor(),
        cores=available_cores(),
        amx=host.fast_bf16,
        vnni=host.fast_int8,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=platform.platform(terse=True),
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
