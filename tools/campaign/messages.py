"""Hostile messages at every socket of a live run: mutated, cut, nested, huge, of too many parts, and untrue."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import zmq

from tests import zmtp
from tests.running import Running
from tools.campaign import command, family, mutation
from tools.campaign.encoding import Liar, whole_messages
from tools.campaign.mutation import Parts
from tools.campaign.plan import Plan
from tools.campaign.result import Result, Surroundings
from tools.campaign.viewer import Viewer

REACH_MB = 50.0
_CAMERA = "front"
_RATE_HZ = 2
_SHARES = {"dispatch": 0.42, "results": 0.42, "publisher": 0.12, "control": 0.03, "mjpeg": 0.005, "web": 0.005}
"""What share of all messages each socket is sent: by how many it can take in a second."""
_TIMES = {"dispatch": 0.35, "results": 0.35, "publisher": 0.1, "control": 0.1, "mjpeg": 0.05, "web": 0.05}
"""What share of the time each has at most."""
_WARM_UP = 0.02  # of the messages, before memory is first looked at: buffers are made once
_LOOK_EVERY = 2_000
_LIES, _LIE_SHARE = 2_000, 0.2
_REQUEST_BYTES = 100_000
_STRANGER_EVERY = 5_000  # messages, then another connection goes on
_FRAME_DEADLINE_MS = 8000  # a frame that a lie has held up goes on after so long
_PATIENCE_S = 60.0
_SETTLE_S = 7.0  # stages give back what they have freed every five seconds
_UNFINISHED_PARTS, _UNFINISHED_BYTES = 45, 10_000_000
_LARGEST_MB = 210.0  # a message may hold the largest picture that there is
_PEERS: Mapping[str, bytes] = {"dispatch": b"DEALER", "results": b"PUSH", "publisher": b"SUB", "control": b"REQ"}
"""What kind of socket each one expects at the other end."""
_TIMEOUT_S = 10.0


class Target(NamedTuple):
    """A live run, the ports of its sockets by name, and who watches."""

    run: Running
    ports: Mapping[str, int]
    viewer: Viewer
    processes: Sequence[psutil.Process]

    def harmed(self) -> str | None:
        """What has ended, None where all goes on."""
        if self.run.over:
            return f"the run has ended: {self.run.words[-1500:]}"
        gone = [process.pid for process in self.processes if process not in family.alive(self.processes)]
        return f"processes {gone} have ended: {self.run.words[-1500:]}" if gone else None

    def shows(self) -> bool:
        """Whether frames go on to be shown."""
        return self.viewer.wait(_CAMERA, time.monotonic(), _PATIENCE_S) is not None


def measure(plan: Plan, around: Surroundings) -> list[Result]:
    """Send them all, one socket after the other; then messages that are never finished."""
    return [_barrage(plan.messages, plan.messages_s, around), _unfinished(around)]


def _barrage(count: int, most_s: float, around: Surroundings) -> Result:
    begun_s = time.monotonic()
    with ExitStack() as stack:
        target = _target(stack, "messages", around.room)
        sent, harm = _all_sent(round(count * _WARM_UP), most_s, target, f"{around.seed}/warm-up")
        before, before_by = family.held(target.processes), family.by_name(target.processes)
        if harm is None:
            more, harm = _all_sent(count - sent, most_s, target, str(around.seed))
            sent += more
        time.sleep(_SETTLE_S)
        wrong = [harm] if harm else []
        wrong += [] if harm or target.shows() else [f"no frame is shown any more: {target.run.words[-1500:]}"]
        growth_mb = family.held(target.processes).memory_mb - before.memory_mb
        if not harm and growth_mb > REACH_MB:
            wrong.append(
                f"memory grew by {growth_mb:.0f} MB: {family.compared(before_by, family.by_name(target.processes))}"
            )
        wrong += command.tracebacks(target.run) if harm else command.stopped(target.run)
    return Result(
        part="messages",
        fault=f"{sent} hostile messages at {', '.join(_SHARES)}",
        reach=f"no process ends, memory grows by less than {REACH_MB:g} MB, frames go on",
        trials=sent,
        held=0 if wrong else sent,
        measured="all" if sent == count or harm else f"of {count}: for more there was no time",
        seconds=time.monotonic() - begun_s,
        memory_mb=None if harm else growth_mb,
        failures=tuple(wrong),
    )


def _target(stack: ExitStack, name: str, room: Path) -> Target:
    names = ("dispatch", "results", "publisher", "control", "mjpeg", "web")
    ports = dict(zip(names, command.free_ports(len(names)), strict=True))
    settings: dict[str, Any] = {
        **command.LIGHT,
        "model": {"threads": 1, "frame_deadline_ms": command.frame_deadline_ms(_FRAME_DEADLINE_MS)},
        "cameras": {_CAMERA: command.synthetic(_RATE_HZ)},
        "transport": {"dispatch": command.tcp(ports["dispatch"]), "results": command.tcp(ports["results"])},
        "control": {"bind": command.tcp(ports["control"])},
        "outputs": [
            command.publisher(ports["publisher"]),
            {"kind": "mjpeg", "bind": f"127.0.0.1:{ports['mjpeg']}"},
        ],
        "web": {"bind": f"127.0.0.1:{ports['web']}"},
    }
    run = stack.enter_context(command.running(room, name, settings))
    viewer = stack.enter_context(Viewer(command.tcp(ports["publisher"]), [_CAMERA]))
    command.wait_for_first_frames(run, viewer, _CAMERA)
    return Target(run, ports, viewer, run.stages())


def _all_sent(count: int, most_s: float, target: Target, seed: str) -> tuple[int, str | None]:
    """Send every socket its share, or what can be sent of it in time; how many, and what they did harm to."""
    sent = 0
    for name, share in _SHARES.items():
        chance = random.Random(f"{seed}/messages/{name}")
        until_s = time.monotonic() + most_s * _TIMES[name]
        for chunk in _chunks(round(count * share), _LOOK_EVERY):
            _SENDERS[name](target.ports[name], chunk, chance)
            sent += chunk
            if harm := target.harmed():
                return sent, f"{harm} (at {name}, within {chunk} messages before the {sent}th, seed {seed})"
            if time.monotonic() > until_s:
                break
    return sent, None


def _chunks(count: int, most: int) -> Iterator[int]:
    while count > 0:
        yield min(count, most)
        count -= most


# Whom they are sent to.


def _send_stages(kind: int, port: int, count: int, chance: random.Random) -> None:
    """To a socket between stages."""
    whole, liar = whole_messages(), Liar(_CAMERA, chance)
    lies = [liar.lie() for _ in range(max(min(_LIES, count // 10), 1))]

    def some() -> Iterator[Parts]:
        for _ in range(count):
            lying = chance.random() < _LIE_SHARE
            yield chance.choice(lies) if lying else mutation.mutated(whole, chance)

    _send_zmq(kind, port, some())


def _send_dispatch(port: int, count: int, chance: random.Random) -> None:
    _send_stages(zmq.DEALER, port, count, chance)


def _send_results(port: int, count: int, chance: random.Random) -> None:
    _send_stages(zmq.PUSH, port, count, chance)


def _send_publisher(port: int, count: int, chance: random.Random) -> None:
    """Subscriptions to what there is not, and words that are none."""
    whole = [[b"\1front/alpha/raw"], [b"\0front/alpha/raw"], [b"\1/streams"], [b"\1front/cutout+parts/png"], [b"\2x"]]
    _send_zmq(zmq.XSUB, port, (mutation.mutated(whole, chance)[:1] or [b""] for _ in range(count)))


def _send_control(port: int, count: int, chance: random.Random) -> None:
    """Requests; none of them ends the run as it may."""
    requests: Sequence[dict[str, Any]] = (
        {"request": "status"},
        {"request": "list_cameras"},
        {"request": "set_cutout", "cutout": "top", "camera": "front"},
        {"request": "set_panels", "panels": ["composite"], "camera": "missing"},
        {"request": "set_effects", "effects": [{"effect": "background_blur"}], "camera": "missing"},
        {"request": "set_effects", "effects": [{"effect": "background_image", "path": "/dev/zero"}]},
        {"request": "set_effects", "effects": [{"effect": "background_video", "path": "http://127.0.0.1:9/x"}]},
    )
    whole = [[json.dumps(request).encode()] for request in requests]
    _send_zmq(zmq.DEALER, port, ([b"", *mutation.mutated(whole, chance)] for _ in range(count)))


def _send_zmq(kind: int, port: int, messages: Iterator[Parts]) -> None:
    """Over one connection after another; what comes back is thrown away, and so is what is not taken."""
    with zmq.Context() as context:
        while chunk := [parts for parts, _ in zip(messages, range(_STRANGER_EVERY), strict=False)]:
            with context.socket(kind) as link:
                link.setsockopt(zmq.LINGER, 2000)
                link.setsockopt(zmq.SNDTIMEO, int(1000 * _PATIENCE_S))
                link.setsockopt(zmq.SNDHWM, 200)
                link.connect(command.tcp(port))
                with contextlib.suppress(zmq.Again):
                    for parts in chunk:
                        link.send_multipart(parts or [b""])
                        _drain(link)


def _drain(link: zmq.Socket[bytes]) -> None:
    if link.socket_type == zmq.DEALER:
        with contextlib.suppress(zmq.Again):
            while True:
                link.recv_multipart(zmq.NOBLOCK)


def _send_http(port: int, count: int, chance: random.Random) -> None:
    """Requests over connections of their own: some are finished, some hang up in the middle."""
    head = b" HTTP/1.1\r\nHost: 127.0.0.1:" + str(port).encode() + b"\r\nConnection: close\r\n"
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUpgrade: websocket\r\n"
    whole = [
        [b"GET /" + head + b"\r\n"],
        [b"GET /garments/hoodie.png" + head + b"Cookie: stream_token=x\r\n\r\n"],
        [b"GET /live" + head + key + b"\r\n"],
        [b"POST /login" + head + b"Content-Length: 7\r\nOrigin: http://127.0.0.1\r\n\r\ntoken=x"],
        [b"GET /../../etc/passwd" + head + b"\r\n"],
        [b"GET /nowhere.mjpg" + head + b"\r\n"],
        [b"GET / HTTP/1.1\r\nHost: [\r\n\r\n"],
    ]
    for _ in range(count):
        data = b"".join(mutation.mutated(whole, chance))[:_REQUEST_BYTES]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as link:
            link.sendall(data)
            link.settimeout(0.002)
            link.recv(100)


_SENDERS: Mapping[str, Callable[[int, int, random.Random], None]] = {
    "dispatch": _send_dispatch,
    "results": _send_results,
    "publisher": _send_publisher,
    "control": _send_control,
    "mjpeg": _send_http,
    "web": _send_http,
}


# Messages that are never finished.


def _unfinished(around: Surroundings) -> Result:
    """At each socket a message of which part after part comes and never the last."""
    begun_s, wrong, most_mb = time.monotonic(), [], 0.0
    most_reach_mb = _LARGEST_MB + REACH_MB
    with ExitStack() as stack:
        target = _target(stack, "unfinished", around.room)
        for name, kind in _PEERS.items():
            before_mb = family.held(target.processes).memory_mb
            grown_mb = _send_unfinished(target, target.ports[name], kind, before_mb)
            time.sleep(_SETTLE_S)
            left_mb = family.held(target.processes).memory_mb - before_mb
            most_mb = max(most_mb, grown_mb)
            if grown_mb > most_reach_mb or left_mb > REACH_MB:
                wrong.append(f"{name} kept {grown_mb:.0f} MB, and {left_mb:.0f} MB when its sender had gone")
            if harm := target.harmed():
                wrong.append(f"{harm} (at {name})")
                break
        wrong += command.stopped(target.run) if not target.run.over else []
    return Result(
        part="messages",
        fault=f"messages of {_UNFINISHED_PARTS} parts of {_UNFINISHED_BYTES / 1e6:g} MB that are never finished",
        reach=f"at most {most_reach_mb:g} MB are kept (the largest picture has {_LARGEST_MB:g}), {REACH_MB:g} MB after",
        trials=len(_PEERS),
        held=max(len(_PEERS) - len(wrong), 0),
        measured=f"at most {most_mb:.0f} MB were kept",
        seconds=time.monotonic() - begun_s,
        memory_mb=most_mb,
        failures=tuple(wrong),
    )


def _send_unfinished(target: Target, port: int, kind: bytes, before_mb: float) -> float:
    """How far memory grew meanwhile."""
    grown_mb, part = 0.0, zmtp.part(bytes(_UNFINISHED_BYTES))
    with contextlib.suppress(OSError), zmtp.connected(kind, command.tcp(port)) as peer:
        peer.settimeout(_TIMEOUT_S)
        for _ in range(_UNFINISHED_PARTS):
            peer.sendall(part)
            grown_mb = max(grown_mb, family.held(target.processes).memory_mb - before_mb)
    return grown_mb
