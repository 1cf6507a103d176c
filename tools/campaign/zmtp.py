"""ZMTP 3.1 by hand, as far as a peer needs it that will not keep to it (rfc.zeromq.org/spec/37)."""

from __future__ import annotations

import socket
from types import TracebackType

_GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
_MORE, _LONG, _COMMAND = 1, 2, 4
_TIMEOUT_S = 10.0


class RawPeer:
    """A connection to a ZeroMQ socket on loopback that has shaken hands as a socket of that `kind`; a context."""

    def __init__(self, port: int, kind: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        self._socket.sendall(_GREETING)
        ready = b"\x05READY" + _property(b"Socket-Type", kind.encode()) + _property(b"Identity", b"")
        self._socket.sendall(_frame(_COMMAND, ready))

    def send_part(self, data: bytes, *, more: bool) -> None:
        """Send one part of a message; OSError where the other end has hung up or takes no more."""
        self._socket.sendall(_frame(_MORE if more else 0, data))

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value


def _frame(flags: int, data: bytes) -> bytes:
    long = len(data) > 255
    return bytes([flags | (_LONG if long else 0)]) + len(data).to_bytes(8 if long else 1, "big") + data
