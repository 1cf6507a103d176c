"""Other segmenters on the same frames, in turns with ours; they live in an environment of their own, `.venv-peers`."""

import json
import os
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.matting.matting import Matte, Matting, matte, previous_matte
from clothseg.segmenter import Segmenter
from clothseg.temporal.smoothing import Smoothing, smooth
from clothseg.temporal.state import SmoothingState
from stream.message import to_bgra
from tools.benchmark.clip import ROOT
from tools.benchmark.end_to_end import Percentiles

Pixels = NDArray[np.uint8]

HOME = ROOT / ".venv-peers"
PACKAGES = ("mediapipe==0.10.21", "rembg[cpu]==2.0.69")
_PYTHON = HOME / "bin/python"
_PROGRAM = Path(__file__).with_name("peer_process.py")


class Peers(msgspec.Struct, frozen=True, kw_only=True):
    """Time a frame from the decoded picture to BGRA, ours with smoothing and matting; None: it was not there.

    `times_rembg`: the median of rembg's frames over ours, turn by turn. MediaPipe makes a person mask only.
    """

    ours_ms: Percentiles
    rembg_ms: Percentiles | None = None
    mediapipe_ms: Percentiles | None = None
    times_rembg: float | None = None
    missing: str | None = None


def make() -> None:
    """Make the environment of the peers from PyPI."""
    venv.create(HOME, with_pip=True)
    subprocess.run([str(_PYTHON), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)


def measure(pictures: Sequence[Pixels], rounds: int) -> Peers:
    """Ours, rembg with u2netp, MediaPipe's selfie segmenter and again, each over all `pictures` in its turn."""
    cv2.setNumThreads(os.cpu_count() or 1)  # all have all cores
    ours = _Ours(Segmenter.load())
    ours(pictures)
    if not _PYTHON.is_file():
        missing = "there is no .venv-peers: make it with tools/bench.py --make-peers"
        return Peers(ours_ms=Percentiles.of(_turns({"ours": ours}, pictures, rounds)["ours"]), missing=missing)
    with tempfile.TemporaryDirectory() as room:
        np.save(Path(room) / "pictures.npy", np.stack(pictures))
        _export_u2netp(Path(room) / "u2netp.onnx")
        process = _start(room)
        try:
            turns = _turns({"ours": ours, **_asked(process)}, pictures, rounds)
        finally:
            process.terminate()
            process.wait()
    rembg = turns.get("rembg")
    return Peers(
        ours_ms=Percentiles.of(turns["ours"]),
        rembg_ms=Percentiles.of(rembg) if rembg else None,
        mediapipe_ms=Percentiles.of(turns["mediapipe"]) if "mediapipe" in turns else None,
        times_rembg=round(float(np.median(rembg) / np.median(turns["ours"])), 2) if rembg else None,
    )


Turn = Callable[[Sequence[Pixels]], list[float]]


def _turns(runners: dict[str, Turn], pictures: Sequence[Pixels], rounds: int) -> dict[str, list[float]]:
    taken_ms: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            taken_ms[name] += runner(pictures)
    return taken_ms


class _Ours:
    """From pictures to cut-outs as the pipeline makes them, with smoothing."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._past: SmoothingState | None = None
        self._before: tuple[Matte, int] | None = None
        self._pts_ns = 0

    def __call__(self, pictures: Sequence[Pixels]) -> list[float]:
        taken_ms = []
        for picture in pictures:
            started_ns = time.perf_counter_ns()
            self._pts_ns += 33_333_333
            planes = self._segmenter.probabilities(picture)
            self._past, planes = smooth(
                self._past, planes, picture, self._pts_ns, Smoothing(), garments=len(self._segmenter.classes.garments)
            )
            held = None if self._before is None else previous_matte(*self._before, self._past, self._pts_ns)
            masks = matte(planes, picture, self._segmenter.classes, Matting(), held)
            self._before = masks, self._pts_ns
            to_bgra(masks.foreground, masks.alpha)
            taken_ms.append((time.perf_counter_ns() - started_ns) / 1e6)
        return taken_ms


def _export_u2netp(path: Path) -> None:
    """The public u2netp as rembg reads it, with weights of chance: they do not change its speed."""
    import torch

    from clothseg.network.u2net import ARCHITECTURES, U2Net

    class Public(torch.nn.Module):
        """Its outputs as the public files have them: the fused map and six at its sides, 0 to 1."""

        def __init__(self) -> None:
            super().__init__()
            self.network = U2Net(ARCHITECTURES["u2netp"], 1)

        def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(torch.sigmoid(plane) for plane in self.network(pictures))

    torch.manual_seed(0)
    example = (torch.zeros(1, 3, 320, 320),)
    torch.onnx.export(Public().eval(), example, str(path), dynamo=False, opset_version=17)


def _start(room: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "U2NET_HOME": room, "MODEL_CHECKSUM_DISABLED": "1"}
    return subprocess.Popen(
        [str(_PYTHON), str(_PROGRAM), str(Path(room) / "pictures.npy")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def _asked(process: "subprocess.Popen[str]") -> dict[str, Turn]:
    """The peers that the process has, each as something that answers with its times."""
    assert process.stdin
    assert process.stdout
    asks, answers = process.stdin, process.stdout

    def turn(name: str) -> Turn:
        def ask(_pictures: Sequence[Pixels]) -> list[float]:
            asks.write(f"{name}\n")
            asks.flush()
            taken_ms: list[float] = json.loads(answers.readline())
            return taken_ms

        return ask

    return {name: turn(name) for name in json.loads(answers.readline() or "[]")}
