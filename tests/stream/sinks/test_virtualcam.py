"""The virtual camera behind a fake of pyvirtualcam: there is no such device here, and no real one was tried."""

from __future__ import annotations

import sys
import types
from queue import SimpleQueue

import pytest

from stream.message import Pixels
from stream.settings.config import VirtualCamera
from stream.sinks import virtualcam
from stream.sinks.error import SinkError
from stream.sinks.virtualcam import VirtualCameraSink
from tests.stream.composited import composited_frame

WAIT_S = 10.0


class FakeCamera:
    """As pyvirtualcam's, in a world where `missing` devices appear one failure later."""

    shown: SimpleQueue[Pixels] = SimpleQueue()
    missing = 0
    closed = 0

    def __init__(self, width: int, height: int, fps: float, *, fmt: str, device: str | None) -> None:
        if FakeCamera.missing:
            FakeCamera.missing -= 1
            raise RuntimeError("virtual camera output could not be started")
        assert (fps, fmt) == (30, "bgr")
        self.width, self.height = width, height

    def send(self, frame: Pixels) -> None:
        assert frame.shape == (self.height, self.width, 3)
        FakeCamera.shown.put(frame)

    def close(self) -> None:
        FakeCamera.closed += 1


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("pyvirtualcam")
    module.__spec__ = types.SimpleNamespace(name="pyvirtualcam")  # type: ignore[assignment]
    module.Camera = FakeCamera  # type: ignore[attr-defined]
    module.PixelFormat = types.SimpleNamespace(BGR="bgr")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    monkeypatch.setattr(FakeCamera, "shown", SimpleQueue())
    monkeypatch.setattr(FakeCamera, "missing", 0)
    monkeypatch.setattr(FakeCamera, "closed", 0)


def test_the_named_camera_is_shown_fitted_into_the_first_size() -> None:
    sink = VirtualCameraSink(VirtualCamera(camera="front"), ["front", "side"], print)
    sink.write(composited_frame("side", 0))
    sink.write(composited_frame("front", 0))
    assert FakeCamera.shown.get(timeout=WAIT_S).shape == (48, 64, 3)
    sink.write(composited_frame("front", 1, size=(128, 48)))
    assert FakeCamera.shown.get(timeout=WAIT_S).shape == (48, 64, 3)
    sink.close()
    assert FakeCamera.closed == 1


def test_a_device_that_is_missing_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCamera, "missing", 1)
    told: SimpleQueue[str] = SimpleQueue()
    sink = VirtualCameraSink(VirtualCamera(), ["front"], told.put)
    sink.write(composited_frame("front", 0))
    assert "the virtual camera is lost, reconnecting" in told.get(timeout=WAIT_S)
    sink.write(composited_frame("front", 1))
    assert FakeCamera.shown.get(timeout=WAIT_S).any()
    sink.close()


@pytest.mark.parametrize("camera", [None, "attic"])
def test_which_camera_must_be_clear(camera: str | None) -> None:
    with pytest.raises(SinkError, match="expected one of front, side"):
        virtualcam.check(VirtualCamera(camera=camera), ["front", "side"])


def test_without_pyvirtualcam_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SinkError, match=r"pip install 'clothseg\[virtualcam\]'"):
        virtualcam.check(VirtualCamera(), ["front"])
