"""Publishes every camera over ZeroMQ, encoding only what is subscribed (docs/protocol.md)."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence

from msgspec import structs

from stream.message import CompositedFrame, EndOfStream, Outage, Output, StreamStart
from stream.settings.config import Publisher
from stream.sinks.error import SinkError
from stream.sinks.latest import LatestBuffer
from stream.transport import protocol
from stream.transport.protocol import FrameEncoder, Roster, Stats, StreamInfo
from stream.transport.sockets import TransportError, XPubSocket
from stream.transport.subscriptions import Subscriptions

ROSTER_INTERVAL_S = 1.0
"""Interval of the roster where nothing changes: a heartbeat."""
STATS_INTERVAL_NS = 1_000_000_000
"""Interval of a camera's statistics."""
NEW_SUBSCRIBER_ROSTER_S = 0.1
"""How soon new subscribers get the roster, all who came since at once."""
_POLL_S = 0.05
_EVENTS_PER_POLL = 50  # subscription changes between two frames: more wait, so that they do not delay frames
_MAX_ENDED = 32  # cameras that have ended and are still named


class PublisherSink:
    """Takes what it is given at once; a thread of its own encodes and sends the newest."""

    def __init__(self, settings: Publisher, cameras: Sequence[str] = ()) -> None:
        """`cameras`: those that may be asked for before they run. Raises SinkError."""
        try:
            self._socket = XPubSocket(settings.bind, settings.keys)
        except TransportError as error:
            raise SinkError(str(error)) from None
        self.endpoint = self._socket.endpoint
        self._buffer = LatestBuffer()
        self._failure: Exception | None = None
        self._topics = _TopicPublisher(self._socket, settings, cameras)
        self._thread = threading.Thread(target=self._serve, name="publisher", daemon=True)
        self._thread.start()

    def write(self, item: Output) -> None:
        """Queue a frame or event; a frame still queued is replaced."""
        if self._failure is not None:
            raise SinkError(f"the publisher {self.endpoint} has failed: {self._failure}") from self._failure
        self._buffer.put(item)

    def wants(self, camera: str) -> bool:
        """Return whether a camera's frames are subscribed."""
        return camera in self._topics.subscriptions.wanted

    def close(self) -> None:
        """Publish what is queued and the closing roster."""
        self._buffer.close()
        self._thread.join()

    def _serve(self) -> None:
        try:
            more = False
            while not self._buffer.drained:
                item = self._buffer.take(0 if more else _POLL_S)
                more = self._topics.update_subscriptions(time.monotonic())
                if item is not None:
                    self._topics.publish(item)
            self._topics.publish_end()
        except Exception as error:  # noqa: BLE001 (raised in the pipeline at the next write)
            self._failure = error
        finally:
            self._socket.close()


class _TopicPublisher:
    """Subscriptions by topic, and the streams there are."""

    def __init__(self, publication: XPubSocket, settings: Publisher, cameras: Sequence[str]) -> None:
        self._socket = publication
        self.subscriptions = Subscriptions(settings.encoding, cameras)
        self._new_subscribers = False
        self._streams: dict[str, StreamInfo] = {}
        self._rate_meters: dict[str, _RateMeter] = {}
        self._last_roster_s = 0.0

    def update_subscriptions(self, now_s: float) -> bool:
        """Read subscriptions, publish the roster to new subscribers and when it is due; True if more may wait."""
        changes = 0
        for subscription, wanted in itertools.islice(self._socket.subscription_changes(), _EVENTS_PER_POLL):
            changes += 1
            if wanted:
                self.subscriptions.add(subscription)
                self._new_subscribers = True
            else:
                self.subscriptions.remove(subscription)
        if now_s - self._last_roster_s >= (NEW_SUBSCRIBER_ROSTER_S if self._new_subscribers else ROSTER_INTERVAL_S):
            self._new_subscribers = False
            self._last_roster_s = now_s
            self._publish_roster()
        return changes == _EVENTS_PER_POLL

    def publish(self, item: Output) -> None:
        """Send a frame to those who want of it, or what has changed to all."""
        if isinstance(item, CompositedFrame):
            encoder, camera = FrameEncoder(item), item.frame.camera
            self.subscriptions.know(camera)
            for topic in self.subscriptions.of(camera):
                self._socket.publish(encoder.encode(topic))
            stats = self._rate_meters.setdefault(camera, _RateMeter()).record(item, time.monotonic_ns())
            if stats is not None:
                self._socket.publish(protocol.encode_stats(stats))
            return
        self._rate_meters.pop(item.camera, None)
        self._streams[item.camera] = roster_entry_after(self._streams.get(item.camera), item)
        self.subscriptions.know(item.camera)
        ended = [name for name, stream in self._streams.items() if stream.state == "ended"]
        for name in ended[:-_MAX_ENDED]:
            del self._streams[name]
            self.subscriptions.forget(name)
        self._publish_roster()

    def publish_end(self) -> None:
        self._socket.publish_last(protocol.encode_roster(self._roster(closing=True)))

    def _publish_roster(self) -> None:
        self._socket.publish(protocol.encode_roster(self._roster(closing=False)))

    def _roster(self, *, closing: bool) -> Roster:
        return Roster(protocol.VERSION, closing, tuple(self._streams.values()))


class _RateMeter:
    """Rate and age of a camera's published frames."""

    def __init__(self) -> None:
        self._since: tuple[int, int] | None = None

    def record(self, item: CompositedFrame, now_ns: int) -> Stats | None:
        """Record a frame; return its camera's statistics where they are due."""
        frame = item.frame
        if self._since is None:
            self._since = now_ns, frame.seq
        then_ns, seq = self._since
        if now_ns - then_ns < STATS_INTERVAL_NS:
            return None
        self._since = now_ns, frame.seq
        rate_hz = (frame.seq - seq) * 1e9 / (now_ns - then_ns)
        age_ms = (now_ns - frame.picture.captured_ns) / 1e6
        return Stats(protocol.VERSION, frame.camera, frame.epoch, frame.seq, rate_hz, age_ms)


def roster_entry_after(stream: StreamInfo | None, event: StreamStart | Outage | EndOfStream) -> StreamInfo:
    """Return a camera's roster entry after an event."""
    known = stream or StreamInfo(event.camera, "running")
    match event:
        case StreamStart():
            return StreamInfo(event.camera, "running", event.mode, event.epoch, event.rate_hz, event.frames)
        case Outage():
            return structs.replace(known, state="no_signal", last_seq=event.last_seq, cause=event.cause)
        case EndOfStream():
            return structs.replace(
                known, state="ended", last_seq=event.last_seq, cause=event.error, interrupted=event.interrupted
            )
