"""SRT where FFmpeg was built without it, as in PyAV's wheels: Debian's `srt-live-transmit` carries the bytes.

It is a child of this process, connected by pipes, and killed with the thread that started it: the end of its input
does not end it. While it runs, the address stands in the host's list of processes with whatever secrets it holds.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time

import av

from stream.media.address import reveals, scheme_of

_PACKET_BYTES = 188
CHUNK_BYTES = 7 * _PACKET_BYTES
"""Bytes sent at once: as many MPEG-TS packets as fit a datagram."""
_MAX_CHUNK_BYTES = 1456  # what may come in at once
_NULL_PACKET = b"\x47\x1f\xff\x10" + b"\xff" * (_PACKET_BYTES - 4)  # which every receiver leaves out
_CONSOLE = "file://con"
_SHUTDOWN_TIMEOUT_S = 1.0

_PACKAGES = {"srt-live-transmit": "srt-tools", "setpriv": "util-linux", "stdbuf": "coreutils"}
_COMMAND = ("setpriv", "--pdeathsig", "KILL", "stdbuf", "--input=0", "--output=0", "srt-live-transmit")
_OPTIONS = ("-autoreconnect:no", "-buffering:1", "-loglevel:warn")
_CONNECTED = re.compile(r"^(SRT \w+ connected|Accepted SRT \w+ connection)\n", re.MULTILINE)
_REJECTED = re.compile(
    r"^(?:ERROR: (?:error: )?|.*REJECT reported from HS processing: )(.+?)(?:: Success| - not .*)?\n", re.MULTILINE
)
_NO_PEER = "no peer answered"


def needs_relay(address: str) -> bool:
    """Return whether an address is SRT and FFmpeg lacks it, so that it needs a relay."""
    if scheme_of(address) != "srt":
        return False
    try:
        av.open("srt:").close()  # without a host it opens nothing
    except av.ProtocolNotFoundError:
        return True
    except (av.FFmpegError, OSError):
        return False
    return False


def missing_programs() -> str:
    """Return what a relay needs and this host lacks, as the end of a sentence; empty: nothing."""
    absent = [program for program in _PACKAGES if shutil.which(program) is None]
    if not absent:
        return ""
    packages = " ".join(_PACKAGES[program] for program in absent)
    return f"PyAV's FFmpeg was built without srt, and there is no {', no '.join(absent)}: apt install {packages}"


class Relay:
    """A child that carries bytes from one address to another; connected when it is made, a source also spoken to.

    `OSError` says why there is no connection, `TimeoutError` that there was none within `timeout_s`.
    """

    def __init__(self, source: str, target: str, chunk_bytes: int, timeout_s: float) -> None:
        self._log_socket, child_end = socket.socketpair()
        with child_end:
            child_end.setblocking(False)  # its later log is not read: lost, and does not block it
            self._process = subprocess.Popen(
                [*_COMMAND, *_OPTIONS, f"-chunk:{chunk_bytes}", "--", source, target],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=child_end.fileno(),
                process_group=0,  # Ctrl-C is for those who end the run in order
            )
        try:
            self._connect(source, target, time.monotonic() + timeout_s)
        except OSError:
            self.close()
            raise

    @property
    def process_id(self) -> int:
        """By which the child is known to the host."""
        return self._process.pid

    def close(self) -> None:
        """Close the connection, and end the child; once is enough."""
        self._process.terminate()
        for end in filter(None, (self._process.stdin, self._process.stdout)):
            with contextlib.suppress(OSError):  # what it did not take any more is not missed
                end.close()
        try:
            self._process.wait(_SHUTDOWN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log_socket.close()

    def _connect(self, source: str, target: str, until_s: float) -> None:
        """Wait until the child reports a connection; of its log, which holds the address, only a reason is repeated.

        Its exit is not waited for: it misses a rejection that comes at once, and stays.
        """
        log = ""
        while not _CONNECTED.search(log):
            if rejected := _REJECTED.search(log):
                secret_shown = reveals(rejected[1], source) or reveals(rejected[1], target)
                raise ConnectionError("it was refused" if secret_shown else rejected[1])
            self._log_socket.settimeout(max(until_s - time.monotonic(), 0.001))
            try:
                chunk = self._log_socket.recv(4096)
            except TimeoutError:
                raise TimeoutError(_NO_PEER) from None
            if not chunk:
                raise ConnectionError(_NO_PEER)
            log += chunk.decode(errors="replace")


class Sender(Relay):
    """File object for a muxer of MPEG-TS; `OSError` also where the connection is lost."""

    def __init__(self, address: str, timeout_s: float) -> None:
        super().__init__(_CONSOLE, address, CHUNK_BYTES, timeout_s)
        self._partial_chunk_bytes = 0

    @property
    def closed(self) -> bool:
        """As of a file: PyAV asks before it writes a trailer."""
        assert self._process.stdin
        return self._process.stdin.closed

    def write(self, data: bytes) -> int:
        """Send what fills whole chunks; the rest waits for more."""
        assert self._process.stdin
        self._process.stdin.write(data)
        self._process.stdin.flush()
        self._partial_chunk_bytes = (self._partial_chunk_bytes + len(data)) % CHUNK_BYTES
        return len(data)

    def flush(self) -> None:
        """Send also the rest, its chunk filled with empty packets."""
        if self._partial_chunk_bytes:
            self.write(_NULL_PACKET * ((CHUNK_BYTES - self._partial_chunk_bytes) // _PACKET_BYTES))


class Receiver(Relay):
    """A pipe, which FFmpeg opens by its `address`, and out of which comes what the other side sends."""

    def __init__(self, address: str, timeout_s: float) -> None:
        super().__init__(address, _CONSOLE, _MAX_CHUNK_BYTES, timeout_s)
        assert self._process.stdout
        pipe = self._process.stdout.fileno()
        os.set_blocking(pipe, False)  # so that FFmpeg can give up waiting
        self.address = f"pipe:{pipe}"
