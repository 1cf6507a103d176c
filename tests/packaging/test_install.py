"""What a user gets: built, installed into new environments in an empty folder, and run there without the checkout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import psutil
import pytest

from tests.conftest import MakeClip
from tests.running import ROOT, Running

pytestmark = pytest.mark.timeout(600)

PATIENCE_S = 300  # for what takes seconds on a quiet machine
LARGEST_FILE_BYTES = 15_000_000
LIVE = ("--set", "cameras.file.mode=live")
SUBSCRIBER = """
from stream.client import Subscriber
with Subscriber("{endpoint}", timeout_s=60) as frames:
    frame = next(iter(frames))
print(*frame.cutout.shape, *frame.parts.shape)
import sys
print(*sorted({{"cv2", "av", "openvino", "torch", "lz4"}} & set(sys.modules)))
"""


def environment(folder: Path) -> dict[str, str]:
    """The surroundings of a user who has no checkout: his own caches, and nothing on Python's path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "XDG_CACHE_HOME": str(folder / "cache"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class Environment:
    """A new virtual environment, and an empty folder beside it where its programs are run."""

    def __init__(self, folder: Path) -> None:
        self.here = folder / "here"
        self.here.mkdir(parents=True)
        self._programs = folder / "venv/bin"
        self._surroundings = environment(folder)
        self.run(sys.executable, "-m", "venv", str(folder / "venv"))

    def program(self, name: str) -> str:
        return str(self._programs / name)

    def install(self, what: str) -> None:
        """Install with pip, at the versions that the project was tested with."""
        constraints = str(ROOT / "constraints.txt")
        self.run(self.program("python"), "-m", "pip", "install", "-qq", "--constraint", constraints, what)

    def run(self, *command: str) -> str:
        """Run a command in the empty folder to its end; what it said."""
        made = subprocess.run(
            command,
            cwd=self.here,
            env=self._surroundings,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert made.returncode == 0, f"{command}: {made.stdout}{made.stderr}"
        return made.stdout + made.stderr

    def start(self, *arguments: str) -> Running:
        """`clothseg` with these arguments, under way."""
        return Running(*arguments, command=[self.program("clothseg")], folder=self.here, environment=self._surroundings)

    def packages(self) -> set[str]:
        listed = json.loads(self.run(self.program("python"), "-m", "pip", "list", "--format", "json"))
        return {package["name"].lower() for package in listed}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all that is published, built from the sdist's own content."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, str(ROOT / "tools/build.py"), "--out", str(out)], check=True, timeout=PATIENCE_S)
    return out


def wheel(built: Path, name: str) -> Path:
    (path,) = built.glob(f"{name}-*.whl")
    return path


@pytest.fixture(scope="module")
def base(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Where `clothseg` alone is installed."""
    made = Environment(tmp_path_factory.mktemp("base"))
    made.install(str(wheel(built, "clothseg")))
    return made


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process outlives its test."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    left = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def alone() -> list[str]:
    """A command before others that takes the network away from them; none where that is not allowed."""
    command = ["unshare", "--net"]
    possible = shutil.which("unshare") and subprocess.run([*command, "true"], check=False, capture_output=True)
    return command if possible and possible.returncode == 0 else []


def test_the_wheel_holds_what_ships_and_no_file_too_large(built: Path) -> None:
    with zipfile.ZipFile(wheel(built, "clothseg")) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    assert {
        "clothseg/configs/demo.yaml", "clothseg/configs/web.yaml", "clothseg/configs/clips/again.mkv",
        "clothseg/configs/garments/hoodie.png", "clothseg/weights/lite0-stem2.int8.bin", "stream/web/static/index.html",
        "stream/sinks/mjpeg.html", "clothseg/training/templates/evaluation.html",
    } <= sizes.keys()  # fmt: skip
    assert max(sizes.values()) < LARGEST_FILE_BYTES
    assert not any(name.startswith(("tests", "tools", "configs")) for name in sizes)


def test_the_sdist_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (source,) = built.glob("clothseg-*.tar.gz")
    shutil.unpack_archive(source, tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=folder, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert wheel(tmp_path, "clothseg").read_bytes() == wheel(built, "clothseg").read_bytes()


def test_the_demo_runs_without_the_network_and_without_torch(base: Environment) -> None:
    said = base.run(*alone(), base.program("clothseg"), "demo")
    assert "delivered 77 of 77" in said
    assert frames(base.here / "out/demo.mp4") == frames(base.here / "out/demo_cutout.webm") == 77
    assert not base.packages() & {"torch", "kornia", "starlette", "onnx"}


def test_a_file_is_recorded_with_alpha(base: Environment, make_clip: MakeClip) -> None:
    clip = make_clip("mine.mp4")
    said = base.run(base.program("clothseg"), "configs/file.yaml", "--source", str(clip), "--record", "cut.webm")
    assert "delivered 10 of 10" in said
    assert frames(base.here / "cut.webm") == 10


def test_a_users_own_file_goes_before_what_ships_under_that_name(base: Environment) -> None:
    own = base.here / "configs/file.yaml"
    own.parent.mkdir()
    own.write_text('cameras: {mine: {source: "synthetic:?frames=3"}}\n', encoding="utf-8")
    assert "mine: ended" in base.run(base.program("clothseg"), "configs/file.yaml")
    shutil.rmtree(own.parent)


def test_the_doctor_finds_that_a_stream_can_run(base: Environment) -> None:
    findings = json.loads(base.run(base.program("clothseg"), "doctor", "--json"))
    states = {finding["subject"]: finding["state"] for finding in findings}
    assert states["engine"] == states["packages"] == states["encoders"] == states["sockets"] == "ok"
    assert states["[train]"] == states["[web]"] == "missing"


def test_what_an_extra_adds_is_asked_for_in_one_sentence(base: Environment) -> None:
    for words, extra in ((("train", "own.yaml"), "train"), (("web",), "web"), (("export", "int8"), "export")):
        refused = subprocess.run(
            [base.program("clothseg"), *words],
            cwd=base.here,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert refused.returncode == 2
        assert f"pip install 'clothseg[{extra}]'" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr


def test_a_light_client_follows_the_stream_with_arrays_alone(base: Environment, built: Path, tmp_path: Path) -> None:
    client = Environment(tmp_path)
    client.install(str(wheel(built, "clothseg_client")))
    assert not client.packages() & {"opencv-python", "av", "openvino", "lz4", "clothseg"}
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with base.start("configs/file.yaml", "--source", "synthetic:", *LIVE, "--publish", endpoint) as stream:
        said = client.run(client.program("python"), "-c", SUBSCRIBER.format(endpoint=endpoint))
        stream.send(signal.SIGINT)
        assert stream.exit_code() == 0
    assert said.split() == ["360", "640", "4", "360", "640"]


def test_the_page_is_served_with_its_garments(base: Environment, built: Path) -> None:
    base.install(f"clothseg[web] @ {wheel(built, 'clothseg').as_uri()}")
    assert not base.packages() & {"torch", "kornia"}
    with base.start("web", "--set", f"web.bind=127.0.0.1:{(port := free_port())}") as stream:
        stream.wait_for("the page is at")
        for path, begins in (("", b"<!doctype html>"), ("garments/hoodie.png", b"\x89PNG")):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
                assert answer.read(15).lower().startswith(begins.lower())
        stream.send(signal.SIGINT)
        assert stream.exit_code() == 0
