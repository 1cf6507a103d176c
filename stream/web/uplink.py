"""Visitors' cameras as the dispatcher sees them: the reader of each, with the same mailbox and the same credit.

Dispatch requests one picture of a camera at a time with `PictureRequest`; until then the newest is kept here.
"""

from __future__ import annotations

import secrets
import threading

from stream.capture.mailbox import Mailbox
from stream.message import NewPicture, Picture, PictureRequest, SourceEnded, SourceOpened
from stream.transport.sockets import DealerSocket

VISITOR_PREFIX = "visitor-"
"""How the names of visitors' cameras begin; what follows cannot be guessed."""
_POLL_MS = 250


class VisitorLimitError(Exception):
    """No capacity for another visitor."""


class Uplink:
    """The readers of all visitors, on one connection; used from one event loop."""

    def __init__(self, peer: DealerSocket, visitors: int, rate_hz: float) -> None:
        self._socket = peer
        self._visitors = visitors
        self._rate_hz = rate_hz
        self._mailboxes: dict[str, Mailbox] = {}
        self._credit: set[str] = set()

    def open(self) -> str:
        """Add a camera and return its name; raises VisitorLimitError."""
        if len(self._mailboxes) >= self._visitors:
            raise VisitorLimitError
        name = VISITOR_PREFIX + secrets.token_hex(16)
        self._mailboxes[name] = Mailbox(threading.Condition())
        self._mailboxes[name].put_event(SourceOpened(name, "live", "browser", self._rate_hz))
        self._forward(name)
        return name

    def put(self, name: str, picture: Picture) -> None:
        """Leave a picture; one that still waits is replaced."""
        self._mailboxes[name].put(name, picture, "live")
        self._forward(name)
        self._receive_requests()  # sending may have swallowed the sign that something has arrived

    def close(self, name: str) -> None:
        """The camera is gone: dispatch ends its stream and forgets it."""
        if self._mailboxes.pop(name, None) is not None:
            self._credit.discard(name)
            self._socket.send(SourceEnded(name))

    async def run(self) -> None:
        """Receive PictureRequests, until cancelled."""
        while True:
            await self._socket.wait_readable(_POLL_MS)
            self._receive_requests()

    def _receive_requests(self) -> None:
        while (item := self._socket.receive(0)) is not None:
            if isinstance(item, PictureRequest) and item.camera in self._mailboxes:
                self._credit.add(item.camera)
                self._forward(item.camera)

    def _forward(self, name: str) -> None:
        mailbox = self._mailboxes[name]
        while (item := mailbox.take(credit=name in self._credit)) is not None:
            if isinstance(item, NewPicture):
                self._credit.discard(name)
            self._socket.send(item)
