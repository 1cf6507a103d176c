"""Reads one camera: opens its source, leaves its pictures in a mailbox, and opens it anew when it is lost."""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import closing

from stream.capture.mailbox import Mailbox
from stream.message import NewPicture, PictureRequest, SourceEnded, SourceLost, SourceOpened
from stream.process.pipe import HEARTBEAT_S, SupervisorPipe, describe_error, printable
from stream.settings.config import Camera, Run
from stream.sources import SourceError, mode_of, open_source
from stream.stage import StreamError
from stream.transport.sockets import DealerSocket

_MIN_BACK_OFF_MS = 50
_POLL_MS = 5


def read(name: str, camera: Camera, mailbox: Mailbox, stopped: threading.Event) -> None:
    """Read a camera until it ends (a file) or `stopped` is set (live sources are retried for ever).

    Pauses between attempts double up to `camera.retry_ms`, each shortened at random so that many
    cameras of one server do not all come back at the same moment.
    """
    try:
        _read_with_back_off(name, camera, mailbox, stopped)
    except Exception as error:  # noqa: BLE001 (an error ends this camera, and is reported as its end)
        mailbox.put_event(SourceEnded(name, printable(f"{name}: {describe_error(error)}")))


def _read_with_back_off(name: str, camera: Camera, mailbox: Mailbox, stopped: threading.Event) -> None:
    back_off_ms = _MIN_BACK_OFF_MS
    while not stopped.is_set():
        cause, pictures = _read_once(name, camera, mailbox, stopped)
        if stopped.is_set():
            return
        if _has_end(camera):
            mailbox.put_event(SourceEnded(name, cause))
            return
        mailbox.put_event(SourceLost(name, cause or f"{name}: the source ended"))
        back_off_ms = _MIN_BACK_OFF_MS if pictures else min(2 * back_off_ms, int(camera.retry_ms))
        stopped.wait(back_off_ms * random.uniform(0.5, 1) / 1000)


def _read_once(name: str, camera: Camera, mailbox: Mailbox, stopped: threading.Event) -> tuple[str | None, int]:
    """Open and read once: why it ended (None: at its end) and how many pictures came."""
    pictures = 0
    mode = mode_of(camera)
    try:
        with closing(open_source(camera, mailbox.stir)) as source:
            mailbox.put_event(SourceOpened(name, mode, printable(source.address), source.rate_hz, source.frames))
            for picture in source:
                pictures += 1
                if not mailbox.put(name, picture, mode) or stopped.is_set():
                    break
    except SourceError as error:
        return printable(f"{name}: {error}"), pictures
    return None, pictures


def _has_end(camera: Camera) -> bool:
    """Return whether the source has an end: a file has, also in real time; a live source is reopened."""
    return mode_of(Camera(source=camera.source)) == "file"


def serve(run: Run, name: str, supervisor: SupervisorPipe) -> None:
    """Run a reader process: one thread reads, this one sends the dispatcher what it has credit for.

    A reading thread that is stuck in a driver fails the process, so that the supervisor restarts it.
    """
    camera = run.cameras[name]
    mailbox, stopped = Mailbox(threading.Condition()), threading.Event()
    threading.Thread(target=read, args=(name, camera, mailbox, stopped), name=name, daemon=True).start()
    assert run.transport.dispatch is not None
    peer = DealerSocket(run.transport.dispatch, f"reader.{name}.{os.getpid()}", run.transport.keys)
    try:
        _forward(name, camera, mailbox, peer, supervisor)
    finally:
        stopped.set()
        mailbox.close()
        peer.close()


def _forward(name: str, camera: Camera, mailbox: Mailbox, peer: DealerSocket, supervisor: SupervisorPipe) -> None:
    hang_timeout_s = 2 * (camera.stall_ms + camera.retry_ms) / 1000
    credit = 0
    while not supervisor.stopping:
        if not credit:
            credit = isinstance(peer.receive(_POLL_MS), PictureRequest)
        item = mailbox.take(credit=credit, timeout_s=HEARTBEAT_S * credit)
        if item is not None:
            peer.send(item)
            credit -= isinstance(item, NewPicture)
            if isinstance(item, SourceEnded):
                return
        elif credit and not _has_end(camera) and time.monotonic() - mailbox.last_activity_s > hang_timeout_s:
            raise StreamError(f"{name}: the source hangs and cannot be closed")
        supervisor.heartbeat()
        for _ in supervisor.commands():
            pass
