"""The training command: from a folder of pictures to weights that run, also after it was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from clothseg.labels import CLASSES
from clothseg.network.checkpoint import load, read_metadata
from clothseg.segmenter import Segmenter

ROOT = Path(__file__).parents[3]
Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures, each with a figure in the colours of its classes."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (len(CLASSES), 3))
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number in range(4):
        mask = np.zeros((64, 48), np.uint8)
        for index in range(1, len(CLASSES)):
            mask[12 * index : 12 * index + 12, 8 + number : 40] = index
        noisy = colours[mask] + rng.integers(-20, 20, (64, 48, 3))
        cv2.imwrite(str(tmp_path / f"images/{number}.png"), np.clip(noisy, 0, 255).astype(np.uint8))
        cv2.imwrite(str(tmp_path / f"masks/{number}.png"), mask)
    return tmp_path


@pytest.fixture
def command(folder: Path) -> Command:
    """`tools/train.py` on that folder, as a process of its own."""

    def start(out: Path, steps: int, architecture: str = "u2netp-stem2") -> subprocess.Popen[str]:
        source = f"{{layout: folder, root: {folder}}}"
        config = folder / "tiny.yaml"
        config.write_text(
            f"architecture: {architecture}\nlicence: CC0-1.0\ndata: [{source}]\nvalidation: {source}\n"
            "save_every_s: 0\naspects: [1.0]\n"
            f"phases: [{{steps: {steps}, area_px: 1024, batch: 2, learning_rate: 1.0e-3}}]\n"
        )
        words = [sys.executable, "tools/train.py", str(config), "--out", str(out)]
        pipe = subprocess.PIPE
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(words, cwd=ROOT, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environment)

    return start


@pytest.mark.timeout(240)
def test_a_run_that_was_killed_goes_on_to_the_same_weights(command: Command, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    printed = command(whole, 24).communicate(timeout=100)[0]
    assert f"wrote {whole / 'weights.safetensors'}" in printed.replace("\n", "")

    killed = command(cut, 24)
    assert killed.stdout is not None
    while "10 of 24" not in killed.stdout.readline():
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    assert not (cut / "weights.safetensors").exists()
    command(cut, 24).communicate(timeout=100)

    (_, uncut), (about, resumed) = load(whole / "weights.safetensors"), load(cut / "weights.safetensors")
    assert all((uncut[name] == resumed[name]).all() for name in uncut)
    assert about.licence == "CC0-1.0"
    assert set(about.metrics["val"]) >= {"person", "top", "bottom", "dress"}
    assert "learning_rate" in about.config
    assert len(about.data_hash) == 64


@pytest.mark.timeout(120)
def test_what_it_wrote_segments_a_picture(command: Command, tmp_path: Path) -> None:
    command(tmp_path / "run", 2).communicate(timeout=100)
    written = tmp_path / "run/weights.safetensors"
    assert read_metadata(written).architecture == "u2netp-stem2"
    alpha, parts, _ = Segmenter.load(written, threads=1)(np.zeros((60, 80, 3), np.uint8))
    assert alpha.shape == parts.shape == (60, 80)
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))


def test_an_unknown_architecture_is_one_sentence(command: Command, tmp_path: Path) -> None:
    process = command(tmp_path / "run", 2, architecture="u3net")
    printed = process.communicate(timeout=50)[0]
    assert process.returncode == 1
    assert printed.startswith(str(tmp_path / "tiny.yaml"))
    assert "unknown architecture 'u3net'; expected one of u2net" in printed
    assert printed.count("\n") == 1
