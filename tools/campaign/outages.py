"""Network cameras that die, freeze, are cut off or fall silent, beside one to which nothing happens."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.rtsp import RtspServer, missing
from tools.campaign import command
from tools.campaign.plan import Plan
from tools.campaign.proxy import Proxy
from tools.campaign.result import Result, Surroundings, spread
from tools.campaign.viewer import Viewer

REACH_S = 2.0
_RATE_HZ = 5  # five cameras of this rate cost what one at full rate does; still pictures cost no network
_HEALTHY = "healthy"
_GAP_S = 2.0  # the healthy camera may be without a frame for so long, for the machine has two cores
_PATIENCE_S = 20.0
_BRIEF_S, _LONG_S = (0.2, 1.5), (2.7, 3.5)  # a frozen camera is closed after 2.5 s


class Camera:
    """A network camera behind a proxy."""

    def __init__(self, server: RtspServer, proxy: Proxy) -> None:
        self._server = server
        self._proxy = proxy

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Its process is killed, and started again."""
        self._server.kill()
        yield
        self._server.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its process stands still with all its connections open."""
        self._server.freeze()
        yield
        self._server.thaw()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Its connections are reset, and new ones refused."""
        self._proxy.refusing = True
        self._proxy.cut()
        yield
        self._proxy.refusing = False

    @contextmanager
    def unplugged(self) -> Iterator[None]:
        """What it sends does not arrive; then all of it does."""
        self._proxy.hold(True)
        yield
        self._proxy.hold(False)


KINDS: dict[str, tuple[Callable[[Camera], AbstractContextManager[None]], tuple[float, float]]] = {
    "killed": (Camera.killed, _BRIEF_S),
    "frozen": (Camera.frozen, _LONG_S),
    "cut": (Camera.cut, _BRIEF_S),
    "unplugged": (Camera.unplugged, _LONG_S),
}
"""Each kind of outage, and its shortest and longest length in seconds."""


class Outage(NamedTuple):
    """One outage: which camera, its length, and after how long the camera was back (None: not in time)."""

    kind: str
    number: int
    down_s: float
    back_s: float | None


def measure(plan: Plan, around: Surroundings) -> list[Result]:
    """Do as many outages as planned, one after the other on each of four cameras."""
    fault = f"{plan.outages} outages of RTSP cameras: " + ", ".join(KINDS)
    reach = f"back within {REACH_S:g} s of the source; the camera beside them undisturbed"
    if why := missing():
        return [Result(part="outages", fault=fault, reach=reach, missing=why)]
    begun_s = time.monotonic()
    outages, wrong = _done(plan.outages, around)
    back_s = [outage.back_s for outage in outages if outage.back_s is not None]
    late = [outage for outage in outages if outage.back_s is None or outage.back_s > REACH_S]
    return [
        Result(
            part="outages",
            fault=fault,
            reach=reach,
            trials=plan.outages,
            held=0 if wrong else plan.outages - len(late),
            measured=f"back after {spread(back_s)}",
            seconds=time.monotonic() - begun_s,
            failures=tuple(wrong + [_told(outage, around.seed) for outage in late]),
        )
    ]


def _told(outage: Outage, seed: int) -> str:
    back = "never" if outage.back_s is None else f"after {outage.back_s:.2f} s"
    return f"outage {outage.number} ({outage.kind} for {outage.down_s:.2f} s, seed {seed}): back {back}"


def _done(count: int, around: Surroundings) -> tuple[list[Outage], list[str]]:
    """Every outage, and what else went wrong."""
    (port,) = command.free_ports(1)
    with ExitStack() as stack:
        cameras, addresses = _cameras(stack)
        settings = {
            **command.LIGHT,
            "cameras": {name: {"source": address} for name, address in addresses.items()},
            "outputs": [command.publisher(port)],
        }
        run = stack.enter_context(command.running(around.room, "outages", settings))
        viewer = stack.enter_context(Viewer(command.tcp(port), list(addresses)))
        command.wait_for_first_frames(run, viewer, *addresses)
        begun_s = time.monotonic()
        outages = _in_turns(count, cameras, viewer, around.seed)
        gap_s = viewer.longest_gap_s(_HEALTHY, begun_s)
        wrong = [f"the healthy camera was without a frame for {gap_s:.1f} s"] if gap_s > _GAP_S else []
        if len({seen.epoch for seen in viewer.frames(_HEALTHY)}) > 1:
            wrong.append("the healthy camera was opened anew")
        return outages, wrong + command.stopped(run)


def _cameras(stack: ExitStack) -> tuple[dict[str, Camera], dict[str, str]]:
    """A camera for each kind of outage, and the addresses of these and of the healthy one."""
    cameras, addresses = {}, {}
    for name in (*KINDS, _HEALTHY):
        server = stack.enter_context(RtspServer(["--rate", str(_RATE_HZ), "--pattern", "smpte"]))
        proxy = stack.enter_context(Proxy(urlsplit(server.url).port or 0))
        addresses[name] = f"rtsp://127.0.0.1:{proxy.port}/live"
        if name != _HEALTHY:
            cameras[name] = Camera(server, proxy)
    return cameras, addresses


def _in_turns(count: int, cameras: Mapping[str, Camera], viewer: Viewer, seed: int) -> list[Outage]:
    """All cameras at once, each with outages of its own kind one after another, until there were `count`."""
    outages: list[Outage] = []
    numbers = itertools.count()
    lock = threading.Lock()

    def go_on(kind: str) -> None:
        chance = random.Random(f"{seed}/outages/{kind}")
        while True:
            with lock:
                number = next(numbers)
            if number >= count:
                return
            outages.append(_outage(kind, number, cameras[kind], viewer, chance))

    threads = [threading.Thread(target=go_on, args=(kind,)) for kind in cameras]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outages


def _outage(kind: str, number: int, camera: Camera, viewer: Viewer, chance: random.Random) -> Outage:
    done, length_s = KINDS[kind]
    down_s = chance.uniform(*length_s)
    with done(camera):
        time.sleep(down_s)
    up_s = time.monotonic()
    seen = viewer.wait(kind, up_s, _PATIENCE_S)
    time.sleep(chance.uniform(0.1, 0.4))
    return Outage(kind, number, down_s, None if seen is None else seen.arrived_s - up_s)
