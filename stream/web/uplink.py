"""Visitors' cameras as the dispatcher sees them: the reader of each, with the same mailbox and the same credit.

Dispatch takes one picture of a camera whenever it has room and says `Next`; until then the newest waits here.
"""

from __future__ import annotations

import secrets
import threading

from stream.capture.mailbox import Mailbox
from stream.message import Ended, Next, Offer, Opened, Picture
from stream.transport.sockets import Peer

VISITOR = "visitor-"
"""How the names of visitors' cameras begin; what follows cannot be guessed."""
_POLL_MS = 250


class FullError(Exception):
    """As many visitors as there may be are here."""


class Uplink:
    """The readers of all visitors, on one connection; used from one event loop."""

    def __init__(self, peer: Peer, visitors: int, rate_hz: float) -> None:
        self._peer = peer
        self._visitors = visitors
        self._rate_hz = rate_hz
        self._mailboxes: dict[str, Mailbox] = {}
        self._wanted: set[str] = set()

    def open(self) -> str:
        """Add a camera and return its name; raises FullError."""
        if len(self._mailboxes) >= self._visitors:
            raise FullError
        name = VISITOR + secrets.token_hex(16)
        self._mailboxes[name] = Mailbox(threading.Condition())
        self._mailboxes[name].tell(Opened(name, "live", "browser", self._rate_hz))
        self._pass_on(name)
        return name

    def put(self, name: str, picture: Picture) -> None:
        """Leave a picture; one that still waits is replaced."""
        self._mailboxes[name].put(name, picture, "live")
        self._pass_on(name)
        self._hear()  # sending may have swallowed the sign that something has arrived

    def close(self, name: str) -> None:
        """The camera is gone: dispatch ends its stream and forgets it."""
        if self._mailboxes.pop(name, None) is not None:
            self._wanted.discard(name)
            self._peer.send(Ended(name))

    async def run(self) -> None:
        """Hear what dispatch has room for, until cancelled."""
        while True:
            await self._peer.arrival(_POLL_MS)
            self._hear()

    def _hear(self) -> None:
        while (item := self._peer.receive(0)) is not None:
            if isinstance(item, Next) and item.camera in self._mailboxes:
                self._wanted.add(item.camera)
                self._pass_on(item.camera)

    def _pass_on(self, name: str) -> None:
        mailbox = self._mailboxes[name]
        while (item := mailbox.take(pictures=name in self._wanted)) is not None:
            if isinstance(item, Offer):
                self._wanted.discard(name)
            self._peer.send(item)
