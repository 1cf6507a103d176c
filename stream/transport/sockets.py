"""ZeroMQ sockets: messages leave one process and enter another; the only module that imports ZeroMQ.

Between the stages there are two links. The dispatcher binds a `RouterSocket`, to which readers, workers and composite
connect a `DealerSocket`. Composite binds a `PullSocket`, into which workers and the dispatcher write through a
`PushSocket`. To the outside there are two more: an `XPubSocket` with many `SubSocket`s, and a `RepSocket` that answers
each `ReqSocket`.
Between threads of one process they meet in memory (`inproc://`); elsewhere every socket owns its context and terminates
it. Every receive has a timeout; malformed messages are counted in `rejected` and dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import zmq
from zmq.auth.thread import ThreadAuthenticator

from stream import bounds, message
from stream.stage import StreamError
from stream.transport import keys, private_folder, wire
from stream.transport.codec import Buffer
from stream.transport.connections import Connections, Limit
from stream.transport.keys import Allowed, Role

_LINGER_MS = 1000
_SEND_TIMEOUT_MS = 10_000  # a message is not taken for so long only where it never will be
_HEARTBEAT_MS = 250
_HEARTBEAT_TIMEOUT_MS = 1750  # after which a connection is reopened: with the heartbeat before it, within 2 s
_MAX_SUBSCRIPTION_BYTES = 1024
MAX_REQUEST_BYTES = 1_048_576
_ROLE_OF_MESSAGE: dict[Role, tuple[type, ...]] = {
    "reader": (message.SourceOpened, message.NewPicture, message.SourceLost, message.SourceEnded),
    "worker": (message.WorkerReady,),
    "composite": (message.Ack, message.DemandChanged, message.EndOfRun),
}
_STAGES = Limit(wire.MAX_MESSAGE_BYTES)
_REQUESTERS = Limit(2 * MAX_REQUEST_BYTES)
# One that subscribes to a thousand cameras sends some 100 kB at once.
_SUBSCRIBERS = Limit(262_144, drain_bytes_s=16_384, refuse_s=2.0)
# Who connects sends heartbeats; who is bound answers them and sends none. Where a high-water mark holds up what comes
# in, libzmq takes its own heartbeats for death and aborts: as it connects again (its issue 3937, "Assertion failed:
# _input_stopped"), or as a peer breaks off while the queue is full ("!_io_error"). There the kernel looks after the
# connection.
_KEEPALIVE: dict[int, int] = {
    zmq.HEARTBEAT_IVL: 0,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 5,
    zmq.TCP_KEEPALIVE_INTVL: 1,
    zmq.TCP_KEEPALIVE_CNT: 3,
}


Envelope = tuple[bytes, ...]
"""Address of a reply: the peer's identity, the request's number where it has one, and an empty part."""
_MAX_ENVELOPE = 3


class TransportError(StreamError):
    """An endpoint cannot be bound or connected."""


class _Socket:
    """One socket with a context of its own, closed together."""

    def __init__(
        self,
        kind: int,
        endpoints: Sequence[str],
        *,
        bind: bool,
        keys: Path | None,
        options: Mapping[int, int | bytes] = MappingProxyType({}),
        limit: Limit | None = None,
        roles: tuple[Role, ...] = (),
    ) -> None:
        self.rejected = 0
        # Sockets of threads meet in memory within one context alone, which then is the whole process's.
        self._in_memory = endpoints[0].startswith("inproc://")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance() if self._in_memory else zmq.Context()
        self._socket = self._context.socket(kind)
        self._authenticator: ThreadAuthenticator | None = None
        self._connections: Connections | None = None
        self._allowed: Allowed | None = None
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._socket.setsockopt(zmq.SNDTIMEO, 0 if self._in_memory else _SEND_TIMEOUT_MS)
        self._socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_PLANE_BYTES)
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)  # who waits for a run to start is not to wait longer
        for option, value in {**(_KEEPALIVE if bind else {}), **options}.items():
            self._socket.setsockopt(option, value)
        try:
            if keys is not None:
                self._secure(keys, roles, bind=bind)
            if limit is not None:
                self._socket.setsockopt(zmq.RCVHWM, 0)
                if endpoints[0].startswith("tcp://"):  # other sockets lie in a private folder
                    self._connections = Connections(self._context, self._socket, limit)
            for endpoint in endpoints:
                (self._socket.bind if bind else self._socket.connect)(endpoint)
        except BaseException as error:
            self.close()
            if not isinstance(error, (zmq.ZMQError, OSError, ValueError)):
                raise
            action = "bind" if bind else "connect to"
            unknown = isinstance(error, zmq.ZMQError) and error.errno in (errno.EINVAL, errno.EPROTONOSUPPORT)
            cause = "expected tcp://HOST:PORT or ipc://PATH" if unknown else error
            raise TransportError(f"cannot {action} {', '.join(endpoints)}: {cause}") from error

    def _secure(self, folder: Path, roles: tuple[Role, ...], *, bind: bool) -> None:
        """CURVE with the key files in `folder`: only hosts that may play one of the roles may connect."""
        own = keys.load(folder, keys.SERVER if bind else keys.HOST)
        self._socket.curve_publickey, self._socket.curve_secretkey = own
        if bind:
            self._authenticator = ThreadAuthenticator(self._context)
            self._authenticator.start()
            self._allowed = Allowed(folder, roles)
            self._authenticator.configure_curve_callback(credentials_provider=self._allowed)
            self._socket.curve_server = True
        else:
            self._socket.curve_serverkey = keys.server_key(folder)

    @property
    def endpoint(self) -> str:
        """The endpoint last bound or connected, with the port that was chosen for port 0."""
        return self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def _send(self, parts: Sequence[Buffer]) -> None:
        try:
            self._socket.send_multipart(parts, copy=sum(memoryview(p).nbytes for p in parts) < 65_536)
        except zmq.Again:  # one whose keys are rejected is left without a peer
            if self._in_memory:  # the other end has been closed; between processes too, what comes then is lost
                return
            raise TransportError(
                f"{self.endpoint} accepts no message: is that process running, and do the keys match?"
            ) from None

    def _receive(self, timeout_ms: int) -> list[Buffer] | None:
        if not self._poll(timeout_ms):
            return None
        return [part.buffer for part in self._parts()]

    def _poll(self, timeout_ms: int) -> bool:
        """Return whether a message is there, or comes in time."""
        if self._connections is not None:
            self.rejected += self._connections.cut_off()
        if self._socket.poll(0):
            return True
        if self._connections is not None:
            self._connections.drained()
        return bool(self._socket.poll(timeout_ms))

    def _parts(self) -> list[zmq.Frame]:
        """The parts of a message that is there."""
        parts = self._socket.recv_multipart(copy=False)
        if self._connections is not None:
            self._connections.on_message_consumed(parts)
        return parts

    def _reject(self, part: zmq.Frame) -> None:
        """Count a message that is none, of which this is a part."""
        self.rejected += 1
        if self._connections is not None:
            self._connections.count_rejected(part)

    async def wait_readable(self, timeout_ms: int) -> None:
        """Wait until a message may be there, at most so long, while the event loop goes on."""
        if self._socket.poll(0):
            return  # the descriptor signals changes only
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._socket.fileno(), readable.set)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await readable.wait()
        except TimeoutError:
            return
        finally:
            loop.remove_reader(self._socket.fileno())

    def _receive_message(self, timeout_ms: int) -> object | None:
        """Return the next message; None when none came in time, or a malformed one, which is counted."""
        if not self._poll(timeout_ms):
            return None
        parts = self._parts()
        try:
            return wire.decode([part.buffer for part in parts])
        except wire.WireError:
            self._reject(parts[-1])
            return None

    def close(self) -> None:
        """Let what was sent leave, at most a second long, and free the socket."""
        if self._connections is not None:
            self._connections.close()
            self._connections = None
        self._socket.close()
        if self._authenticator is not None:  # after the socket: libzmq may still ask it about a connecting peer
            self._authenticator.stop()
            self._authenticator = None
        if not self._in_memory:
            self._context.destroy(linger=0)  # `term` would wait for ever for a socket that was left open by a fault


class RouterSocket(_Socket):
    """ROUTER, bound by the dispatcher: receives from every peer, sends to each by its identity."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        # A peer whose connection broke on its side alone comes back while the old one still seems to stand.
        options: dict[int, int] = {zmq.ROUTER_HANDOVER: 1}
        super().__init__(
            zmq.ROUTER,
            [endpoint],
            bind=True,
            keys=keys,
            options=options,
            limit=_STAGES,
            roles=("reader", "worker", "composite"),
        )

    def receive(self, timeout_ms: int) -> tuple[bytes, object] | None:
        """The next message and the identity of its sender; None when none came in time."""
        if not self._poll(timeout_ms):
            return None
        identity, *parts = frames = self._parts()
        try:
            item = wire.decode([part.buffer for part in parts])
        except wire.WireError:
            self._reject(frames[-1])
            return None
        if not self._is_authorised(item, parts[0]):
            self._reject(frames[-1])
            return None
        return bytes(identity.buffer), item

    def _is_authorised(self, item: object, part: zmq.Frame) -> bool:
        """Return whether the sender's key is of a host that may play the role this message needs."""
        if self._allowed is None:
            return True
        role = next((role for role, kinds in _ROLE_OF_MESSAGE.items() if isinstance(item, kinds)), None)
        return role in self._allowed.roles(str(part.get("User-Id")).encode())

    def send(self, identity: bytes, item: object, pictures: wire.FrameEncoding = "raw") -> None:
        """Send to one peer; what a peer that is gone was sent goes out again elsewhere."""
        self._send([identity, *wire.encode(item, pictures)])


