"""Where messages leave one process and enter another: the only room that imports ZeroMQ.

Between the stages four ends make two roads. The dispatcher binds a `Hub`, to which readers, workers and
composite connect a `Peer`. Composite binds an `Inbox`, into which workers and the dispatcher write through an
`Outbox`. To the outside there are two more: a `Publication` with many `Subscription`s, and a `Desk` that
answers each `Caller`.
Every end owns its context and terminates it; every receive has a timeout; bytes that are no message of
ours are counted in `refused` and thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from stream import message
from stream.stage import StreamError
from stream.transport import wire
from stream.transport.codec import Buffer

_LINGER_MS = 1000
_PATIENCE_MS = 10_000  # a message is not taken for so long only where it never will be
_HEARTBEAT_MS = 1000
_MAX_SUBSCRIPTION_BYTES = 1024
MAX_REQUEST_BYTES = 1_048_576
# Where a high-water mark may hold up what comes in, ZMTP's heartbeats take that for death, and libzmq aborts as it
# connects again (its issue 3937, "Assertion failed: _input_stopped"): there the kernel looks after the connection.
_KEEPALIVE: dict[int, int] = {
    zmq.HEARTBEAT_IVL: 0,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 5,
    zmq.TCP_KEEPALIVE_INTVL: 1,
    zmq.TCP_KEEPALIVE_CNT: 3,
}
_SERVER_KEY = "server"
_CLIENT_KEY = "client"


class LinkError(StreamError):
    """An endpoint cannot be bound or connected."""


class _End:
    """One socket with a context of its own, closed together."""

    def __init__(
        self,
        kind: int,
        endpoints: Sequence[str],
        *,
        bind: bool,
        keys: Path | None,
        options: Mapping[int, int | bytes] = MappingProxyType({}),
    ) -> None:
        self.refused = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(kind)
        self._authenticator: ThreadAuthenticator | None = None
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._socket.setsockopt(zmq.SNDTIMEO, _PATIENCE_MS)
        self._socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_PLANE_BYTES)
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * _HEARTBEAT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)  # who waits for a run to start is not to wait longer
        for option, value in options.items():
            self._socket.setsockopt(option, value)
        try:
            if keys is not None:
                self._secure(keys, bind=bind)
            for endpoint in endpoints:
                (self._socket.bind if bind else self._socket.connect)(endpoint)
        except (zmq.ZMQError, OSError, ValueError) as error:
            self.close()
            doing = "bind" if bind else "connect to"
            unknown = isinstance(error, zmq.ZMQError) and error.errno in (errno.EINVAL, errno.EPROTONOSUPPORT)
            cause = "expected tcp://HOST:PORT or ipc://PATH" if unknown else error
            raise LinkError(f"cannot {doing} {', '.join(endpoints)}: {cause}") from error

    def _secure(self, keys: Path, *, bind: bool) -> None:
        """CURVE with the key files in `keys`: only holders of the client's secret key may connect."""
        own = _SERVER_KEY if bind else _CLIENT_KEY
        if not (keys / f"{own}.key_secret").is_file():
            raise ValueError(f"no {own}.key_secret in {keys}: make the keys with tools/make_keys.py {keys}")
        public, secret = zmq.auth.load_certificate(keys / f"{own}.key_secret")
        self._socket.curve_publickey, self._socket.curve_secretkey = public, secret or b""
        if bind:
            self._authenticator = ThreadAuthenticator(self._context)
            self._authenticator.start()
            self._authenticator.configure_curve(location=str(keys / "allowed"))
            self._socket.curve_server = True
        else:
            self._socket.curve_serverkey = zmq.auth.load_certificate(keys / f"{_SERVER_KEY}.key")[0]

    @property
    def endpoint(self) -> str:
        """The endpoint last bound or connected, with the port that was chosen for port 0."""
        return self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def _send(self, parts: Sequence[Buffer]) -> None:
        try:
            self._socket.send_multipart(parts, copy=sum(memoryview(p).nbytes for p in parts) < 65_536)
        except zmq.Again:  # one whose keys are refused is left without anybody to send to
            raise LinkError(f"{self.endpoint} takes no message: is it there, and are these the keys for it?") from None

    def _receive(self, timeout_ms: int) -> list[Buffer] | None:
        if not self._socket.poll(timeout_ms):
            return None
        return [frame.buffer for frame in self._socket.recv_multipart(copy=False)]

    async def arrival(self, timeout_ms: int) -> None:
        """Wait until a message may be there, at most so long, while the event loop goes on."""
        if self._socket.poll(0):
            return  # the descriptor tells of changes only
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._socket.fileno(), rung.set)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await rung.wait()
        except TimeoutError:
            return
        finally:
            loop.remove_reader(self._socket.fileno())

    def _message(self, timeout_ms: int) -> object | None:
        """The next message; None when none came in time, or garbage, which is counted."""
        parts = self._receive(timeout_ms)
        try:
            return wire.decode(parts) if parts is not None else None
        except wire.WireError:
            self.refused += 1
            return None

    def close(self) -> None:
        """Let what was sent leave, at most a second long, and free the socket."""
        self._socket.close()
        if self._authenticator is not None:  # after the socket: somebody may be at the door, and libzmq asks it who
            self._authenticator.stop()
            self._authenticator = None
        self._context.term()


