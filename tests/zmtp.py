"""Raw ZMTP on a socket of one's own, for what no honest ZeroMQ library would send (RFC 37, mechanism NULL)."""

from __future__ import annotations

import socket


def connected(socket_type: bytes, endpoint: str) -> socket.socket:
    """A connection to tcp://HOST:PORT after the handshake, in which it says that it is a `socket_type`."""
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    wire = socket.create_connection((host, int(port)))
    try:
        _shake_hands(wire, socket_type)
    except OSError:
        wire.close()
        raise
    return wire


def _shake_hands(wire: socket.socket, socket_type: bytes) -> None:
    wire.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    ready = b"\x05READY\x0bSocket-Type" + len(socket_type).to_bytes(4, "big") + socket_type
    wire.sendall(b"\x04" + bytes([len(ready)]) + ready)
    _read(wire, 64)  # its greeting and its READY: what is sent before them is taken for a part of the handshake
    _read(wire, _read(wire, 2)[1])


def _read(wire: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (more := wire.recv(count - len(data))):
            raise ConnectionResetError("the other end has closed the connection")
        data += more
    return data


def part(data: bytes) -> bytes:
    """A part of a message after which more are to come."""
    return b"\x03" + len(data).to_bytes(8, "big") + data


def whole(data: bytes) -> bytes:
    """A message of one short part."""
    return bytes([0, len(data)]) + data
