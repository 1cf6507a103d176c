"""Connections to a bound TCP socket, and how much each has sent: one that sends too much is closed.

ZeroMQ bounds how long one part of a message may be, but not how many parts: a peer that never sends the last one fills
memory. A high-water mark would hold a connection up, but libzmq (up to 4.3.5) aborts where one is held up and then
breaks ("Assertion failed: !_io_error"), so that a stranger could end the run: what is bound has none, and this instead.
ZeroMQ tells us of each connection it accepts, the kernel counts the bytes of each (tcp(7), TCP_INFO, Linux only), and
one that sends too much is shut down, which frees what it sent.
"""

from __future__ import annotations

import contextlib
import select
import socket as sockets
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import zmq

MAX_CONNECTIONS = 512
MAX_REJECTED = 100
"""Messages of one connection that could not be decoded: ours send none at all."""
MAX_RATE_HZ = 5000
"""Messages of one connection that are taken in a second: the reader of ten visitors sends some 300."""
_CHECK_S = 0.01
_TCP_INFO_BYTES = 136
_RECEIVED_AT = 128  # of tcpi_bytes_received in struct tcp_info (linux/tcp.h)
_EVENT = struct.Struct("=HI")  # zmq_socket_monitor(3)


class Limit(NamedTuple):
    """Bound of a connection's unconsumed bytes, and how many of them drain in a second (a leaky bucket).

    Heartbeats, and what framing and encryption add, are bytes too.
    """

    max_unconsumed_bytes: int
    drain_bytes_s: int = 65_536
    refuse_s: float = 0.0
    """For so long after one was cut off, new ones of its host are cut off before they have said anything."""


@dataclass
class _Connection:
    """One that was accepted: its far end, and what it has sent.

    `taken` counts its messages since `began_s`, `rejected` those ever rejected; `turn` is when the last was taken, in
    messages of all.
    """

    peer: tuple[str, int]
    looked_s: float
    began_s: float
    received_bytes: int = 0
    owed_bytes: float = 0.0
    taken: int = 0
    rejected: int = 0
    turn: int = 0