class Hub(_End):
    """The dispatcher's end: hears every peer, and answers each by its identity."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        super().__init__(zmq.ROUTER, [endpoint], bind=True, keys=keys)

    def receive(self, timeout_ms: int) -> tuple[bytes, object] | None:
        """The next message and the identity of its sender; None when none came in time."""
        parts = self._receive(timeout_ms)
        if parts is None:
            return None
        try:
            return bytes(parts[0]), wire.decode(parts[1:])
        except wire.WireError:
            self.refused += 1
            return None

    def send(self, peer: bytes, item: object, pictures: wire.Encoding = "raw") -> None:
        """Send to one peer; what a peer that is gone was sent goes out again elsewhere."""
        self._send([peer, *wire.encode(item, pictures)])


class Peer(_End):
    """The end of a reader, a worker or composite that faces the dispatcher."""

    def __init__(self, endpoint: str, identity: str, keys: Path | None = None) -> None:
        super().__init__(zmq.DEALER, [endpoint], bind=False, keys=keys, options={zmq.IDENTITY: identity.encode()})

    def receive(self, timeout_ms: int) -> object | None:
        """The next message; None when none came in time."""
        return self._message(timeout_ms)

    def send(self, item: object) -> None:
        """Send to the dispatcher; waits while it does not take what was sent before, LinkError where it never does."""
        self._send(wire.encode(item))


class Inbox(_End):
    """Composite's end: everything that workers and the dispatcher send to it."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        super().__init__(zmq.PULL, [endpoint], bind=True, keys=keys)

    def receive(self, timeout_ms: int) -> object | None:
        """The next message; None when none came in time."""
        return self._message(timeout_ms)


