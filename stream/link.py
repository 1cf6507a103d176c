"""Where messages leave one process and enter another: the only room that imports ZeroMQ.

Four ends make two roads. The dispatcher binds a `Hub`, to which readers, workers and composite connect
a `Peer`. Composite binds an `Inbox`, into which workers and the dispatcher write through an `Outbox`.
Every end owns its context and terminates it; every receive has a timeout; bytes that are no message of
ours are counted in `refused` and thrown away.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from stream import wire
from stream.stage import StreamError

_LINGER_MS = 1000
_HEARTBEAT_MS = 1000
_SERVER_KEY = "server"
_CLIENT_KEY = "client"


class LinkError(StreamError):
    """An endpoint cannot be bound or connected."""


class _End:
    """One socket with a context of its own, closed together."""

    def __init__(self, kind: int, endpoints: Sequence[str], *, bind: bool, keys: Path | None) -> None:
        self.refused = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(kind)
        self._authenticator: ThreadAuthenticator | None = None
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_PLANE_BYTES)
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * _HEARTBEAT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        try:
            if keys is not None:
                self._secure(keys, bind=bind)
            for endpoint in endpoints:
                (self._socket.bind if bind else self._socket.connect)(endpoint)
        except (zmq.ZMQError, OSError, ValueError) as error:
            self.close()
            doing = "bind" if bind else "connect to"
            raise LinkError(f"cannot {doing} {', '.join(endpoints)}: {error}") from error

    def _secure(self, keys: Path, *, bind: bool) -> None:
        """CURVE with the key files in `keys`: only holders of the client's secret key may connect."""
        own = _SERVER_KEY if bind else _CLIENT_KEY
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

    def _send(self, parts: Sequence[wire.Buffer]) -> None:
        self._socket.send_multipart(parts, copy=sum(memoryview(p).nbytes for p in parts) < 65_536)

    def _receive(self, timeout_ms: int) -> list[wire.Buffer] | None:
        if not self._socket.poll(timeout_ms):
            return None
        return [frame.buffer for frame in self._socket.recv_multipart(copy=False)]

    def close(self) -> None:
        """Let what was sent leave, at most a second long, and free the socket."""
        if self._authenticator is not None:
            self._authenticator.stop()
            self._authenticator = None
        self._socket.close()
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
        super().__init__(zmq.DEALER, [], bind=False, keys=keys)
        self._socket.setsockopt_string(zmq.IDENTITY, identity)
        self._socket.connect(endpoint)

    def receive(self, timeout_ms: int) -> object | None:
        """The next message; None when none came in time."""
        parts = self._receive(timeout_ms)
        try:
            return wire.decode(parts) if parts is not None else None
        except wire.WireError:
            self.refused += 1
            return None

    def send(self, item: object) -> None:
        """Send to the dispatcher; waits only while it does not take what was sent before."""
        self._send(wire.encode(item))


class Inbox(_End):
    """Composite's end: everything that workers and the dispatcher send to it."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        super().__init__(zmq.PULL, [endpoint], bind=True, keys=keys)

    def receive(self, timeout_ms: int) -> object | None:
        """The next message; None when none came in time."""
        parts = self._receive(timeout_ms)
        try:
            return wire.decode(parts) if parts is not None else None
        except wire.WireError:
            self.refused += 1
            return None


class Outbox(_End):
    """The end that writes into composite's `Inbox`: a sink."""

    def __init__(self, endpoint: str, keys: Path | None = None) -> None:
        super().__init__(zmq.PUSH, [endpoint], bind=False, keys=keys)

    def write(self, item: object) -> None:
        """Send to composite; waits only while it is not there."""
        self._send(wire.encode(item))


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
