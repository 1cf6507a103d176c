"""Subscriptions: the topics of known cameras, by camera; no sockets.

Anyone who reaches the publisher may subscribe to anything, so what is kept is bounded: a camera has at most
`MAX_TOPICS` topics, and of cameras that are not known yet the newest `MAX_EARLY` are kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from stream.transport.codec import Encoding
from stream.transport.protocol import Topic, parse_subscription

MAX_TOPICS = 32
"""Different ones of a camera; each is encoded and sent."""
MAX_EARLY = 256


class Subscriptions:
    """The topics that are wanted; `cameras` are known from the start, and may be asked for before they run."""

    def __init__(self, default: Encoding, cameras: Iterable[str] = ()) -> None:
        self._default: Encoding = default
        self._of: dict[str, dict[bytes, Topic]] = {camera: {} for camera in cameras}
        self._early: dict[bytes, Topic] = {}
        self.wanted: frozenset[str] = frozenset()
        """Cameras with subscriptions; replaced as a whole, because other threads read it."""

    def add(self, subscription: bytes) -> bool:
        """Remember what is asked for; False where it is no topic, or one too many of its camera."""
        topic = parse_subscription(subscription, self._default)
        if topic is None:
            return False
        known = self._of.get(topic.camera)
        if known is None:
            self._early.pop(subscription, None)
            self._early[subscription] = topic
            if len(self._early) > MAX_EARLY:
                del self._early[next(iter(self._early))]
        elif subscription not in known and len(known) >= MAX_TOPICS:
            return False
        else:
            known[subscription] = topic
        self._count()
        return True

    def remove(self, subscription: bytes) -> None:
        """Remove an unsubscribed topic."""
        camera = subscription.partition(b"/")[0].decode("ascii", errors="replace")
        if self._of.get(camera, self._early).pop(subscription, None) is not None:
            self._count()

    def know(self, camera: str) -> None:
        """Add a camera, which may have been subscribed before."""
        if camera not in self._of:
            self._of[camera] = {}
            for subscription in [early for early, topic in self._early.items() if topic.camera == camera]:
                topic = self._early.pop(subscription)
                if len(self._of[camera]) < MAX_TOPICS:
                    self._of[camera][subscription] = topic

    def forget(self, camera: str) -> None:
        """Remove a camera."""
        if self._of.pop(camera, None):
            self._count()

    def of(self, camera: str) -> list[Topic]:
        """The topics of a camera, each once."""
        return [*dict.fromkeys(self._of.get(camera, {}).values())]

    def _count(self) -> None:
        wanted = [camera for camera, topics in self._of.items() if topics]
        self.wanted = frozenset([*wanted, *(topic.camera for topic in self._early.values())])
