"""Subscribers that take nothing, come and go, or invent topics, beside one that keeps up."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import zmq

from tools.campaign import command, family
from tools.campaign.plan import Plan
from tools.campaign.result import Result, Surroundings
from tools.campaign.viewer import Viewer

REACH_SHARE, REACH_GAP_S, REACH_MB = 0.8, 3.0, 50.0
_CAMERA = "front"
_RATE_HZ = 5
_ALONE_S, _LENGTH_S = 4.0, 4.0
_STALLED = 4
_TOPIC = f"{_CAMERA}/composite/raw".encode()
_TIMEOUT_MS = 10_000


def measure(plan: Plan, around: Surroundings) -> list[Result]:
    """Each kind for a while, and what the one that keeps up loses by it."""
    begun_s = time.monotonic()
    (port,) = command.free_ports(1)
    settings: dict[str, Any] = {
        **command.LIGHT,
        "cameras": {_CAMERA: command.synthetic(_RATE_HZ)},
        "outputs": [command.publisher(port)],
    }
    wrong: list[str] = []
    with ExitStack() as stack:
        run = stack.enter_context(command.running(around.room, "subscribers", settings))
        viewer = stack.enter_context(Viewer(command.tcp(port), [_CAMERA]))
        command.wait_for_first_frames(run, viewer, _CAMERA)
        _stall(command.tcp(port), plan, random.Random(0))  # what only pictures that are asked for take is taken
        alone_s = time.monotonic()
        time.sleep(_ALONE_S)
        alone_hz = viewer.rate_hz(_CAMERA, alone_s, time.monotonic())
        before_mb = family.held(run.stages()).memory_mb
        shares = {}
        for name, work in KINDS.items():
            hurt_s = time.monotonic()
            work(command.tcp(port), plan, random.Random(f"{around.seed}/subscribers/{name}"))
            shares[name] = viewer.rate_hz(_CAMERA, hurt_s, time.monotonic()) / max(alone_hz, 0.1)
            gap_s = viewer.longest_gap_s(_CAMERA, hurt_s)
            if shares[name] < REACH_SHARE or gap_s > REACH_GAP_S:
                wrong.append(f"{name}: {shares[name]:.0%} of the rate, {gap_s:.1f} s without a frame")
        growth_mb = family.held(run.stages()).memory_mb - before_mb
        last = [f"memory grew by {growth_mb:.0f} MB"] if growth_mb > REACH_MB else []
        last += command.stopped(run)
    slowest = min(shares, key=lambda name: shares[name])
    return [
        Result(
            part="subscribers",
            fault=f"{_STALLED} subscribers taking nothing, some coming and going, {plan.subscriptions} invented topics",
            reach=f"one that keeps up has {REACH_SHARE:.0%} of its rate, no gap of {REACH_GAP_S:g} s, memory grows by "
            f"less than {REACH_MB:g} MB",
            trials=len(KINDS),
            held=0 if last else len(KINDS) - len(wrong),
            measured=f"at least {shares[slowest]:.0%} of the rate ({slowest})",
            seconds=time.monotonic() - begun_s,
            memory_mb=growth_mb,
            failures=(*wrong, *last),
        )
    ]


@contextlib.contextmanager
def _link(context: zmq.Context[zmq.Socket[bytes]], kind: int, endpoint: str) -> Iterator[zmq.Socket[bytes]]:
    with context.socket(kind) as link:
        link.setsockopt(zmq.LINGER, 0)
        link.setsockopt(zmq.RCVHWM, 1)
        link.setsockopt(zmq.SNDTIMEO, _TIMEOUT_MS)
        link.connect(endpoint)
        yield link


def _stall(endpoint: str, plan: Plan, chance: random.Random) -> None:
    """Ask for whole pictures and take none."""
    with zmq.Context() as context, ExitStack() as stack:
        for _ in range(_STALLED):
            stack.enter_context(_link(context, zmq.SUB, endpoint)).subscribe(_TOPIC)
        time.sleep(_LENGTH_S)


def _flap(endpoint: str, plan: Plan, chance: random.Random) -> None:
    """Come, take a frame at most, and go."""
    until_s = time.monotonic() + _LENGTH_S
    with zmq.Context() as context:
        while time.monotonic() < until_s:
            with _link(context, zmq.SUB, endpoint) as link:
                link.subscribe(_TOPIC)
                link.poll(chance.choice((0, 1, 20, 300)))


def _invent(endpoint: str, plan: Plan, chance: random.Random) -> None:
    """Subscribe to cameras, kinds and encodings that there are not, and to each but once."""
    with zmq.Context() as context, _link(context, zmq.XSUB, endpoint) as link:
        for number in range(plan.subscriptions):
            camera = chance.choice((f"{number}", f"{_CAMERA}{number}", _CAMERA))
            try:
                link.send(b"\1" + f"{camera}/alpha+parts/{chance.choice(('raw', 'png', number))}".encode())
            except zmq.Again:
                return  # it is not listened to any more, which is right
            if link.poll(0):
                link.recv_multipart()
        time.sleep(_LENGTH_S / 2)


KINDS: Mapping[str, Callable[[str, Plan, random.Random], None]] = {
    "taking nothing": _stall,
    "coming and going": _flap,
    "inventing topics": _invent,
}
"""What each kind of subscriber does."""
