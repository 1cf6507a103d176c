"""Who is connected to a bound TCP socket, and how many bytes each has sent that were no message yet.

ZeroMQ bounds how long one part of a message may be, but not how many parts: whoever never sends the last one fills
memory. It tells us of each connection it accepts, the kernel counts the bytes of each (tcp(7), TCP_INFO, Linux
only), and one that owes too many is shut down, which frees what it sent.
"""

from __future__ import annotations

import contextlib
import socket as sockets
import struct
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import zmq

MAX_CONNECTIONS = 512
_LOOK_S = 0.01
_TCP_INFO_BYTES = 136
_RECEIVED_AT = 128  # of tcpi_bytes_received in struct tcp_info (linux/tcp.h)
_EVENT = struct.Struct("=HI")  # zmq_socket_monitor(3)


class Limit(NamedTuple):
    """How many bytes a connection may owe, and how many of them are forgiven in a second (heartbeats are bytes too)."""

    owed_bytes: int
    forgiven_bytes_s: int = 1024


@dataclass
class _Connection:
    """One that was accepted: its far end, and what it has sent since a message of it was last taken."""

    peer: object
    received_bytes: int = 0
    owed_bytes: float = 0.0
    taken_at: int = 0
    looked_s: float = field(default_factory=time.monotonic)


class Connections:
    """Those of one bound socket. Not for use by several threads at once."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes], limit: Limit) -> None:
        """Watch `socket` from before it is bound."""
        self._limit = limit
        self._of: dict[int, _Connection] = {}
        self._looked_s = 0.0
        self._taken = 0
        self._socket = socket
        address = f"inproc://connections-{id(self)}"
        socket.monitor(address, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self._events = context.socket(zmq.PAIR)
        self._events.setsockopt(zmq.RCVHWM, 0)  # where this end is full, libzmq's own thread would wait
        self._events.connect(address)

    def taken(self, part: zmq.Frame) -> None:
        """Note that a message has been taken, of which this is a part: its connection owes nothing any more."""
        self._taken += 1
        with contextlib.suppress(zmq.ZMQError):  # a part that came through no descriptor
            connection = self._of.get(int(part.get(zmq.SRCFD)))
            if connection is not None:
                connection.owed_bytes, connection.taken_at = 0.0, self._taken

    def look(self, patience: int) -> int:
        """Count what has come since, and shut down who owes too much; returns how many.

        Where whole messages still wait they are owed too: then only those are judged of whom nothing was among the last
        `patience` messages taken, for ZeroMQ takes one of each connection in turn.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S:
            return 0
        self._looked_s = now_s
        self._hear()
        for descriptor, connection in [*self._of.items()]:
            received_bytes = _received_bytes(descriptor, connection.peer)
            if received_bytes is None:
                del self._of[descriptor]
                continue
            forgiven = self._limit.forgiven_bytes_s * (now_s - connection.looked_s)
            owed_bytes = connection.owed_bytes - forgiven
            connection.owed_bytes = max(owed_bytes, 0.0) + received_bytes - connection.received_bytes
            connection.received_bytes, connection.looked_s = received_bytes, now_s
        return self._shut_down(patience)

    def close(self) -> None:
        """Watch no more; to be called before the socket is closed."""
        self._socket.disable_monitor()
        self._events.close(linger=0)

    def _hear(self) -> None:
        """Note who has come and gone."""
        while self._events.poll(0):
            event, descriptor = _EVENT.unpack(self._events.recv_multipart()[0])
            self._of.pop(descriptor, None)
            if event == zmq.EVENT_ACCEPTED and (peer := _peer(descriptor)) is not None:
                self._of[descriptor] = _Connection(peer, taken_at=self._taken)

    def _shut_down(self, patience: int) -> int:
        """Shut down all above the limit, the largest where all together are above twice the limit, and the newest."""
        most = self._limit.owed_bytes
        bad = {*[*self._of][MAX_CONNECTIONS:]}
        judged = {
            descriptor: connection.owed_bytes
            for descriptor, connection in self._of.items()
            if self._taken - connection.taken_at >= patience
        }
        bad |= {descriptor for descriptor, owed_bytes in judged.items() if owed_bytes > most}
        if sum(judged.values()) > 2 * most:
            bad.add(max(judged, key=judged.__getitem__))
        for descriptor in bad:
            _shut_down(descriptor, self._of.pop(descriptor).peer)
        return len(bad)


def _peer(descriptor: int) -> object | None:
    """The far end of a TCP connection; None where the descriptor is no such thing (any more)."""
    try:
        borrowed = sockets.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        tcp = borrowed.family in (sockets.AF_INET, sockets.AF_INET6) and hasattr(sockets, "TCP_INFO")
        return borrowed.getpeername() if tcp else None
    except OSError:
        return None
    finally:
        borrowed.detach()


def _received_bytes(descriptor: int, peer: object) -> int | None:
    """What the kernel has received of a connection; None where the descriptor is another's by now."""
    if _peer(descriptor) != peer:
        return None
    borrowed = sockets.socket(fileno=descriptor)
    try:
        told = borrowed.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return None
    finally:
        borrowed.detach()
    return int.from_bytes(told[_RECEIVED_AT:], "little") if len(told) == _TCP_INFO_BYTES else 0


def _shut_down(descriptor: int, peer: object) -> None:
    if _peer(descriptor) == peer:
        borrowed = sockets.socket(fileno=descriptor)
        with contextlib.suppress(OSError):
            borrowed.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
            borrowed.shutdown(sockets.SHUT_RDWR)
        borrowed.detach()
