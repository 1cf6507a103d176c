"""The control socket, asked over a real socket, and what composite does with what was asked."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from clothseg.tryon import BackgroundColour, BackgroundImage, BackgroundVideo, GarmentPhoto, Recolour, Texture
from stream.composite import composite, control
from stream.composite.control import (
    Accepted,
    CameraList,
    CameraState,
    ControlError,
    Controller,
    GetStatus,
    ListCameras,
    SetCutout,
    SetEffects,
    SetPanels,
    StatusReply,
    StopRun,
)
from stream.composite.control_server import ControlServer
from stream.composite.looks import LookChange, LookChanges, drain
from stream.message import CompositedFrame, EndOfStream, Outage, SegmentedFrame, StreamStart
from stream.process.pipe import StageReport, StopRequested
from stream.settings import parse
from stream.settings.config import Control
from stream.transport.sockets import ReqSocket
from tests.stream.composited import composited_frame
from tests.stream.pictures import segmented

LOOPBACK = "tcp://127.0.0.1:*"
SETTINGS = parse.parse(
    {
        "cameras": {"front": {"source": "synthetic:"}, "side": {"source": "synthetic:"}},
        "effects": [],
        "smoothing": "off",
        "matting": "off",
    }
)


class Reports:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.items: list[StageReport] = []

    def report(self, item: StageReport) -> None:
        self.items.append(item)


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def changes() -> LookChanges:
    return SimpleQueue()


@pytest.fixture
def server(changes: LookChanges, reports: Reports) -> Iterator[ControlServer]:
    server = ControlServer(SETTINGS, LOOPBACK, changes, reports)
    yield server
    server.close()


@pytest.fixture
def controller(server: ControlServer) -> Iterator[Controller]:
    with Controller(server.endpoint) as controller:
        yield controller


def state(controller: Controller, camera: str) -> CameraState:
    reply = controller.request(GetStatus())
    assert isinstance(reply, StatusReply)
    return {camera.camera: camera for camera in reply.cameras}[camera]


def drawn(changes: LookChanges, frame: SegmentedFrame) -> CompositedFrame:
    """What composite makes of a frame after the changes that wait."""
    step = composite.step(SETTINGS, print)
    for change in drain(changes):
        assert not list(step(change))
    (made,) = step(frame)
    assert isinstance(made, CompositedFrame)
    return made


def test_effects_are_changed_for_all(controller: Controller, changes: LookChanges) -> None:
    raw = drawn(changes, segmented())
    assert controller.request(SetEffects(effects=(BackgroundColour("#0000ff"),))) == Accepted()
    assert state(controller, "side").look.effects == (BackgroundColour("#0000ff"),)
    assert np.array_equal(raw.composite, raw.frame.picture.pixels)
    nobody = segmented()
    nobody.probabilities[0], nobody.probabilities[1] = 255, 0
    assert (drawn(changes, nobody).composite == (255, 0, 0)).all()


def test_a_change_is_for_the_camera_that_was_named(controller: Controller, changes: LookChanges) -> None:
    controller.request(SetCutout(cutout="top", camera="side"))
    (change,) = drain(changes)
    assert change == LookChange("side", cutout="top")
    assert state(controller, "side").look.cutout == "top"
    assert state(controller, "front").look.cutout == "person"


def test_the_cutout_is_changed_in_what_every_output_gets(controller: Controller, changes: LookChanges) -> None:
    assert drawn(changes, segmented()).alpha.any()
    controller.request(SetCutout(cutout="dress"))
    dressless = drawn(changes, segmented())
    assert not dressless.alpha.any()
    assert dressless.parts.any()


def test_what_the_model_does_not_tell_is_refused_once_its_classes_are_known(
    server: ControlServer, controller: Controller
) -> None:
    server.write(composited_frame())
    with pytest.raises(ControlError, match="cutout: expected one of person, clothing, top, bottom, dress, got hat"):
        controller.request(SetCutout(cutout="hat"))
    with pytest.raises(ControlError, match=r"effects\[0\]\.part: expected one of top, bottom, dress, got person"):
        controller.request(SetEffects(effects=(Recolour("person", "#ff0000"),)))
    assert state(controller, "front").look.cutout == "person"


def test_panels_are_changed(controller: Controller, changes: LookChanges) -> None:
    controller.request(SetPanels(panels=("raw", "parts", "composite")))
    made = drawn(changes, segmented())
    height, width = made.frame.picture.pixels.shape[:2]
    assert made.composite.shape == (height, 3 * width, 3)


def test_a_visitor_has_the_default_look_until_changed(server: ControlServer, controller: Controller) -> None:
    with pytest.raises(ControlError, match="camera: expected one of front, side, got visitor"):
        controller.request(SetCutout(cutout="top", camera="visitor"))
    controller.request(SetCutout(cutout="dress"))
    server.write(StreamStart("visitor", 0, 0, "live", "browser"))
    assert controller.request(ListCameras()) == CameraList(("front", "side", "visitor"))
    assert state(controller, "visitor").look.cutout == "dress"
    assert controller.request(SetCutout(cutout="top", camera="visitor")) == Accepted()
    server.write(EndOfStream("visitor", 10))
    assert controller.request(ListCameras()) == CameraList(("front", "side"))


def test_the_status_follows_what_is_given_out(server: ControlServer, controller: Controller) -> None:
    assert state(controller, "front").state == "awaited"
    server.write(StreamStart("front", 1, 4, "live", "rtsp://host"))
    server.write(composited_frame("front", 4))
    server.write(composited_frame("front", 6))
    seen = state(controller, "front")
    assert (seen.state, seen.epoch, seen.frames, seen.last_seq) == ("running", 1, 2, 6)
    server.write(Outage("front", 6, "the camera is gone"))
    assert (state(controller, "front").state, state(controller, "front").cause) == ("no_signal", "the camera is gone")
    server.write(StreamStart("front", 2, 7, "live", "rtsp://host"))
    assert (state(controller, "front").state, state(controller, "front").cause) == ("running", None)


def test_stop_is_passed_on(controller: Controller, reports: Reports) -> None:
    assert controller.request(StopRun()) == Accepted()
    assert reports.items == [StopRequested()]


def test_stop_is_answered_while_a_picture_is_being_opened(
    server: ControlServer, controller: Controller, monkeypatch: pytest.MonkeyPatch, reports: Reports
) -> None:
    opening, enough = threading.Event(), threading.Event()

    def slowly(*_: object) -> tuple[()]:
        opening.set()
        assert enough.wait(20)
        return ()

    monkeypatch.setattr("stream.composite.control_server.open_camera_effects", slowly)
    with ThreadPoolExecutor(1) as another, Controller(server.endpoint) as patient:
        dressed = another.submit(patient.request, SetEffects(effects=()))
        assert opening.wait(5)
        assert controller.request(ListCameras()) == CameraList(("front", "side"))
        assert controller.request(StopRun()) == Accepted()
        assert reports.items == [StopRequested()]
        assert not dressed.done()
        enough.set()
        assert dressed.result(5) == Accepted()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "http://127.0.0.1:{port}/a.mp4", "synthetic:", "camera:0"])
def test_only_regular_files_are_opened(controller: Controller, changes: LookChanges, tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        path = tmp_path / name.format(port=elsewhere.getsockname()[1]) if name == "pipe" else Path(name)
        for effect in (BackgroundImage(path), BackgroundVideo(path), Texture("top", path), GarmentPhoto("top", path)):
            with pytest.raises(ControlError, match=r"cannot (open|read)"):
                controller.request(SetEffects(effects=(effect,)))
        elsewhere.settimeout(0)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert not list(drain(changes))


def test_by_default_no_other_user_reaches_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    endpoint = control.endpoint_of(Control())
    folder = Path(endpoint.removeprefix("ipc://")).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    with pytest.raises(ControlError, match="a folder of yours alone"):
        control.endpoint_of(Control())
    assert control.endpoint_of(Control(bind=LOOPBACK)) == LOOPBACK


def test_a_socket_is_not_taken_from_another_run(tmp_path: Path, changes: LookChanges, reports: Reports) -> None:
    endpoint = f"ipc://{tmp_path / 'control'}"
    first = ControlServer(SETTINGS, endpoint, changes, reports)
    try:
        with pytest.raises(ControlError, match="another run is asked at"):
            ControlServer(SETTINGS, endpoint, changes, reports)
    finally:
        first.close()
    ControlServer(SETTINGS, endpoint, changes, reports).close()


@pytest.fixture
def not_a_picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(b"this is no picture")
    return path


def test_an_image_that_is_none_changes_nothing(
    controller: Controller, changes: LookChanges, not_a_picture: Path
) -> None:
    for image in (not_a_picture, not_a_picture.with_name("missing.png"), not_a_picture.parent):
        with pytest.raises(ControlError, match=str(image)):
            controller.request(SetEffects(effects=(BackgroundImage(image),)))
    assert not list(drain(changes))
    assert state(controller, "front").look.effects == ()


def test_two_backgrounds_are_one_too_many(controller: Controller) -> None:
    with pytest.raises(ControlError, match="2 backgrounds are asked for"):
        controller.request(SetEffects(effects=(BackgroundColour(), BackgroundColour())))


def test_a_malformed_request_is_rejected_and_the_next_one_answered(server: ControlServer) -> None:
    caller = ReqSocket(server.endpoint)
    try:
        for garbage in (b"", b"{", b"\xff\x00", b'{"request": "fly"}', b"[" * 50_000):
            answer = caller.request(garbage, 5000)
            assert answer is not None
            assert answer.startswith(b'{"reply":"rejected","error":"')
        assert caller.request(control.encode(ListCameras()), 5000) == b'{"reply":"cameras","cameras":["front","side"]}'
    finally:
        caller.close()


def test_a_client_that_disconnects_after_asking_is_harmless(server: ControlServer, controller: Controller) -> None:
    hasty = ReqSocket(server.endpoint)
    assert hasty.request(control.encode(GetStatus()), 0) is None
    hasty.close()
    assert controller.request(ListCameras()) == CameraList(("front", "side"))


def test_nobody_there_is_a_sentence() -> None:
    with (
        Controller("tcp://127.0.0.1:1", timeout_ms=100) as controller,
        pytest.raises(ControlError, match=r"no reply on tcp://127.0.0.1:1 within 100 ms"),
    ):
        controller.request(GetStatus())
