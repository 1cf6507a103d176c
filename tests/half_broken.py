"""A TCP proxy on loopback whose connections can break in one direction only, as a cable or a firewall breaks them."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Literal

Direction = Literal["inward", "outward"]
"""`inward`: from who connects to who listens; `outward`: back."""


class HalfBroken:
    """Passes on what it is sent to `upstream`, tcp://HOST:PORT; `endpoint` is where to connect instead."""

    def __init__(self, upstream: str) -> None:
        host, port = upstream.removeprefix("tcp://").rsplit(":", 1)
        self._upstream = host, int(port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self._swallowed: set[tuple[int, Direction]] = set()
        self._links: list[tuple[socket.socket, socket.socket]] = []
        self.endpoint = f"tcp://127.0.0.1:{self._door.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._start(threading.Thread(target=self._accept, daemon=True))

    def swallow(self, direction: Direction) -> None:
        """From now on nothing comes through in that direction of the connections there are, not even their end."""
        self._swallowed |= {(number, direction) for number in range(len(self._links))}

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._links)

    def _start(self, thread: threading.Thread) -> None:
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self._door.accept()[0]
                far = socket.create_connection(self._upstream)
                self._links.append((near, far))
                number = len(self._links) - 1
                for came, goes, direction in ((near, far, "inward"), (far, near, "outward")):
                    args = (came, goes, number, direction)
                    self._start(threading.Thread(target=self._pump, args=args, daemon=True))

    def _pump(self, came: socket.socket, goes: socket.socket, number: int, direction: Direction) -> None:
        with contextlib.suppress(OSError):
            while data := came.recv(65_536):
                if (number, direction) not in self._swallowed:
                    goes.sendall(data)
        if (number, direction) not in self._swallowed:
            with contextlib.suppress(OSError):
                goes.shutdown(socket.SHUT_WR)

    def __enter__(self) -> HalfBroken:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in (self._door, *(end for link in self._links for end in link)):
            with contextlib.suppress(OSError):  # who waits for it wakes
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for end in (self._door, *(end for link in self._links for end in link)):
            end.close()
