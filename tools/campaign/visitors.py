"""Hostile visitors beside an honest one: bombs, floods, half requests, connections without end, coming and going."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import socket
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection

from tests.running import Running
from tools.campaign import bombs, command, family, mutation
from tools.campaign.plan import Plan
from tools.campaign.result import Result, Surroundings
from tools.campaign.visitor import Visitor, opened, picture

REACH_SHARE, REACH_MB = 0.8, 150.0
_RATE_HZ = 5.0
_TRIES = 2  # a share below the reach is measured again, for the machine may have done something else meanwhile
_ALONE_S = 2.0
_IDLE_S = 1.0
_LOOK_S, _AGAIN_S = 0.25, 0.05
_CONNECTIONS = 300


def measure(plan: Plan, around: Surroundings) -> list[Result]:
    """Each kind of hostile visitor for a while; the honest one's rate beside what it is alone."""
    begun_s = time.monotonic()
    (port,) = command.free_ports(1)
    settings: dict[str, Any] = {**command.LIGHT, "web": {"bind": f"127.0.0.1:{port}", "visitors": 4}}
    with ExitStack() as stack:
        run = stack.enter_context(command.running(around.room, "visitors", settings))
        run.wait_for("the page is at")
        beside = ReferenceVisitor(port, run, plan.visitor_s, random.Random(f"{around.seed}/visitors"))
        told = {name: beside.judged(name) for name in KINDS}
        wrong = [f"{name}: {judged.wrong}" for name, judged in told.items() if judged.wrong]
        last = command.stopped(run)
    slowest = min(told, key=lambda name: told[name].share)
    return [
        Result(
            part="visitors",
            fault=f"hostile visitors beside an honest one, {plan.visitor_s:g} s each: {', '.join(KINDS)}",
            reach=f"the honest one keeps {REACH_SHARE:.0%} of its rate, memory never grows by {REACH_MB:g} MB",
            trials=len(KINDS),
            held=0 if last else len(KINDS) - len(wrong),
            measured=f"at least {told[slowest].share:.0%} of {_RATE_HZ:g} a second ({slowest})",
            seconds=time.monotonic() - begun_s,
            memory_mb=max(judged.grown_mb for judged in told.values()),
            failures=(*wrong, *last),
        )
    ]


class Judged(NamedTuple):
    """What the honest visitor kept of its rate, how far memory grew, and what was wrong, None where nothing was."""

    share: float
    grown_mb: float
    wrong: str | None


class ReferenceVisitor:
    """A page at which an honest visitor is, to which others come."""

    def __init__(self, port: int, run: Running, length_s: float, chance: random.Random) -> None:
        self._port = port
        self._run = run
        self._length_s = length_s
        self._chance = chance

    def judged(self, name: str) -> Judged:
        """Let visitors of one kind come; the better of a few tries."""
        tries = []
        for _ in range(_TRIES):
            with Visitor(self._port, _RATE_HZ) as honest:
                if not honest.wait_for_first(command.START_S):
                    raise RuntimeError(f"the honest visitor sees nothing: {self._run.words[-1000:]}")
                tries.append(self._once(name, honest))
            if tries[-1].wrong is None:
                break
        return max(tries, key=lambda judged: (judged.wrong is None, judged.share))

    def _once(self, name: str, honest: Visitor) -> Judged:
        time.sleep(_IDLE_S)
        alone_s = time.monotonic()
        time.sleep(_ALONE_S)
        begun_s = time.monotonic()
        alone_hz = honest.rate_hz(alone_s, begun_s)
        before_mb = family.held(self._run.stages()).memory_mb
        grown_mb = self._let_come(KINDS[name], begun_s + self._length_s) - before_mb
        length_s = time.monotonic() - begun_s
        share = min((honest.rate_hz(begun_s, begun_s + length_s) + 1 / length_s) / max(alone_hz, 0.1), 1.0)
        wrong = []
        if honest.lost is not None:
            wrong.append(f"the honest visitor was thrown out ({honest.lost})")
        if share < REACH_SHARE:
            wrong.append(f"the honest visitor kept {share:.0%} of its rate")
        if grown_mb > REACH_MB:
            wrong.append(f"memory grew by {grown_mb:.0f} MB meanwhile")
        return Judged(share, grown_mb, "; ".join(wrong) or None)

    def _let_come(self, work: Work, until_s: float) -> float:
        """Hostile visitors, the next as soon as one is thrown out; the most memory that was held meanwhile."""
        most_mb, looked_s = 0.0, 0.0
        steps = work(self._port, self._chance)
        while (now_s := time.monotonic()) < until_s:
            try:
                next(steps)
            except (OSError, WebSocketException, StopIteration):
                time.sleep(_AGAIN_S)
                steps = work(self._port, self._chance)
            if now_s - looked_s > _LOOK_S:
                most_mb, looked_s = max(most_mb, family.held(self._run.stages()).memory_mb), now_s
        steps.close()
        return most_mb


# What they do: each step is short, so that the length of it all is bounded.

Steps = Generator[None, None, None]
Work = Callable[[int, random.Random], Steps]
"""Given the page's port and chance, what a hostile visitor does in steps."""


def _photo(data: bytes) -> str:
    return json.dumps({"type": "upload_photo", "use": "top", "data": base64.b64encode(data).decode()})


