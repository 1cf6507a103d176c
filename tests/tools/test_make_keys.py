"""The command that makes keys: a folder a host, secrets for their owner alone from the first byte on."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import zmq.auth

from tools import make_keys


def test_secrets_are_only_where_they_belong(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert make_keys.main([str(folder), "gpu=worker", "mixed=reader,composite"]) == 0
    secrets = {str(path.relative_to(folder)) for path in folder.rglob("*_secret")}
    assert secrets == {
        "server/server.key_secret",
        "server/host.key_secret",
        "gpu/host.key_secret",
        "mixed/host.key_secret",
    }
    allowed = {str(path.relative_to(folder / "server" / "allowed")) for path in folder.rglob("allowed/*/*.key")}
    assert {"worker/gpu.key", "reader/mixed.key", "composite/mixed.key"} <= allowed
    assert "worker/mixed.key" not in allowed
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_secret_is_private_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, seen = zmq.auth.create_certificates, []

    def create(folder: str, name: str) -> tuple[str, str]:
        seen.append(stat.S_IMODE(os.stat(folder).st_mode))
        return genuine(folder, name)

    monkeypatch.setattr(zmq.auth, "create_certificates", create)
    (tmp_path / "keys").mkdir(mode=0o755)
    (tmp_path / "keys" / "gpu").mkdir(mode=0o755)
    make_keys.make_keys(tmp_path / "keys", {"gpu": ["worker"]})
    assert {*seen} == {0o700}


@pytest.mark.parametrize("host", ["gpu", "gpu=", "gpu=king", "server=worker", "../gpu=worker", "=worker"])
def test_what_is_no_host_with_a_role_is_refused(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_keys.main([str(tmp_path / "keys"), host]) == 1
    assert "expected HOST=ROLE" in capsys.readouterr().err


def test_keys_are_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_keys.main([str(tmp_path / "keys"), "gpu=worker"]) == 0
    assert make_keys.main([str(tmp_path / "keys"), "gpu=worker"]) == 1
    assert "holds keys already" in capsys.readouterr().err
