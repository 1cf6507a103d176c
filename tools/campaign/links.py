"""TCP links between stages that break on one side only: one end thinks it is connected, and speaks into nothing.

Three stages run as on three hosts, each link through a proxy. A frame reaches a subscriber only over all of them,
so a frame captured after the break that is shown proves that everybody is heard again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from tests.running import Running
from tools.campaign import command
from tools.campaign.plan import Plan
from tools.campaign.proxy import Proxy
from tools.campaign.result import Result, Surroundings, spread
from tools.campaign.viewer import Viewer

REACH_S = 3.0
_CAMERA = "front"
_RATE_HZ = 5
_PATIENCE_S = 20.0
_SETTLE_S = (0.3, 1.0)
_FRAME_DEADLINE_MS = 1500  # a frame that was swallowed on its way goes on without the worker, or again, after so long

WAYS: Mapping[str, Callable[[Proxy], int]] = {
    "reset at the end that connected": lambda proxy: proxy.break_at("client"),
    "reset at the end that listens": lambda proxy: proxy.break_at("server"),
    "swallowed towards the end that listens": lambda proxy: proxy.swallow("client"),
    "swallowed towards the end that connected": lambda proxy: proxy.swallow("server"),
}
"""How a connection breaks; the next one is whole."""


class Break(NamedTuple):
    """One break: which link, in which way, and after how long all were heard again (None: not in time)."""

    number: int
    link: str
    way: str
    back_s: float | None


class Hosts(NamedTuple):
    """The stages as on three hosts, the proxies between them by name, and who watches."""

    stages: Mapping[str, Running]
    links: Mapping[str, Proxy]
    viewer: Viewer


def measure(plan: Plan, around: Surroundings) -> list[Result]:
    """Break links one after the other, each in every way."""
    begun_s = time.monotonic()
    with ExitStack() as stack:
        hosts = _hosts(stack, around.room)
        command.wait_for_first_frames(hosts.stages["composite"], hosts.viewer, _CAMERA)
        breaks = _breaks(plan.links, hosts, random.Random(f"{around.seed}/links"))
        wrong = [told for run in hosts.stages.values() for told in command.tracebacks(run)]
        wrong += [f"{name} has ended: {run.words[-300:]}" for name, run in hosts.stages.items() if run.over]
        wrong += command.stopped(hosts.stages["capture"])
    late = [one for one in breaks if one.back_s is None or one.back_s > REACH_S]
    return [
        Result(
            part="links",
            fault=f"{plan.links} links between stages, broken on one side: " + ", ".join(WAYS),
            reach=f"all heard again within {REACH_S:g} s",
            trials=plan.links,
            held=0 if wrong else plan.links - len(late) - (plan.links - len(breaks)),
            measured=f"heard again after {spread([one.back_s for one in breaks if one.back_s is not None])}",
            seconds=time.monotonic() - begun_s,
            failures=tuple(wrong + [_told(one, around.seed) for one in late]),
        )
    ]


def _told(one: Break, seed: int) -> str:
    back = "never" if one.back_s is None else f"after {one.back_s:.2f} s"
    return f"break {one.number} ({one.link}, {one.way}, seed {seed}): heard again {back}"


def _breaks(count: int, hosts: Hosts, chance: random.Random) -> list[Break]:
    """Each link in each way in turn, in an order of chance; ends early where a link is never heard again."""
    turns = [(link, way) for link in hosts.links for way in WAYS]
    breaks: list[Break] = []
    while len(breaks) < count:
        if not len(breaks) % len(turns):
            chance.shuffle(turns)
        link, way = turns[len(breaks) % len(turns)]
        broken_s = time.monotonic()
        WAYS[way](hosts.links[link])
        seen = hosts.viewer.wait(_CAMERA, broken_s, _PATIENCE_S)
        breaks.append(Break(len(breaks), link, way, None if seen is None else seen.arrived_s - broken_s))
        if seen is None:
            break
        time.sleep(chance.uniform(*_SETTLE_S))
    return breaks


def _hosts(stack: ExitStack, room: Path) -> Hosts:
    dispatch, results, published = command.free_ports(3)
    links = {
        "worker to dispatcher": stack.enter_context(Proxy(dispatch)),
        "composite to dispatcher": stack.enter_context(Proxy(dispatch)),
        "worker to composite": stack.enter_context(Proxy(results)),
        "dispatcher to composite": stack.enter_context(Proxy(results)),
    }
    ports = {
        "composite": (links["composite to dispatcher"].port, results),
        "capture": (dispatch, links["dispatcher to composite"].port),
        "inference": (links["worker to dispatcher"].port, links["worker to composite"].port),
    }
    stages = {
        stage: stack.enter_context(
            command.running(room, stage, _settings(to_dispatch, to_results, published), "--stage", stage)
        )
        for stage, (to_dispatch, to_results) in ports.items()
    }
    return Hosts(stages, links, stack.enter_context(Viewer(command.tcp(published), [_CAMERA])))


def _settings(dispatch: int, results: int, published: int) -> dict[str, Any]:
    """What one host is told; frames wait for their masks, so that each has gone over every link."""
    return {
        **command.LIGHT,
        "model": {"threads": 1, "workers": 2, "frame_deadline_ms": command.frame_deadline_ms(_FRAME_DEADLINE_MS)},
        "pace": "off",
        "cameras": {_CAMERA: command.synthetic(_RATE_HZ)},
        "transport": {"dispatch": command.tcp(dispatch), "results": command.tcp(results)},
        "outputs": [command.publisher(published)],
    }
