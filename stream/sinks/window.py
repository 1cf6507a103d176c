"""A preview window for each camera, showing the finished view; `q` or Escape asks the run to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import cv2
import numpy as np

from stream.message import CompositedFrame, EndOfStream, Outage, Output, Pixels
from stream.sinks.error import SinkError

ESCAPE = 27
NO_SIGNAL = "no signal"
DEFAULT_SHAPE = (360, 640, 3)


def check() -> None:
    """Raise `SinkError`, with what to do, where no window can be shown."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise SinkError("there is no screen for a window (DISPLAY is not set): record or publish instead")
    if not cv2.currentUIFramework():
        raise SinkError("this OpenCV can show no window: install opencv-python in place of opencv-python-headless")


class WindowSink:
    """Shows each camera's newest `composite`; during an outage its last picture, darkened, says so."""

    def __init__(self, stop: Callable[[], None]) -> None:
        check()
        self._stop = stop
        self._last: dict[str, Pixels] = {}
        self._open: set[str] = set()
        # OpenCV's Qt complains, in a paragraph, of fonts that a window without menus does not need
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")

    def write(self, item: Output) -> None:
        """Show a frame, an outage or the end of a camera."""
        if isinstance(item, CompositedFrame):
            self._show(item.frame.camera, item.composite)
            self._last[item.frame.camera] = item.composite
        elif isinstance(item, Outage):
            self._show(item.camera, no_signal(self._last.get(item.camera)))
        elif isinstance(item, EndOfStream) and item.camera in self._open:
            self._open.remove(item.camera)
            cv2.destroyWindow(item.camera)
        if cv2.waitKey(1) & 0xFF in (ESCAPE, ord("q")):
            self._stop()

    def close(self) -> None:
        """Close the windows."""
        while self._open:
            cv2.destroyWindow(self._open.pop())

    def _show(self, camera: str, picture: Pixels) -> None:
        try:
            if camera not in self._open:
                cv2.namedWindow(camera, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
                cv2.resizeWindow(camera, picture.shape[1], picture.shape[0])
                self._open.add(camera)
            cv2.imshow(camera, picture)
        except cv2.error as error:
            raise SinkError(f"the window cannot be shown: {error.err or error}") from None


def no_signal(last: Pixels | None) -> Pixels:
    """The last picture, darkened (black where there was none), with "no signal" across it."""
    dark = np.zeros(DEFAULT_SHAPE, np.uint8) if last is None else last // 3
    height, width = dark.shape[:2]
    scale = max(width / 400, 0.3)
    thickness = max(1, round(2 * scale))
    (text_width, text_height), _ = cv2.getTextSize(NO_SIGNAL, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    at = ((width - text_width) // 2, (height + text_height) // 2)
    return np.asarray(
        cv2.putText(dark, NO_SIGNAL, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), thickness, cv2.LINE_AA)
    )
