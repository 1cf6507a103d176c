"""A bound socket whose queue is full outlives peers that break off in the middle of it: libzmq must not abort."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests import zmtp

ROOT = Path(__file__).parents[3]
ATTACK_S = 6.0  # with heartbeats of the bound end it took less than one
RESET = struct.pack("ii", 1, 0)
SLOW_END = """
import sys, time
from stream.transport.sockets import PullSocket, RouterSocket
end = {"RouterSocket": RouterSocket, "PullSocket": PullSocket}[sys.argv[1]]("tcp://127.0.0.1:*")
print(end.endpoint, flush=True)
while True:
    end.receive(100)
    time.sleep(0.001)
"""


def break_off(endpoint: str, socket_type: bytes, until_s: float) -> None:
    """Fill the queue, stay a moment beyond the first heartbeats, and reset the connection."""
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError), zmtp.connected(socket_type, endpoint) as wire:
            wire.settimeout(0.5)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            for _ in range(5000):
                wire.sendall(zmtp.whole(b"x" * 200))


@pytest.mark.parametrize(("end", "socket_type"), [("RouterSocket", b"DEALER"), ("PullSocket", b"PUSH")])
def test_peers_that_break_off_end_no_process(end: str, socket_type: bytes) -> None:
    with subprocess.Popen([sys.executable, "-c", SLOW_END, end], cwd=ROOT, stdout=subprocess.PIPE, text=True) as bound:
        assert bound.stdout is not None
        endpoint = bound.stdout.readline().strip()
        until_s = time.monotonic() + ATTACK_S
        peers = [threading.Thread(target=break_off, args=(endpoint, socket_type, until_s)) for _ in range(4)]
        for peer in peers:
            peer.start()
        for peer in peers:
            peer.join()
        still = bound.poll()
        bound.kill()
    assert still is None