_WORDS = [
    [b'{"type": "outfit", "background": {"kind": "blur", "strength": 0.1}, "garments": {"top": {"kind": "photo"}}}'],
    [b'{"type": "view_options", "panels": ["composite", "raw"], "masks": ["top"]}'],
    [b'{"type": "upload_photo", "use": "top", "data": "aGVsbG8="}'],
    [b'{"type": "sdp_offer", "sdp": "v=0"}'],
    [b'{"type": "ping", "clock_ms": 7.5}'],
    [b'{"type": "watch_camera", "camera": "front"}'],
    [b'{"type": "snapshot", "kind": "whole"}'],
]
_WEAR_PHOTO = json.dumps({"type": "outfit", "garments": {"top": {"kind": "photo"}}})
_WEAR = json.dumps({"type": "outfit", "background": {"kind": "blur", "strength": 0.1}, "garments": {}})


def _ended(socket: ClientConnection) -> bool:
    """Take what waits at a hostile visitor, so that it is not slowed by that; whether the connection is over."""
    try:
        for _ in range(200):
            socket.recv(timeout=0)
    except TimeoutError:
        return False
    except (OSError, WebSocketException):
        return True
    return False


def _joined(port: int) -> ClientConnection:
    socket = opened(port)
    socket.send('{"type": "send_camera"}')
    return socket


def _says(texts: Callable[[random.Random], str | bytes], pause_s: float = 0.0) -> Work:
    """A visitor with a camera of its own who says such things, as fast as they are taken or once in a while."""

    def work(port: int, chance: random.Random) -> Steps:
        number = 0
        while True:
            with _joined(port) as socket:
                while not _ended(socket):
                    number += 1
                    if pause_s or not number % 10:
                        socket.send(picture(number))
                    socket.send(texts(chance))
                    time.sleep(pause_s)
                    yield

    return work


def _dresses(photo: Callable[[], bytes]) -> Work:
    """A visitor who sends a photo and wears it, over and over."""

    def work(port: int, chance: random.Random) -> Steps:
        sent = _photo(photo())
        with _joined(port) as socket:
            for number in range(1_000_000):
                socket.send(picture(number))
                if not number % 5:
                    socket.send(sent)
                    socket.send(_WEAR_PHOTO)
                time.sleep(0.1)
                if _ended(socket):
                    return
                yield

    return work


def _never_reads(port: int, chance: random.Random) -> Steps:
    """A visitor whose connection takes nothing any more."""
    with _joined(port) as socket:
        socket.socket.settimeout(0.2)
        for number in range(1_000_000):
            with contextlib.suppress(TimeoutError):
                socket.send(picture(number))
                socket.send('{"type": "snapshot", "kind": "whole"}')
            yield
            time.sleep(0.02)


def _comes_and_goes(port: int, chance: random.Random) -> Steps:
    """Visitors who join and leave, some without a goodbye."""
    while True:
        with _joined(port) as link:
            for number in range(chance.randint(1, 4)):
                link.send(picture(number))
            if chance.random() < 0.5:
                link.socket.close()
        yield


def _half_requests(port: int, chance: random.Random) -> Steps:
    """Connections that say nothing, or half a request, and stay."""
    with ExitStack() as stack:
        for _ in range(_CONNECTIONS):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", port), 2))
            link.sendall(chance.choice((b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")))
            yield
        while True:
            time.sleep(0.1)
            yield


def _floods(port: int, chance: random.Random) -> Steps:
    """Requests, each over a connection of its own."""
    while True:
        with socket.create_connection(("127.0.0.1", port), 2) as link:
            link.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            link.settimeout(2)
            while link.recv(65_536):
                pass
        yield


KINDS: Mapping[str, Work] = {
    "JPEG that says 60000×60000": _says(lambda _: bombs.jpeg(60_000, 60_000), 0.05),
    "JPEG of 8000×8000 behind a fill byte": _says(lambda _: bombs.jpeg(8_000, 8_000, fill_bytes=1), 0.05),
    "photo: PNG of 16 bits, 8000×4000": _dresses(lambda: bombs.png(8_000, 4_000, 16)),
    "photo: JPEG of 2000 scans": _dresses(lambda: bombs.jpeg_of_scans(1_600, 2_000)),
    "photo: 1×1": _dresses(lambda: bombs.png(1, 1)),
    "photo: PNG of 30000×1": _dresses(lambda: bombs.png(30_000, 1)),
    "dresses without end": _says(lambda _: _WEAR),
    "snapshots without end": _says(lambda _: '{"type": "snapshot", "kind": "cutout"}'),
    "pictures without end": _says(lambda chance: picture(chance.randrange(100))),
    "words made wrong": _says(lambda chance: b"".join(mutation.mutated(_WORDS, chance)).decode(errors="replace")),
    "nested JSON": _says(lambda chance: "[" * chance.choice((40, 3_000, 100_000))),
    "texts of 4 MB": _says(lambda _: '{"type": "' + "x" * 4_000_000 + '"}', 0.1),
    "never reads": _never_reads,
    "comes and goes": _comes_and_goes,
    "half requests": _half_requests,
    "requests without end": _floods,
}
"""What each kind of hostile visitor does; each `next` is one step of it."""
