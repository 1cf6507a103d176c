"""Bytes carried by `srt-live-transmit`, with another one at the other side."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from stream.media import srt
from stream.media.srt import CHUNK_BYTES, Receiver, Sender

ROOT = Path(__file__).parents[3]
PATIENCE_S = 10.0
EMPTY = b"\x47\x1f\xff\x10" + b"\xff" * 184
Carry = Callable[[str, str], subprocess.Popen[bytes]]


@pytest.fixture
def port() -> int:
    """A port that is free; the test is skipped where there is no srt-live-transmit."""
    if lack := srt.missing_programs():
        pytest.skip(lack)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def carry() -> Iterator[Carry]:
    """Start the other side, which carries from one address to another and passes all on at once."""
    started: list[subprocess.Popen[bytes]] = []

    def start(source: str, target: str) -> subprocess.Popen[bytes]:
        command = ["stdbuf", "-i0", "-o0", "srt-live-transmit", "-q", "-ll:fatal", "-buffering:1", "-c:1316"]
        process = subprocess.Popen([*command, source, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_what_is_flushed_is_there_at_once_in_whole_chunks_and_nothing_after_it_is_needed(
    port: int, carry: Carry
) -> None:
    other = carry(f"srt://127.0.0.1:{port}?mode=listener", "file://con")
    assert other.stdout
    sender = Sender(f"srt://127.0.0.1:{port}", PATIENCE_S)
    try:
        for packets in (9, 14, 1):
            sent = b"".join(bytes([0x47, packets, n]) + bytes(185) for n in range(packets))
            sender.write(sent[:500])
            sender.write(sent[500:])
            sender.flush()
            chunks = -(-len(sent) // CHUNK_BYTES)
            assert other.stdout.read(chunks * CHUNK_BYTES) == sent + EMPTY * (7 * chunks - packets)
    finally:
        sender.close()


def test_either_side_may_wait_for_the_other(port: int, carry: Carry) -> None:
    other = carry(f"srt://127.0.0.1:{port}", "file://con")
    assert other.stdout
    sender = Sender(f"srt://127.0.0.1:{port}?mode=listener", PATIENCE_S)
    sender.write(EMPTY * 7)
    assert other.stdout.read(CHUNK_BYTES) == EMPTY * 7
    sender.close()


def test_what_comes_in_is_read_at_once_until_the_other_side_goes(port: int) -> None:
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(Receiver, f"srt://127.0.0.1:{port}?mode=listener", PATIENCE_S)
        sender = Sender(f"srt://127.0.0.1:{port}", PATIENCE_S)
        receiver = listening.result()
        pipe = int(receiver.address.removeprefix("pipe:"))
        try:
            for mark in b"abc":
                sender.write(bytes([mark]) * CHUNK_BYTES)
                select.select([pipe], [], [])
                assert os.read(pipe, 10_000) == bytes([mark]) * CHUNK_BYTES
            sender.close()
            select.select([pipe], [], [])
            assert os.read(pipe, 10_000) == b""
        finally:
            receiver.close()
            sender.close()


def test_who_goes_is_missed_by_the_sender(port: int, carry: Carry) -> None:
    other = carry(f"srt://127.0.0.1:{port}?mode=listener", "file://con")
    sender = Sender(f"srt://127.0.0.1:{port}", PATIENCE_S)
    other.terminate()

    def send_on() -> None:
        while True:
            sender.write(EMPTY * 7)

    with pytest.raises(BrokenPipeError):
        send_on()
    sender.close()
    assert not psutil.pid_exists(sender.process_id)


@pytest.mark.parametrize("role", [Sender, Receiver])
def test_why_there_is_no_connection_is_said_without_the_address(
    role: type[Sender | Receiver], port: int, carry: Carry
) -> None:
    carry(f"srt://127.0.0.1:{port}?mode=listener&passphrase=right-secret", "file://con")
    for query, reason in (
        ("?passphrase=wrong-secret", "Incorrect passphrase"),
        ("?passphrase=secret", "ConfigurePre: Operation not supported: Bad parameters"),
        ("?mode=secret", "Invalid mode"),
    ):
        with pytest.raises(ConnectionError) as raised:
            role(f"srt://127.0.0.1:{port}{query}", PATIENCE_S)
        assert str(raised.value) == reason


@pytest.mark.parametrize("role", [Sender, Receiver])
@pytest.mark.parametrize("query", ["", "?mode=listener"])
def test_nobody_is_waited_for_longer_than_was_asked(role: type[Sender | Receiver], query: str, port: int) -> None:
    with pytest.raises(TimeoutError, match="no peer answered"):
        role(f"srt://127.0.0.1:{port}{query}", 0.2)
    assert not any(child.name().startswith("srt-live") for child in psutil.Process().children())


OWNER = """
import sys
from stream.media.srt import Receiver, Sender
relay = {"Sender": Sender, "Receiver": Receiver}[sys.argv[1]](sys.argv[2], 10)
print(relay.process_id, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("role", ["Sender", "Receiver"])
def test_a_child_is_killed_with_its_parent(role: str, port: int, carry: Carry) -> None:
    listener, caller = f"srt://127.0.0.1:{port}?mode=listener", f"srt://127.0.0.1:{port}"
    if role == "Sender":
        carry(listener, "file://con")
    else:
        carry("file://con", caller)
    command = [sys.executable, "-c", OWNER, role, caller if role == "Sender" else listener]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        child = psutil.Process(int(owner.stdout.readline()))
        assert child.cmdline()[0] == "srt-live-transmit"
        owner.kill()
        child.wait(PATIENCE_S)


def test_what_is_missing_is_named_with_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("setpriv", "stdbuf"):
        (tmp_path / program).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert srt.missing_programs().endswith("there is no srt-live-transmit: apt install srt-tools")
    (tmp_path / "srt-live-transmit").touch(0o755)
    assert srt.missing_programs() == ""


def test_only_addresses_of_srt_are_relayed() -> None:
    assert not any(map(srt.needs_relay, ("rtmp://host/live", "udp://host:1", "srt.mp4", "-version", "")))