class DealerSocket(_Socket):
    """The end of a reader, a worker or composite that faces the dispatcher."""

    def __init__(self, endpoint: str, identity: str, keys: Path | None = None) -> None:
        super().__init__(zmq.DEALER, [endpoint], bind=False, keys=keys, options={zmq.IDENTITY: identity.encode()})
        self._folder = Path(endpoint.removeprefix("ipc://")).parent if endpoint.startswith("ipc://") else None
        self._last_received_s = False

    def receive(self, timeout_ms: int) -> object | None:
        """Return the next message; None when none came in time. TransportError where no peer can ever be reached."""
        item = self._receive_message(timeout_ms)
        self._last_received_s = self._last_received_s or item is not None
        if not self._last_received_s and self._folder is not None and not self._folder.is_dir():
            raise TransportError(f"{self.endpoint} cannot be reached: its folder was removed; start the run anew")
        return item

    def send(self, item: object) -> None:
        """Send to the dispatcher, waiting for what was sent before; TransportError where that is never taken."""
        self._send(wire.encode(item))


class PullSocket(_Socket):
    """Composite's end: everything that workers and the dispatcher send to it."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        super().__init__(zmq.PULL, [endpoint], bind=True, keys=keys, limit=_STAGES, roles=("worker",))

    def receive(self, timeout_ms: int) -> object | None:
        """The next message; None when none came in time."""
        return self._receive_message(timeout_ms)


class PushSocket(_Socket):
    """The end that writes into composite's `PullSocket`: a sink."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        super().__init__(zmq.PUSH, [endpoint], bind=False, keys=keys)

    def write(self, item: object) -> None:
        """Send to composite; waits while it does not take what was sent before, TransportError where it never does."""
        self._send(wire.encode(item))


