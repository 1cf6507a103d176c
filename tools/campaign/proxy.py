"""A TCP proxy on loopback whose connections can be cut, held, swallowed, or broken on one side alone."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from typing import Literal, TypeVar

Side = Literal["client", "server"]
Value = TypeVar("Value")
_PATIENCE_S = 10.0
_RESET = struct.pack("ii", 1, 0)  # linger on, no time: closing sends a reset, as a host that has forgotten it does


class Proxy:
    """Listens on a port of its own and passes every connection on to `target_port`; ends with its context."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._pairs: set[_Pair] = set()
        self.refusing = False
        self.holding = False
        self.connections = 0
        """How many there have been."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)

    def cut(self) -> None:
        """Reset every connection on both sides."""

        def reset_all() -> None:
            for pair in tuple(self._pairs):
                pair.reset()

        self._do(reset_all)

    def hold(self, holding: bool) -> None:
        """Keep back what servers send, on new connections as well; then let it go on, as when a plug is put back."""

        def change() -> None:
            self.holding = holding
            for pair in tuple(self._pairs):
                pair.hold(holding)

        self._do(change)

    def swallow(self, of: Side) -> int:
        """Throw away what one side of each connection sends from now on, even its end; how many connections."""
        return self._do(lambda: sum(pair.swallow(of) for pair in tuple(self._pairs)))

    def break_at(self, side: Side) -> int:
        """Reset the connections there are at one side; the other is told nothing. How many they are."""
        return self._do(lambda: sum(pair.break_at(side) for pair in tuple(self._pairs)))

    def _do(self, work: Callable[[], Value]) -> Value:
        async def run() -> Value:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_PATIENCE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._loop.create_server(self._accepted, sock=self._listener))
        self._loop.run_forever()
        for pair in tuple(self._pairs):
            pair.reset()
        self._listener.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _accepted(self) -> asyncio.Protocol:
        return _End(_Pair(self), "client")

    async def connect(self, pair: _Pair) -> None:
        """Join a new client's connection to the server, unless connections are refused."""
        try:
            if self.refusing:
                raise ConnectionRefusedError
            await self._loop.create_connection(lambda: _End(pair, "server"), "127.0.0.1", self._target_port)
        except OSError:
            pair.reset()

    def joined(self, pair: _Pair) -> None:
        """Keep a pair in mind."""
        self._pairs.add(pair)
        self.connections += 1

    def parted(self, pair: _Pair) -> None:
        """Forget it."""
        self._pairs.discard(pair)


class _Pair:
    """A client's connection and the one to the server that it is joined to."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._ends: dict[Side, asyncio.Transport] = {}
        self._waiting: dict[Side, list[bytes]] = {"client": [], "server": []}
        self._swallowed: set[Side] = set()
        self._held = proxy.holding
        self._broken = False

    def made(self, side: Side, transport: asyncio.Transport) -> None:
        self._ends[side] = transport
        if side == "client":
            self._proxy.joined(self)
            self._connecting = asyncio.ensure_future(self._proxy.connect(self))
        else:
            self._flush("client")

    def received(self, side: Side, data: bytes) -> None:
        if side in self._swallowed or self._broken:
            return
        self._waiting[side].append(data)
        self._flush(side)

    def _flush(self, side: Side) -> None:
        to = self._ends.get("server" if side == "client" else "client")
        if to is None or (side == "server" and self._held):
            return
        for data in self._waiting[side]:
            to.write(data)
        self._waiting[side].clear()

    def choose_pace(self, side: Side, *, reading: bool) -> None:
        """Read no more from the other side than this one takes."""
        other = self._ends.get("server" if side == "client" else "client")
        if other is not None and not other.is_closing():
            (other.resume_reading if reading else other.pause_reading)()

    def hold(self, holding: bool) -> None:
        self._held = holding
        self._flush("server")

    def swallow(self, of: Side) -> bool:
        fresh = not self._swallowed and not self._broken
        self._swallowed.add(of)
        return fresh

    def break_at(self, side: Side) -> bool:
        fresh = not self._swallowed and not self._broken
        if fresh and side in self._ends:
            self._broken = True
            _reset(self._ends.pop(side))
        return fresh

    def lost(self, side: Side) -> None:
        self._ends.pop(side, None)
        self._broken = self._broken or side in self._swallowed
        if not self._broken or not self._ends:
            self.reset()

    def reset(self) -> None:
        self._proxy.parted(self)
        for side in tuple(self._ends):
            _reset(self._ends.pop(side))


def _reset(transport: asyncio.Transport) -> None:
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


class _End(asyncio.Protocol):
    """One connection of a pair, as asyncio tells of it."""

    def __init__(self, pair: _Pair, side: Side) -> None:
        self._pair = pair
        self._side = side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._pair.made(self._side, transport)

    def data_received(self, data: bytes) -> None:
        self._pair.received(self._side, data)

    def connection_lost(self, error: Exception | None) -> None:
        self._pair.lost(self._side)

    def pause_writing(self) -> None:
        self._pair.choose_pace(self._side, reading=False)

    def resume_writing(self) -> None:
        self._pair.choose_pace(self._side, reading=True)