class Connections:
    """Those of one bound socket, watched by a thread of their own, because the socket's may be busy."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes], limit: Limit) -> None:
        """Watch `socket` from before it is bound."""
        self._limit = limit
        self._of: dict[int, _Connection] = {}
        self._refused_until_s: dict[str, float] = {}
        self._cut_off = 0
        self._turn = 0
        self._waits = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._failure: Exception | None = None
        self._socket = socket
        address = f"inproc://connections-{id(self)}"
        socket.monitor(address, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self._events = context.socket(zmq.PAIR)
        self._events.setsockopt(zmq.RCVHWM, 0)  # where this end is full, libzmq's own thread would wait
        self._events.connect(address)
        self._something_happened = self._events.fileno()  # may be waited for without a lock, unlike the socket itself
        self._thread = threading.Thread(target=self._watch, name="connections", daemon=True)
        self._thread.start()

    def on_message_consumed(self, parts: Sequence[zmq.Frame]) -> None:
        """Record that a message was consumed: its connection's count falls."""
        with self._lock:
            self._waits = True
            self._turn += 1
            connection = self._connection(parts[-1])
            if connection is not None:
                connection.taken += 1
                connection.turn = self._turn
                connection.owed_bytes = max(connection.owed_bytes - sum(len(part) for part in parts), 0.0)

    def drained(self) -> None:
        """Record that no message is queued: what is unconsumed now is unfinished."""
        self._waits = False

    def count_rejected(self, part: zmq.Frame) -> None:
        """Count a malformed message, of which this is a part."""
        with self._lock:
            connection = self._connection(part)
            if connection is not None:
                connection.rejected += 1

    def cut_off(self) -> int:
        """Return how many connections were closed since the last call; RuntimeError where they are watched no more."""
        if self._failure is not None:
            raise RuntimeError("the connections are watched no more, and could fill memory") from self._failure
        with self._lock:
            count, self._cut_off = self._cut_off, 0
        return count

    def close(self) -> None:
        """Watch no more; to be called before the socket is closed.

        First nothing is told any more, then nobody listens. The other way round, whoever came or went in between would
        hold up libzmq's own thread for ever, which waits for a listener; and with it `disable_monitor`, which waits for
        that thread's lock, where no signal reaches it.
        """
        self._socket.disable_monitor()
        self._over.set()
        self._thread.join()
        self._events.close(linger=0)  # here, because a thread that failed would leave it open, and `term` waits for it

    def _connection(self, part: zmq.Frame) -> _Connection | None:
        """The one through which a part came; None where that is no TCP connection, or gone."""
        try:
            descriptor = int(part.get(zmq.SRCFD))
        except zmq.ZMQError:
            return None
        if descriptor not in self._of:
            self._read_events()
        return self._of.get(descriptor)

    def _watch(self) -> None:
        something = select.poll()  # select(2) knows no descriptor above 1023
        something.register(self._something_happened, select.POLLIN)
        try:
            while not self._over.is_set():
                something.poll(_CHECK_S * 1000)
                with self._lock:  # also a fence, so that several threads may read the events
                    self._read_events()
                    self._count(time.monotonic())
                    self._judge()
        except Exception as error:  # noqa: BLE001 (raised where the socket is used)
            self._failure = error

    def _read_events(self) -> None:
        """Read new and closed connections from the socket monitor."""
        while self._events.poll(0):
            event, descriptor = _EVENT.unpack(self._events.recv_multipart()[0])
            self._of.pop(descriptor, None)
            if event != zmq.EVENT_ACCEPTED:
                continue
            with _borrowed(descriptor) as connection:
                if connection is not None and connection.family in (sockets.AF_INET, sockets.AF_INET6):
                    now_s, peer = time.monotonic(), connection.getpeername()[:2]
                    if now_s < self._refused_until_s.get(peer[0], 0.0):
                        _shut_down(descriptor, peer)
                        self._cut_off += 1
                        continue
                    self._of[descriptor] = _Connection(peer, now_s, now_s, turn=self._turn)

    def _count(self, now_s: float) -> None:
        """Count what each has sent since the last time."""
        for descriptor, connection in [*self._of.items()]:
            received_bytes = None
            with _borrowed(descriptor) as borrowed:
                if borrowed is not None and borrowed.getpeername()[:2] == connection.peer:
                    received_bytes = _received_bytes(borrowed)
            if received_bytes is None:  # it is gone, and the descriptor another's by now
                del self._of[descriptor]
                continue
            forgiven_bytes = self._limit.drain_bytes_s * (now_s - connection.looked_s)
            kept = max(connection.owed_bytes - forgiven_bytes, 0.0)
            connection.owed_bytes = kept + received_bytes - connection.received_bytes
            connection.received_bytes, connection.looked_s = received_bytes, now_s

    def _judge(self) -> None:
        """Close all connections over a bound; the largest where all together are over it; the newest of too many.

        Whole messages still queued count too, and are no fault of their sender. Where some are queued, only
        connections are judged of which none was taken for long: ZeroMQ takes one of each in turn.
        """
        min_age = 2 * MAX_CONNECTIONS if self._waits else 0
        owed = {
            descriptor: connection.owed_bytes
            for descriptor, connection in self._of.items()
            if self._turn - connection.turn >= min_age
        }
        bad = {*[*self._of][MAX_CONNECTIONS:]}
        bad |= {descriptor for descriptor, owed_bytes in owed.items() if owed_bytes > self._limit.max_unconsumed_bytes}
        if sum(owed.values()) > 2 * self._limit.max_unconsumed_bytes:
            bad.add(max(owed, key=owed.__getitem__))
        for descriptor, connection in self._of.items():
            if connection.rejected > MAX_REJECTED or connection.taken > MAX_RATE_HZ:
                bad.add(descriptor)
            elif connection.looked_s - connection.began_s >= 1:
                connection.began_s, connection.taken = connection.looked_s, 0
        for descriptor in bad:
            connection = self._of.pop(descriptor)
            _shut_down(descriptor, connection.peer)
            self._refuse(connection.peer[0])
        self._cut_off += len(bad)

    def _refuse(self, host: str) -> None:
        """Let nobody of a host in for a while: who is cut off comes again in 0.1 s, and says all of it once more."""
        now_s = time.monotonic()
        self._refused_until_s = {host: until_s for host, until_s in self._refused_until_s.items() if until_s > now_s}
        self._refused_until_s[host] = now_s + self._limit.refuse_s


@contextlib.contextmanager
def _borrowed(descriptor: int) -> Iterator[sockets.socket | None]:
    """A descriptor of libzmq's as a socket, which stays open; None, or an end, where it is none any more."""
    try:
        borrowed = sockets.socket(fileno=descriptor)
    except OSError:
        yield None
        return
    try:
        with contextlib.suppress(OSError):
            yield borrowed
    finally:
        borrowed.detach()


def _received_bytes(connection: sockets.socket) -> int:
    """Return the bytes the kernel has received of a connection; 0 where it does not say."""
    if not hasattr(sockets, "TCP_INFO"):
        return 0
    info = connection.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _TCP_INFO_BYTES)
    return int.from_bytes(info[_RECEIVED_AT:], "little") if len(info) == _TCP_INFO_BYTES else 0


def _shut_down(descriptor: int, peer: tuple[str, int]) -> None:
    with _borrowed(descriptor) as connection:
        if connection is not None and connection.getpeername()[:2] == peer:
            connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
            connection.shutdown(sockets.SHUT_RDWR)
