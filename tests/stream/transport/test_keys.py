"""Who may connect, and which endpoints are open to everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.transport import keys


@pytest.mark.parametrize(
    "endpoint", ["tcp://*:5550", "tcp://0.0.0.0:1", "tcp://10.0.0.1:5550", "tcp://eth0:1", "tcp://[::]:1"]
)
def test_an_endpoint_beyond_this_host_without_keys_is_warned_of(endpoint: str) -> None:
    [warning] = keys.warnings({"transport.dispatch": (endpoint, None)})
    assert warning.startswith(f"transport.dispatch: {endpoint} is open to anyone who reaches it: make keys")
    assert keys.warnings({"transport.dispatch": (endpoint, Path("keys"))}) == []


@pytest.mark.parametrize(
    "endpoint", [None, "ipc:///tmp/x", "tcp://127.0.0.1:1", "tcp://127.0.0.1:*", "tcp://localhost:1", "tcp://[::1]:1"]
)
def test_one_that_stays_on_this_host_is_not(endpoint: str | None) -> None:
    assert keys.warnings({"control.bind": (endpoint, None)}) == []


def test_a_file_that_is_no_key_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "allowed" / "worker").mkdir(parents=True)
    (tmp_path / "allowed" / "worker" / "empty.key").touch()
    (tmp_path / "allowed" / "worker" / "noise.key").write_bytes(b"\xff\xfe")
    assert keys.Allowed(tmp_path, ("worker",)).roles(b"x" * 40) == frozenset()
