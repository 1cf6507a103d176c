"""Reads one camera: opens its source, leaves its pictures in a mailbox, and opens it anew when it is lost."""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import closing

from stream.capture.mailbox import Mailbox
from stream.message import Ended, Lost, Next, Offer, Opened
from stream.process.pipe import BEAT_S, Lifeline, printable, sentence
from stream.settings.config import Camera, Run
from stream.sources import SourceError, mode_of, open_source
from stream.stage import StreamError
from stream.transport.sockets import Peer

_FIRST_RETRY_MS = 50
_POLL_MS = 5


def read(name: str, camera: Camera, mailbox: Mailbox, stopped: threading.Event) -> None:
    """Read a camera until it ends (a file) or `stopped` is set (live sources are retried for ever).

    Pauses between attempts double up to `camera.retry_ms`, each shortened at random so that many
    cameras of one server do not all come back at the same moment.
    """
    try:
        _read_again(name, camera, mailbox, stopped)
    except Exception as error:  # noqa: BLE001 (a mistake ends this camera, and is told as its end)
        mailbox.tell(Ended(name, printable(f"{name}: {sentence(error)}")))


def _read_again(name: str, camera: Camera, mailbox: Mailbox, stopped: threading.Event) -> None:
    pause_ms = _FIRST_RETRY_MS
    while not stopped.is_set():
        cause, pictures = _read_once(name, camera, mailbox, stopped)
        if stopped.is_set():
            return
        if _ends(camera):
            mailbox.tell(Ended(name, cause))
            return
        mailbox.tell(Lost(name, cause or f"{name}: the source ended"))
        pause_ms = _FIRST_RETRY_MS if pictures else min(2 * pause_ms, int(camera.retry_ms))
        stopped.wait(pause_ms * random.uniform(0.5, 1) / 1000)


def _read_once(name: str, camera: Camera, mailbox: Mailbox, stopped: threading.Event) -> tuple[str | None, int]:
    """Open and read once: why it ended (None: at its end) and how many pictures came."""
    pictures = 0
    mode = mode_of(camera)
    try:
        with closing(open_source(camera, mailbox.stir)) as source:
            mailbox.tell(Opened(name, mode, printable(source.address), source.rate_hz, source.frames))
            for picture in source:
                pictures += 1
                if not mailbox.put(name, picture, mode) or stopped.is_set():
                    break
    except SourceError as error:
        return printable(f"{name}: {error}"), pictures
    return None, pictures


def _ends(camera: Camera) -> bool:
    """Whether the source has an end: a file has, also played in real time; a live source is awaited again."""
    return mode_of(Camera(source=camera.source)) == "file"


def serve(run: Run, name: str, lifeline: Lifeline) -> None:
    """A reader process: one thread reads, this one gives the dispatcher what it has room for.

    A reading thread that is stuck in a driver fails the process, so that the launcher starts a new one.
    """
    camera = run.cameras[name]
    mailbox, stopped = Mailbox(threading.Condition()), threading.Event()
    threading.Thread(target=read, args=(name, camera, mailbox, stopped), name=name, daemon=True).start()
    assert run.transport.dispatch is not None
    peer = Peer(run.transport.dispatch, f"reader.{name}.{os.getpid()}", run.transport.keys)
    try:
        _forward(name, camera, mailbox, peer, lifeline)
    finally:
        stopped.set()
        mailbox.close()
        peer.close()


def _forward(name: str, camera: Camera, mailbox: Mailbox, peer: Peer, lifeline: Lifeline) -> None:
    patience_s = 2 * (camera.stall_ms + camera.retry_ms) / 1000
    wanted = 0
    while not lifeline.stopping:
        if not wanted:
            wanted = isinstance(peer.receive(_POLL_MS), Next)
        item = mailbox.take(pictures=wanted, timeout_s=BEAT_S * wanted)
        if item is not None:
            peer.send(item)
            wanted -= isinstance(item, Offer)
            if isinstance(item, Ended):
                return
        elif wanted and not _ends(camera) and time.monotonic() - mailbox.active_s > patience_s:
            raise StreamError(f"{name}: the source hangs and cannot be closed")
        lifeline.beat()
        for _ in lifeline.heard():
            pass
