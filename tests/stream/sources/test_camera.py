"""Camera devices behind a fake: no device exists where this was written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import av
import pytest
from av.device import DeviceInfo

from stream.settings.config import Camera
from stream.sources import SourceError, camera, open_source
from stream.sources.camera import Device, device_of

WISHES = Camera(source="camera:1", size_px=(1280, 720), rate_hz=29.97, pixel_format="mjpeg")


def test_linux_is_asked_by_device_file() -> None:
    options = {"video_size": "1280x720", "framerate": "29.97", "input_format": "mjpeg"}
    assert device_of(WISHES, "linux") == Device("/dev/video1", "v4l2", options)
    assert device_of(Camera(source="/dev/video7"), "linux") == Device("/dev/video7", "v4l2", {})
    assert device_of(Camera(source="/dev/v4l/by-id/usb-x"), "linux").file == "/dev/v4l/by-id/usb-x"


def test_macos_is_asked_by_number() -> None:
    device = device_of(Camera(source="camera:0", pixel_format="nv12"), "darwin")
    assert device == Device("0:none", "avfoundation", {"pixel_format": "nv12"})


def test_windows_is_asked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        DeviceInfo("Microphone", "", True, ["audio"]),
        DeviceInfo("A", "", True, ["video"]),
        DeviceInfo("B", "", False, ["video"]),
    ]
    monkeypatch.setattr(camera, "enumerate_input_devices", lambda _format: found)
    options = {"video_size": "1280x720", "framerate": "29.97", "vcodec": "mjpeg"}
    assert device_of(WISHES, "win32") == Device("video=B", "dshow", options)
    with pytest.raises(SourceError, match="there is no camera:2, only 2 are connected"):
        device_of(Camera(source="camera:2"), "win32")


@pytest.mark.parametrize("source", ["camera:", "camera:front", "camera:-1"])
def test_a_camera_is_a_number(source: str) -> None:
    with pytest.raises(SourceError, match="expected a camera as camera:0"):
        device_of(Camera(source=source), "linux")


def test_an_unknown_system_has_no_cameras() -> None:
    with pytest.raises(SourceError, match="cameras cannot be read on sunos5"):
        device_of(Camera(source="camera:0"), "sunos5")


@pytest.mark.skipif(sys.platform != "linux" or Path("/dev/video99").exists(), reason="needs a Linux without camera 99")
def test_a_missing_camera_is_a_sentence_with_what_was_asked() -> None:
    with pytest.raises(SourceError, match="camera:99 cannot be opened with video_size 640x480: No such file"):
        open_source(Camera(source="camera:99", size_px=(640, 480)))


def test_a_device_is_a_live_source(monkeypatch: pytest.MonkeyPatch, make_clip: Any) -> None:
    """A file of what cameras send, motion JPEG, stands in for the device."""
    clip = make_clip("device.avi", codec="mjpeg", pixel_format="yuvj420p", colour_range=2)
    real = av.open
    asked: list[Any] = []

    def opened(file: Any, mode: Any, **given: Any) -> Any:
        if mode == "w":  # how the stream is turned is written into memory
            return real(file, mode, **given)
        asked.append((file, mode, given))
        return real(str(clip), "r")

    monkeypatch.setattr(av, "open", opened)
    monkeypatch.setattr(sys, "platform", "linux")
    source = open_source(WISHES)
    assert asked == [("/dev/video1", "r", {"format": "v4l2", "options": device_of(WISHES, "linux").options})]
    assert (source.mode, source.realtime, source.address) == ("live", True, "camera:1")
    pictures = list(source)
    assert len(pictures) == 10
    assert pictures[0].pixels.shape == (48, 64, 3)