class XPubSocket(_Socket):
    """XPUB, bound by the publisher: publishes under topics, and receives subscriptions.

    A subscriber that does not keep up loses messages after `high_water_mark` of them; it blocks nothing.
    """

    def __init__(self, endpoint: str, keys: Path | None = None, high_water_mark: int = 3) -> None:
        options: dict[int, int] = {
            zmq.SNDHWM: high_water_mark,
            zmq.LINGER: _LINGER_MS // 2,
            zmq.MAXMSGSIZE: _MAX_SUBSCRIPTION_BYTES,
            zmq.XPUB_VERBOSE: 1,  # a second subscriber of a topic is new too
        }
        super().__init__(
            zmq.XPUB, [endpoint], bind=True, keys=keys, options=options, limit=_SUBSCRIBERS, roles=("subscriber",)
        )

    def subscription_changes(self) -> Iterator[tuple[bytes, bool]]:
        """Return the topics subscribed (True) and unsubscribed (False) since the last call."""
        while (parts := self._receive(0)) is not None:
            frame = bytes(parts[0])
            if frame[:1] in (b"\0", b"\1"):
                yield frame[1:], frame[0] == 1

    def _parts(self) -> list[zmq.Frame]:
        """Return the parts of a subscriber's message, whose bytes count for its connection and drain with time."""
        return self._socket.recv_multipart(copy=False)

    def publish(self, parts: Sequence[Buffer]) -> None:
        """Publish to all subscribers of the topic `parts[0]`; never blocks."""
        self._send(parts)

    def publish_last(self, parts: Sequence[Buffer]) -> None:
        """Publish the closing message, which slow subscribers are to get too: waits for them half a second."""
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        self._socket.setsockopt(zmq.SNDTIMEO, _LINGER_MS // 2)
        with contextlib.suppress(TransportError):
            self._send(parts)


class SubSocket(_Socket):
    """SUB: receives what is published under its topics; reconnects by itself."""

    def __init__(self, endpoint: str, keys: Path | None = None, high_water_mark: int = 2) -> None:
        options: dict[int, int] = {
            zmq.RCVHWM: high_water_mark,
            zmq.MAXMSGSIZE: 4 * bounds.MAX_PIXELS,
            zmq.LINGER: 0,
            **_KEEPALIVE,
        }
        super().__init__(zmq.SUB, [endpoint], bind=False, keys=keys, options=options)

    def subscribe(self, topic: bytes) -> None:
        """Subscribe to all topics that begin so."""
        self._socket.setsockopt(zmq.SUBSCRIBE, topic)

    def unsubscribe(self, topic: bytes) -> None:
        """Ask for it no more."""
        self._socket.setsockopt(zmq.UNSUBSCRIBE, topic)

    def receive(self, timeout_ms: int) -> list[Buffer] | None:
        """The parts of the next message; None when none came in time."""
        return self._receive(timeout_ms)


class RepSocket(_Socket):
    """REP: receives requests and replies, in any order: a slow one does not block the others."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        options: dict[int, int] = {zmq.MAXMSGSIZE: MAX_REQUEST_BYTES, zmq.SNDTIMEO: 0}
        super().__init__(
            zmq.ROUTER, [endpoint], bind=True, keys=keys, options=options, limit=_REQUESTERS, roles=("controller",)
        )

    def receive(self, timeout_ms: int) -> tuple[Envelope, bytes] | None:
        """Return the next request and its envelope; None when none came in time, or a malformed one."""
        parts = self._receive(timeout_ms)
        if parts is None:
            return None
        envelope = tuple(bytes(part) for part in parts[:-1])
        if not 2 <= len(envelope) <= _MAX_ENVELOPE or envelope[-1]:
            self.rejected += 1
            return None
        return envelope, bytes(parts[-1])

    def reply(self, envelope: Envelope, reply: bytes) -> None:
        """Answer a request; who has gone, or reads no answers, gets none."""
        with contextlib.suppress(TransportError):
            self._send([*envelope, reply])


class ReqSocket(_Socket):
    """The end that asks a `RepSocket`."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        options: dict[int, int] = {zmq.LINGER: 0, zmq.REQ_RELAXED: 1, zmq.REQ_CORRELATE: 1}
        super().__init__(zmq.REQ, [endpoint], bind=False, keys=keys, options=options)

    def request(self, request: bytes, timeout_ms: int) -> bytes | None:
        """The reply to a request; None when none came in time."""
        self._send([request])
        parts = self._receive(timeout_ms)
        return bytes(parts[0]) if parts is not None else None


def private_endpoints(names: Sequence[str]) -> tuple[dict[str, str], Path | None]:
    """Endpoints of this run alone: `ipc://` in a new folder of mode 0700 (returned, to be removed), or tcp."""
    if zmq.has("ipc"):
        try:
            folder = private_folder.make(max(names, key=len))
        except OSError as error:
            raise TransportError(f"cannot make a folder for sockets: {error}") from error
        return {name: f"ipc://{folder / name}" for name in names}, folder
    return dict(zip(names, _free_loopback(len(names)), strict=True)), None


def remove_folder(folder: Path | None) -> None:
    """Remove the private folder of `private_endpoints`, if one was made."""
    if folder is not None:
        private_folder.remove(folder)


def _free_loopback(count: int) -> Iterator[str]:
    """Loopback endpoints that were free a moment ago, for hosts without `ipc`."""
    with zmq.Context() as context:
        sockets = [context.socket(zmq.ROUTER) for _ in range(count)]
        for socket in sockets:
            socket.bind("tcp://127.0.0.1:*")
        endpoints = [socket.getsockopt_string(zmq.LAST_ENDPOINT) for socket in sockets]
        for socket in sockets:
            socket.close(linger=0)
    yield from endpoints
