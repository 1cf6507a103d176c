"""A visitor of the page as a browser is one, without a browser: a camera goes out, results come in (docs/web.md)."""

from __future__ import annotations

import contextlib
import json
import threading
import time

import cv2
import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tools.campaign.encoding import stamped

PICTURE_SIZE_PX = (320, 240)
_JOIN = json.dumps({"type": "send_camera"})
_SHOWN = json.dumps({"type": "frame_shown"})
_TIMEOUT_S = 10.0


def opened(port: int) -> ClientConnection:
    """A WebSocket of the page, as a browser on this host opens it; OSError or WebSocketException where it cannot be."""
    return connect(
        f"ws://127.0.0.1:{port}/live",
        origin=Origin(f"http://127.0.0.1:{port}"),
        open_timeout=_TIMEOUT_S,
        close_timeout=0.2,
        max_size=None,
        compression=None,
    )


def picture(number: int) -> bytes:
    """The next picture of a visitor's camera, in which something moves."""
    width, height = PICTURE_SIZE_PX
    scene = np.full((height, width, 3), 90, np.uint8)
    cv2.circle(scene, (40 + 4 * number % (width - 80), height // 2), 30, (40, 160, 220), -1)
    return stamped(scene, int(time.monotonic() * 1000))


class Visitor:
    """An honest visitor at a steady rate, in threads of its own, while its context is open."""

    def __init__(self, port: int, rate_hz: float) -> None:
        self._port = port
        self._rate_hz = rate_hz
        self._shown_s: list[float] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        self._socket = opened(port)
        self.lost: str | None = None
        """Why the connection broke, None while it holds."""

    def __enter__(self) -> Visitor:
        self._socket.send(_JOIN)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def rate_hz(self, since_s: float, until_s: float) -> float:
        """Results a second between two times."""
        return sum(since_s <= shown_s < until_s for shown_s in tuple(self._shown_s)) / (until_s - since_s)

    def wait_for_first(self, timeout_s: float) -> bool:
        """Wait until results come."""
        until_s = time.monotonic() + timeout_s
        while not self._shown_s and time.monotonic() < until_s:
            time.sleep(0.05)
        return bool(self._shown_s)

    def _send(self) -> None:
        number, next_s = 0, time.monotonic()
        with contextlib.suppress(OSError, WebSocketException):
            while not self._over.wait(max(next_s - time.monotonic(), 0)):
                self._socket.send(picture(number))
                number, next_s = number + 1, next_s + 1 / self._rate_hz

    def _receive(self) -> None:
        try:
            for said in self._socket:
                if isinstance(said, bytes):
                    self._shown_s.append(time.monotonic())
                    self._socket.send(_SHOWN)
            cause = "closed by the page"
        except (OSError, WebSocketException) as error:
            cause = str(error)
        if not self._over.is_set():
            self.lost = cause
