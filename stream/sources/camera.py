"""Camera devices, through what the system offers: Video4Linux, AVFoundation (macOS) or DirectShow (Windows).

There was no device where this was written: it is tested behind a fake, no real camera was tried.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import av
from av.device import enumerate_input_devices

from stream.media.opening import AV_ERRORS, ffmpeg_reason
from stream.settings.config import Camera
from stream.sources.container import ContainerSource
from stream.sources.error import SourceError

COMPRESSED = frozenset({"mjpeg", "h264", "hevc"})
"""Names of `pixel_format` that are codecs, which some systems are asked for in another way."""


@dataclass(frozen=True, slots=True)
class Device:
    """Input that FFmpeg opens."""

    file: str
    format: str
    options: dict[str, str]


def open_camera(camera: Camera) -> ContainerSource:
    """Open a device. A read of a device that hangs cannot be cancelled: only its process can be killed."""
    device = device_of(camera, sys.platform)
    try:
        container = av.open(device.file, "r", format=device.format, options=device.options)
    except AV_ERRORS as error:
        options_text = ", ".join(f"{key} {value}" for key, value in device.options.items())
        with_options = f" with {options_text}" if options_text else ""
        raise SourceError(
            f"the camera {camera.source} cannot be opened{with_options}: {ffmpeg_reason(error)}"
        ) from None
    return ContainerSource(container, camera.source, mode="live", realtime=True)


def device_of(camera: Camera, platform: str) -> Device:
    """The device that `camera:N` or `/dev/videoN` means on `platform` (as `sys.platform` names it)."""
    options = {}
    if camera.size_px:
        options["video_size"] = "{}x{}".format(*camera.size_px)
    if camera.rate_hz:
        options["framerate"] = f"{camera.rate_hz:g}"
    if platform == "linux":
        if camera.pixel_format:
            options["input_format"] = camera.pixel_format
        path = camera.source if camera.source.startswith("/") else f"/dev/video{_number(camera)}"
        return Device(path, "v4l2", options)
    if platform == "darwin":
        if camera.pixel_format:
            options["pixel_format"] = camera.pixel_format
        return Device(f"{_number(camera)}:none", "avfoundation", options)
    if platform == "win32":
        if camera.pixel_format:
            options["vcodec" if camera.pixel_format in COMPRESSED else "pixel_format"] = camera.pixel_format
        return Device(f"video={_directshow_name(_number(camera))}", "dshow", options)
    raise SourceError(f"cameras cannot be read on {platform}: give a file or a URL instead of {camera.source}")


def _number(camera: Camera) -> int:
    digits = camera.source.removeprefix("camera:").removeprefix("/dev/video")
    if not digits.isdecimal():
        raise SourceError(f"expected a camera as camera:0, camera:1 …, got {camera.source}")
    return int(digits)


def _directshow_name(number: int) -> str:
    cameras = [device for device in enumerate_input_devices("dshow") if "video" in device.media_types]
    if number >= len(cameras):
        raise SourceError(f"there is no camera:{number}, only {len(cameras)} are connected")
    return cameras[number].name
