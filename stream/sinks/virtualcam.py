"""Shows a camera's view as a webcam of this host, for video calls (v4l2loopback, OBS); needs pyvirtualcam."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stream.message import CompositedFrame, Output
from stream.settings.config import VirtualCamera
from stream.sinks.error import SinkError
from stream.sinks.reconnecting import ReconnectingSink
from stream.sinks.video_writer import fit_into


def check(settings: VirtualCamera, cameras: Sequence[str]) -> None:
    """Raise SinkError for what cannot work, before anything starts."""
    if importlib.util.find_spec("pyvirtualcam") is None:
        raise SinkError("a virtual camera needs pyvirtualcam: pip install 'clothseg[virtualcam]'")
    if settings.camera is None and len(cameras) > 1:
        raise SinkError(f"virtual_camera.camera: expected one of {', '.join(cameras)}, for it can show one only")
    if settings.camera is not None and settings.camera not in cameras:
        raise SinkError(f"virtual_camera.camera: expected one of {', '.join(cameras)}, got {settings.camera}")


class VirtualCameraSink:
    """Shows the newest frame of one camera; where the device is missing or taken, it is tried again."""

    def __init__(self, settings: VirtualCamera, cameras: Sequence[str], notify: Callable[[str], None]) -> None:
        check(settings, cameras)
        self._camera = settings.camera
        self._output = ReconnectingSink("the virtual camera", lambda: VirtualDevice(settings), notify)

    def write(self, item: Output) -> None:
        """Hand over a frame of the camera that is shown."""
        if isinstance(item, CompositedFrame) and self._camera in (None, item.frame.camera):
            self._output.write(item)

    def close(self) -> None:
        """Give the device back."""
        self._output.close()


class VirtualDevice:
    """The virtual device, opened in the size of the first frame. Its methods may raise `SinkError`."""

    def __init__(self, settings: VirtualCamera) -> None:
        self._settings = settings
        self._device: Any = None

    def write(self, item: CompositedFrame) -> None:
        """Show a frame, fitted into the size of the first."""
        try:
            if self._device is None:
                self._device = self._open(*item.composite.shape[:2])
            self._device.send(np.ascontiguousarray(fit_into(item.composite, self._device.height, self._device.width)))
        except (RuntimeError, OSError, ValueError) as error:
            raise SinkError(f"{self._settings.device or 'the virtual camera'} cannot be used: {error}") from None

    def close(self) -> None:
        """Give the device back."""
        if self._device is not None:
            self._device.close()

    def _open(self, height: int, width: int) -> Any:
        import pyvirtualcam

        return pyvirtualcam.Camera(
            width, height, self._settings.rate_hz, fmt=pyvirtualcam.PixelFormat.BGR, device=self._settings.device
        )