class Outbox(_End):
    """The end that writes into composite's `Inbox`: a sink."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        super().__init__(zmq.PUSH, [endpoint], bind=False, keys=keys)

    def write(self, item: object) -> None:
        """Send to composite; waits while it does not take what was sent before, LinkError where it never does."""
        self._send(wire.encode(item))


class Publication(_End):
    """The publisher's end: says things under topics, and hears which topics anybody wants.

    A subscriber that does not keep up loses messages after `waiting` of them; nobody waits for it.
    """

    def __init__(self, endpoint: str, keys: Path | None = None, waiting: int = 3) -> None:
        options: dict[int, int] = {
            zmq.SNDHWM: waiting,
            zmq.LINGER: _LINGER_MS // 2,
            zmq.MAXMSGSIZE: _MAX_SUBSCRIPTION_BYTES,
            zmq.XPUB_VERBOSE: 1,  # a second subscriber of a topic is a newcomer too
            **_KEEPALIVE,
        }
        super().__init__(zmq.XPUB, [endpoint], bind=True, keys=keys, options=options)

    def heard(self) -> Iterator[tuple[bytes, bool]]:
        """The topics that were asked for (True), and those that nobody wants any more (False), since."""
        while (parts := self._receive(0)) is not None:
            word = bytes(parts[0])
            if word[:1] in (b"\0", b"\1"):
                yield word[1:], word[0] == 1

    def publish(self, parts: Sequence[Buffer]) -> None:
        """Say something to all who want it, `parts[0]` being its topic; never waits."""
        self._send(parts)

    def say_last(self, parts: Sequence[Buffer]) -> None:
        """Say the last word, which also those who are behind are to hear: waits for them half a second."""
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        self._socket.setsockopt(zmq.SNDTIMEO, _LINGER_MS // 2)
        with contextlib.suppress(LinkError):
            self._send(parts)


class Subscription(_End):
    """A subscriber's end: hears what is said under its topics; connects again by itself."""

    def __init__(self, endpoint: str, keys: Path | None = None, waiting: int = 2) -> None:
        options: dict[int, int] = {
            zmq.RCVHWM: waiting,
            zmq.MAXMSGSIZE: 4 * message.MAX_PIXELS,
            zmq.LINGER: 0,
            **_KEEPALIVE,
        }
        super().__init__(zmq.SUB, [endpoint], bind=False, keys=keys, options=options)

    def subscribe(self, topic: bytes) -> None:
        """Ask for all that is said under topics that begin so."""
        self._socket.setsockopt(zmq.SUBSCRIBE, topic)

    def unsubscribe(self, topic: bytes) -> None:
        """Ask for it no more."""
        self._socket.setsockopt(zmq.UNSUBSCRIBE, topic)

    def receive(self, timeout_ms: int) -> list[Buffer] | None:
        """The parts of the next message; None when none came in time."""
        return self._receive(timeout_ms)


class Desk(_End):
    """Where requests are heard and answered one by one."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        options: dict[int, int] = {zmq.MAXMSGSIZE: MAX_REQUEST_BYTES}
        super().__init__(zmq.REP, [endpoint], bind=True, keys=keys, options=options)

    def receive(self, timeout_ms: int) -> bytes | None:
        """The next request; None when none came in time. It must be answered before another is heard."""
        parts = self._receive(timeout_ms)
        return b"".join(bytes(part) for part in parts) if parts is not None else None

    def answer(self, reply: bytes) -> None:
        """Answer the request heard last."""
        self._send([reply])


class Caller(_End):
    """The end that asks a `Desk`."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        options: dict[int, int] = {zmq.LINGER: 0, zmq.REQ_RELAXED: 1, zmq.REQ_CORRELATE: 1}
        super().__init__(zmq.REQ, [endpoint], bind=False, keys=keys, options=options)

    def ask(self, request: bytes, timeout_ms: int) -> bytes | None:
        """The reply to a request; None when none came in time."""
        self._send([request])
        parts = self._receive(timeout_ms)
        return bytes(parts[0]) if parts is not None else None


def private_endpoints(names: Sequence[str]) -> tuple[dict[str, str], Path | None]:
    """Endpoints of this run alone: `ipc://` in a new folder of mode 0700 (returned, to be removed), or tcp."""
    if zmq.has("ipc"):
        folder = Path(tempfile.mkdtemp(prefix="stream-"))
        return {name: f"ipc://{folder / name}" for name in names}, folder
    return dict(zip(names, _free_loopback(len(names)), strict=True)), None


def remove_folder(folder: Path | None) -> None:
    """Remove the private folder of `private_endpoints`, if one was made."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


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
