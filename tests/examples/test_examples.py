"""Every example, run as a user runs it, against the real publisher."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clothseg.labels import BOTTOM, PALETTE, TOP
from stream.message import EndOfStream, StreamStart
from stream.settings.config import Publisher
from stream.sinks.publisher import PublisherSink
from tests.stream.composited import composited_frame

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SIZE, PERSON = (64, 48), (20, 12, 24, 30)


class Live:
    """A publisher of one camera, 50 frames a second, until it is ended."""

    def __init__(self) -> None:
        self.sink = PublisherSink(Publisher(bind="tcp://127.0.0.1:*"))
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return self.sink.endpoint

    def _feed(self) -> None:
        self.sink.write(StreamStart("front", 0, 0, "live", "camera:0", 50.0))
        for seq in itertools.count():
            if self._enough.wait(0.02):
                self.sink.write(EndOfStream("front", seq - 1))
                return
            self.sink.write(composited_frame("front", seq, SIZE, PERSON))

    def end(self) -> None:
        self._enough.set()
        self._thread.join()
        self.sink.close()


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.end()


def start(*words: str, cwd: Path = ROOT) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(words, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, err
    return out


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a file is there, or the process can make it no more."""
    tick = threading.Event()
    while not path.exists() and process.poll() is None:
        tick.wait(0.05)


def test_the_try_on_client_dresses_the_person(live: Live, tmp_path: Path) -> None:
    picture = tmp_path / "dressed.png"
    process = start(sys.executable, str(EXAMPLES / "try_on.py"), live.endpoint, str(picture))
    wait_for(picture, process)
    live.end()
    ended(process)
    dressed = cv2.imread(str(picture))
    assert dressed is not None
    assert dressed.shape == (48, 64, 3)
    top, sky = dressed[20, 32].astype(int), dressed[2, 2].astype(int)
    assert top[2] == 0
    assert top[0] > 0
    assert np.abs(sky - (235, 206, 135)).max() < 12


def test_garments_are_coloured_by_class(live: Live, tmp_path: Path) -> None:
    process = start(sys.executable, str(EXAMPLES / "colour_garments.py"), live.endpoint, str(tmp_path / "masks"))
    wait_for(tmp_path / "masks", process)
    tick = threading.Event()
    while not list((tmp_path / "masks").glob("front-*.png")) and process.poll() is None:
        tick.wait(0.05)
    live.end()
    ended(process)
    masks = cv2.imread(str(min((tmp_path / "masks").glob("front-*.png"))))
    assert masks is not None
    assert tuple(masks[15, 32]) == PALETTE[TOP]
    assert tuple(masks[38, 32]) == PALETTE[BOTTOM]
    assert not masks[2, 2].any()


def test_a_transparent_clip_is_recorded(live: Live, tmp_path: Path) -> None:
    clip = tmp_path / "clip.webm"
    ended(start(sys.executable, str(EXAMPLES / "record_clip.py"), str(clip), "1", live.endpoint))
    with av.open(str(clip)) as container:
        codec = av.CodecContext.create("libvpx-vp9", "r")
        frames = [frame for packet in container.demux(video=0) if packet.size for frame in codec.decode(packet)]
    assert len(frames) > 10
    bgra = frames[5].to_ndarray(format="bgra")
    assert bgra[2, 2, 3] < 10
    assert bgra[25, 32, 3] > 245


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node example with what it needs installed, outside the checkout."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed (see .ci/apt-packages.txt)")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(EXAMPLES / "node", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    found = subprocess.run(["node", "-e", "require('zeromq')"], cwd=folder, capture_output=True, check=False)
    if installed.returncode or found.returncode:
        pytest.skip(f"npm cannot install zeromq here: {installed.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.mark.parametrize("encoding", ["raw", "lz4"])
def test_masks_are_read_from_node(live: Live, node: Path, encoding: str) -> None:
    out = ended(start("node", "masks.js", live.endpoint, "3", encoding, cwd=node))
    lines = out.splitlines()
    assert len(lines) == 3
    share = 100 * 24 * 15 / (64 * 48)
    for line in lines:
        assert line.startswith("front ")
        # the plane is what is cut out only: a class's share of the picture is its count over all pixels
        assert line.endswith(f"person 0.0 %, top {share:.1f} %, bottom {share:.1f} %, dress 0.0 %")


def test_node_ends_with_the_stream(live: Live, node: Path) -> None:
    process = start("node", "masks.js", live.endpoint, cwd=node)
    assert process.stdout is not None
    assert process.stdout.readline()
    live.end()
    ended(process)


def test_node_says_when_nobody_is_there(node: Path) -> None:
    script = (
        "import('./subscriber.js').then(async ({ subscribe }) => {"
        "for await (const _ of subscribe('tcp://127.0.0.1:1', { patienceMs: 200 })) {} })"
        ".catch((error) => console.log(error.message))"
    )
    assert ended(start("node", "-e", script, cwd=node)).strip() == "no message from tcp://127.0.0.1:1 for 200 ms"


def test_node_unpacks_what_lz4_packs(node: Path) -> None:
    import lz4.block

    data = (np.random.default_rng(1).integers(0, 3, 4000, np.uint8)).tobytes() + bytes(9000) + b"abcabcabc" * 50
    block = list(lz4.block.compress(data, store_size=False))
    script = (
        f"import('./subscriber.js').then(({{ unpacked }}) => console.log(JSON.stringify([...unpacked("
        f"new Uint8Array({json.dumps(block)}), {len(data)})])))"
    )
    assert bytes(json.loads(ended(start("node", "-e", script, cwd=node)))) == data
