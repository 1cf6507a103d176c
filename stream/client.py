"""The client library: `Subscriber` yields every frame's cut-out and masks as they are published."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from stream.stage import StreamError
from stream.transport import codec, protocol, published
from stream.transport.camera_state import CameraState, StreamInfo
from stream.transport.codec import Encoding
from stream.transport.protocol import Kind, ProtocolError, Roster, Stats, VersionError
from stream.transport.published import PublishedFrame
from stream.transport.sockets import SubSocket

__all__ = ["CameraState", "PublishedFrame", "Stats", "StreamInfo", "Subscriber", "SubscriberError"]

_WAIT_MS = 100


class SubscriberError(StreamError):
    """The publisher is silent, or a stream has ended with an error; the text is one sentence."""


class Subscriber:
    """Iterate it, with `for` or `async for`, to get each `PublishedFrame` as it comes.

        for frame in Subscriber("tcp://127.0.0.1:5556"):
            show(frame.cutout, frame.parts, frame.alpha, frame.seq, frame.pts_ns, frame.camera)

    `cameras`: whose frames; none named, of every camera, also of those that come later. `kinds`: what of
    each frame (`cutout`, `composite`, `parts`, `alpha`, `probabilities`); only what is asked for is made.
    `encoding`: how it travels: `raw` on this host, `lz4` or `jpeg` (colours only, masks stay exact) over a
    network, `png` for those who can read nothing else.

    Iteration ends when the publisher closes, or when all the named cameras have ended. It raises
    SubscriberError where a stream has ended with an error, or where no message came from the publisher
    for `timeout_s` (also before the first message; `math.inf` waits for ever), and VersionError where the
    publisher is of another release.

    A subscriber that is too slow loses frames: `dropped` counts them, by the gaps in `seq`. `streams` says at any time
    how each camera stands, so that a view can show "no signal", `stats` how fast and how late its frames
    are given out. Not for use by several threads at once.
    """

    def __init__(
        self,
        endpoint: str = "tcp://127.0.0.1:5556",
        *,
        cameras: Sequence[str] = (),
        kinds: Sequence[Kind] = ("cutout", "parts"),
        encoding: Encoding = "raw",
        timeout_s: float = 10.0,
        keys: Path | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._cameras = tuple(cameras)
        self._kinds = protocol.topic_of("camera", kinds, encoding).kinds
        self._encoding = encoding
        if lacking := codec.missing(encoding):
            packages = " ".join(lacking)
            raise SubscriberError(f"encoding {encoding} needs packages: pip install {packages}, or ask for raw")
        self._timeout_s = timeout_s
        self._subscribed: set[str] = set()
        self._last_seq: dict[str, int] = {}
        self._failures: list[str] = []
        self._ended = False
        self.streams: dict[str, StreamInfo] = {}
        self.stats: dict[str, Stats] = {}
        self.dropped = 0
        self.rejected = 0
        self._socket = SubSocket(endpoint, keys)
        self._socket.subscribe(protocol.ROSTER_TOPIC.encode())
        self._last_message_s = time.monotonic()
        for camera in self._cameras:
            self._subscribe(camera)

    def receive(self, timeout_ms: int) -> PublishedFrame | None:
        """The next frame; None when none came in time, or when it is over."""
        until_s = time.monotonic() + timeout_ms / 1000
        while not self._ended:
            left_ms = max(round((until_s - time.monotonic()) * 1000), 0)
            if (frame := self._receive(min(left_ms, _WAIT_MS))) is not None or left_ms == 0:
                return frame
        return None

    @property
    def ended(self) -> bool:
        """True once no frame will come any more."""
        return self._ended

    def __iter__(self) -> Iterator[PublishedFrame]:
        while not self._ended:
            if (frame := self._receive(_WAIT_MS)) is not None:
                yield frame
        self._close_and_raise()

    async def __aiter__(self) -> AsyncIterator[PublishedFrame]:
        while not self._ended:
            await self._socket.wait_readable(_WAIT_MS)
            if (frame := self._receive(0)) is not None:
                yield frame
        self._close_and_raise()

    def close(self) -> None:
        """Unsubscribe and close; may be called more than once."""
        self._ended = True
        self._socket.close()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, timeout_ms: int) -> PublishedFrame | None:
        """Receive one message: a frame, or what follows from the roster."""
        parts = self._socket.receive(timeout_ms)
        if parts is None:
            if time.monotonic() - self._last_message_s > self._timeout_s:
                raise SubscriberError(
                    f"no message from {self._endpoint} for {self._timeout_s:g} s: is a publisher running there?"
                )
            return None
        try:
            message = published.decode(parts)
        except VersionError:
            raise
        except ProtocolError:
            self.rejected += 1
            return None
        self._last_message_s = time.monotonic()
        if isinstance(message, Roster):
            self._on_roster(message)
            return None
        if isinstance(message, Stats):
            if message.camera in self._subscribed:
                self.stats[message.camera] = message
            return None
        if message.camera not in self._subscribed:
            self.rejected += 1  # a topic of one camera, and the header of another
            return None
        self.dropped += max(message.seq - self._last_seq.get(message.camera, message.seq) - 1, 0)
        self._last_seq[message.camera] = message.seq
        return message

    def _on_roster(self, roster: Roster) -> None:
        """Follow the cameras that have come and leave those that have ended."""
        self.streams = {stream.camera: stream for stream in roster.streams}
        ended = {stream.camera: stream for stream in roster.streams if stream.state.over}
        self._failures += [info.cause for camera, info in ended.items() if info.cause and camera in self._subscribed]
        wanted = set(self._cameras or self.streams) - ended.keys()
        for camera in wanted - self._subscribed:
            self._subscribe(camera)
        for camera in self._subscribed - wanted:
            self._subscribed.remove(camera)
            self._socket.unsubscribe(self._topic(camera))
            self._socket.unsubscribe(protocol.stats_topic(camera).encode())
            self._last_seq.pop(camera, None)
            self.stats.pop(camera, None)
        self._ended = roster.closing or (bool(self._cameras) and not wanted)

    def _subscribe(self, camera: str) -> None:
        self._subscribed.add(camera)
        self._socket.subscribe(self._topic(camera))
        self._socket.subscribe(protocol.stats_topic(camera).encode())

    def _topic(self, camera: str) -> bytes:
        return str(protocol.topic_of(camera, self._kinds, self._encoding)).encode()

    def _close_and_raise(self) -> None:
        """Raise where a stream that was followed has ended with an error: a crash is no short video."""
        self.close()
        if self._failures:
            raise SubscriberError(f"the stream has ended early: {'; '.join(self._failures)}")
