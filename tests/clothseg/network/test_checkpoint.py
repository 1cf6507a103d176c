"""A checkpoint says what it is, is read without torch, and a failed write leaves the one before."""

import errno
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clothseg.labels import CLASSES
from clothseg.network.checkpoint import DEFAULT_WEIGHTS, Metadata, load, read_metadata, save, write_atomically

ABOUT = Metadata(CLASSES, "u2netp", 2, metrics={"val": {"top": 0.7}}, licence="Apache-2.0", config="a: 1\n")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    state = {"a.weight": torch.randn(3, 2).half().float(), "count": torch.tensor(7)}
    save(tmp_path / "x.safetensors", ABOUT, state)
    about, back = load(tmp_path / "x.safetensors")
    assert about == ABOUT
    assert about.architecture == "u2netp-stem2"
    assert torch.equal(back["a.weight"], state["a.weight"])
    assert back["count"] == 7


def test_the_header_is_read_without_torch() -> None:
    program = (
        "import sys; from clothseg.network.checkpoint import DEFAULT_WEIGHTS, read_metadata\n"
        "assert read_metadata(DEFAULT_WEIGHTS).classes[2] == 'top'; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])


@pytest.mark.parametrize("weights", sorted(DEFAULT_WEIGHTS.parent.glob("*.safetensors")), ids=lambda path: path.stem)
def test_all_that_ship_are_small_and_say_how_good_they_are(weights: Path) -> None:
    assert weights.stat().st_size < 12_000_000
    about = read_metadata(weights)
    assert about.architecture == weights.stem
    assert about.classes == CLASSES
    assert about.licence == "Apache-2.0"
    assert set(about.metrics["val"]) >= {"person", "top", "bottom", "dress"}


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    write_atomically(path, b"the one before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"the next")
    assert path.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [path]


def header(values: dict[str, object]) -> bytes:
    text = json.dumps(values).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02}q\x00.",
        struct.pack("<Q", 1 << 60),
        header({}),
        header({"__metadata__": {"classes": "[", "stages": "u2netp", "stem": "2"}}),
        header({"__metadata__": {"classes": "[]", "stages": "u2netp"}}),
        header({"__metadata__": 3}),
    ],
    ids=["empty", "pickle", "endless header", "no description", "broken description", "no stem", "number"],
)
def test_what_is_no_checkpoint_of_ours_is_refused_with_a_way_out(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.safetensors: .*import_checkpoint"):
        read_metadata(path)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="import_checkpoint"):
        read_metadata(path)
