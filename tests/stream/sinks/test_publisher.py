"""The publisher and what subscribers get of it, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import psutil
import pytest

from stream.client import PublishedFrame, Subscriber, SubscriberError
from stream.message import EndOfStream, Outage, Pixels, StreamStart
from stream.settings.config import Publisher
from stream.sinks.error import SinkError
from stream.sinks.publisher import PublisherSink
from stream.transport import codec, protocol
from stream.transport.codec import Buffer, Encoding
from stream.transport.protocol import Roster, VersionError
from stream.transport.sockets import SubSocket, XPubSocket
from tests import zmtp
from tests.stream.composited import composited_frame

LOOPBACK = "tcp://127.0.0.1:*"
WAIT_MS = 20


@pytest.fixture
def sink() -> Iterator[PublisherSink]:
    sink = PublisherSink(Publisher(bind=LOOPBACK))
    yield sink
    sink.close()


def start(sink: PublisherSink, *cameras: str) -> None:
    for camera in cameras:
        sink.write(StreamStart(camera, 0, 0, "live", "camera:0", 30.0))


def written_until_received(
    sink: PublisherSink, subscriber: Subscriber, camera: str = "front", first: int = 0
) -> PublishedFrame:
    """Write frames, from number `first` on, until the subscriber has one."""
    for seq in itertools.count(first):
        sink.write(composited_frame(camera, seq))
        if (frame := subscriber.receive(WAIT_MS)) is not None:
            return frame
    raise AssertionError


def hears(subscriber: Subscriber, camera: str, state: str) -> bool:
    """Listen until the roster says so."""
    while camera not in subscriber.streams or subscriber.streams[camera].state != state:
        assert subscriber.receive(WAIT_MS) is None
    return True


def test_a_subscriber_gets_the_cutout_and_the_masks_of_a_frame(sink: PublisherSink) -> None:
    start(sink, "front")
    with Subscriber(sink.endpoint) as subscriber:
        got = written_until_received(sink, subscriber)
        frame = composited_frame("front", got.seq)
        inside = frame.alpha > 0
        assert got.camera == "front"
        assert got.pts_ns == frame.frame.picture.pts_ns
        assert np.array_equal(got.cutout[inside], frame.cutout[inside])
        assert np.array_equal(got.alpha, frame.alpha)
        assert np.array_equal(got.parts, frame.parts)


def test_a_camera_that_comes_later_is_followed_too(sink: PublisherSink) -> None:
    start(sink, "front")
    with Subscriber(sink.endpoint) as subscriber:
        assert written_until_received(sink, subscriber).camera == "front"
        start(sink, "side")
        assert written_until_received(sink, subscriber, "side").camera == "side"


def test_only_the_named_camera_comes(sink: PublisherSink) -> None:
    start(sink, "front", "side")
    with Subscriber(sink.endpoint, cameras=["side"]) as subscriber:
        for seq in range(10):
            sink.write(composited_frame("front", seq))
        assert written_until_received(sink, subscriber, "side").camera == "side"


@pytest.mark.parametrize("encoding", ["jpeg", "lz4", "png"])
def test_the_subscriber_chooses_the_encoding(sink: PublisherSink, encoding: Encoding) -> None:
    start(sink, "front")
    with Subscriber(sink.endpoint, kinds=["alpha", "parts"], encoding=encoding) as subscriber:
        got = written_until_received(sink, subscriber)
        assert np.array_equal(got.parts, composited_frame("front", got.seq).parts)


def test_nothing_is_encoded_that_nobody_asked_for(sink: PublisherSink, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[tuple[int, ...], Encoding]] = []

    def encode(pixels: Pixels, encoding: Encoding) -> Buffer:
        made.append((pixels.shape, encoding))
        return genuine(pixels, encoding)

    genuine = codec.encode
    monkeypatch.setattr(codec, "encode", encode)
    start(sink, "front", "side")
    frames = [composited_frame("front", seq) for seq in range(3)]
    for frame in frames:
        sink.write(frame)
    with Subscriber(sink.endpoint, cameras=["side"], kinds=["parts"], encoding="lz4") as subscriber:
        written_until_received(sink, subscriber, "side")
        sink.write(composited_frame("front", 3))
        written_until_received(sink, subscriber, "side", first=1000)
    assert {encoding for _, encoding in made} == {"lz4"}
    assert {shape for shape, _ in made} == {(30, 24)}
    assert not [frame for frame in frames if "cutout" in vars(frame)]


def test_encoding_ends_with_the_last_subscriber(sink: PublisherSink, monkeypatch: pytest.MonkeyPatch) -> None:
    start(sink, "front")
    with Subscriber(sink.endpoint, kinds=["parts"]) as first:
        written_until_received(sink, first)
    with Subscriber(sink.endpoint, kinds=["alpha"]) as second:
        written_until_received(sink, second)
        made: list[object] = []
        genuine = codec.encode

        def encode(pixels: Pixels, encoding: Encoding) -> Buffer:
            made.append(encoding)
            return genuine(pixels, encoding)

        monkeypatch.setattr(codec, "encode", encode)
        got = written_until_received(sink, second, first=1000)
        with pytest.raises(protocol.ProtocolError):
            _ = got.parts
    assert len(made) <= got.seq - 999


def test_short_topics_get_the_publishers_default_encoding() -> None:
    sink = PublisherSink(Publisher(bind=LOOPBACK, encoding="png"))
    link = SubSocket(sink.endpoint)
    try:
        link.subscribe(b"front/alpha")
        parts, seq = None, 0
        while parts is None:
            sink.write(composited_frame("front", seq))
            parts, seq = link.receive(WAIT_MS), seq + 1
        assert bytes(parts[0]) == b"front/alpha/png"
        assert isinstance(protocol.decode(parts), PublishedFrame)
    finally:
        link.close()
        sink.close()


def test_a_new_subscriber_gets_the_roster(sink: PublisherSink) -> None:
    start(sink, "front")
    sink.write(Outage("front", 7, "the server is gone"))
    with Subscriber(sink.endpoint) as subscriber:
        assert hears(subscriber, "front", "no_signal")
        assert subscriber.streams["front"].cause == "the server is gone"
        assert subscriber.streams["front"].last_seq == 7
        start(sink, "front")
        assert hears(subscriber, "front", "running")


def test_statistics_say_how_fast_and_how_late(sink: PublisherSink) -> None:
    start(sink, "front")
    began_ns, tick = time.monotonic_ns(), threading.Event()
    with Subscriber(sink.endpoint) as subscriber:
        seq = 0
        while "front" not in subscriber.stats:
            made = composited_frame("front", seq)
            late = replace(made.frame.picture, captured_ns=time.monotonic_ns() - 50_000_000)
            sink.write(replace(made, frame=replace(made.frame, picture=late)))
            subscriber.receive(0)
            tick.wait(0.01)
            seq += 1
        stats = subscriber.stats["front"]
    rate_hz = seq * 1e9 / (time.monotonic_ns() - began_ns)
    assert 0.6 * rate_hz < stats.rate_hz < 1.6 * rate_hz
    assert 50 <= stats.age_ms < 1000


def test_iteration_ends_when_the_publisher_closes() -> None:
    sink = PublisherSink(Publisher(bind=LOOPBACK))
    start(sink, "front")
    with Subscriber(sink.endpoint) as subscriber:
        last = written_until_received(sink, subscriber).seq + 1
        sink.write(composited_frame("front", last))
        sink.write(EndOfStream("front", last))
        sink.close()
        assert [frame.seq for frame in subscriber][-1] == last
        assert subscriber.streams["front"].state == "ended"
        assert subscriber.dropped == 0


def test_iteration_ends_when_the_named_cameras_have_ended(sink: PublisherSink) -> None:
    start(sink, "front", "side")
    with Subscriber(sink.endpoint, cameras=["side"]) as subscriber:
        written_until_received(sink, subscriber, "side")
        sink.write(EndOfStream("side", 0, interrupted=True))
        for _ in subscriber:
            pass
        assert subscriber.streams["side"].interrupted
        assert subscriber.streams["front"].state == "running"


def test_a_crash_is_no_short_video(sink: PublisherSink) -> None:
    start(sink, "front")
    with Subscriber(sink.endpoint, cameras=["front"]) as subscriber:
        written_until_received(sink, subscriber)
        sink.write(EndOfStream("front", 0, "the file is damaged"))
        with pytest.raises(SubscriberError, match="ended early: the file is damaged"):
            for _ in subscriber:
                pass


def test_a_silent_endpoint_is_an_error_after_a_while() -> None:
    with (
        Subscriber("tcp://127.0.0.1:1", timeout_s=0.2) as subscriber,
        pytest.raises(SubscriberError, match=r"no message from tcp://127.0.0.1:1 for 0.2 s"),
    ):
        next(iter(subscriber))


def test_async_for_gives_the_same_frames(sink: PublisherSink) -> None:
    start(sink, "front")
    stopped = threading.Event()

    def write() -> None:
        for seq in itertools.count():
            if stopped.wait(0.005):
                return
            sink.write(composited_frame("front", seq))

    async def read() -> tuple[list[PublishedFrame], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        frames: list[PublishedFrame] = []
        with Subscriber(sink.endpoint) as subscriber:
            async for frame in subscriber:
                frames.append(frame)
                if len(frames) == 5:
                    break
        ticking.cancel()
        return frames, ticks

    writer = threading.Thread(target=write)
    writer.start()
    try:
        frames, ticks = asyncio.run(read())
    finally:
        stopped.set()
        writer.join()
    assert [frame.seq for frame in frames] == sorted(frame.seq for frame in frames)
    assert np.array_equal(frames[0].parts, composited_frame("front", frames[0].seq).parts)
    assert ticks > 5  # the loop went on while it waited


def test_a_slow_subscriber_loses_frames_and_holds_nobody_back(sink: PublisherSink) -> None:
    start(sink, "front")
    large = {"size": (640, 480), "person": (0, 0, 640, 480)}
    with Subscriber(sink.endpoint) as slow, Subscriber(sink.endpoint) as quick:
        written_until_received(sink, slow)
        first = written_until_received(sink, quick, first=1000).seq + 1
        got = 0
        for seq in range(first, first + 60):
            sink.write(composited_frame("front", seq, **large))  # type: ignore[arg-type]
            while (frame := quick.receive(1000)) is not None and frame.seq < seq:
                pass
            got += frame is not None
        assert got == 60
        late = [frame.seq for frame in iter(lambda: slow.receive(200), None)]
        assert late == sorted(late)
        assert len(late) < 40
        written_until_received(sink, slow, first=first + 100)
        assert slow.dropped > 0


def test_another_release_is_named() -> None:
    publication = XPubSocket(LOOPBACK)
    try:
        with Subscriber(publication.endpoint) as subscriber:
            while not [topic for topic, wanted in publication.subscription_changes() if wanted]:
                assert subscriber.receive(WAIT_MS) is None
            publication.publish([b"/streams", b'{"v": 3, "closing": false}'])
            with pytest.raises(VersionError, match="expected protocol version 2, got 3"):
                subscriber.receive(5000)
    finally:
        publication.close()


def test_garbage_is_counted_and_passed_over() -> None:
    publication = XPubSocket(LOOPBACK)
    try:
        with Subscriber(publication.endpoint) as subscriber:
            while not [topic for topic, wanted in publication.subscription_changes() if wanted]:
                assert subscriber.receive(WAIT_MS) is None
            publication.publish([b"/streams", b"{"])
            publication.publish([b"/streams"])
            publication.publish(protocol.encode_roster(Roster(protocol.VERSION, True, ())))
            assert list(subscriber) == []
            assert subscriber.rejected == 2
    finally:
        publication.close()


def test_strange_subscriptions_harm_nobody(sink: PublisherSink) -> None:
    start(sink, "front")
    stranger = SubSocket(sink.endpoint)
    try:
        for topic in (b"front/everything", b"\xff" * 500, b"x/" * 100, b"front/cutout/webp"):
            stranger.subscribe(topic)
        with Subscriber(sink.endpoint) as subscriber:
            assert written_until_received(sink, subscriber).camera == "front"
    finally:
        stranger.close()


def test_invented_subscriptions_hold_nobody_up(sink: PublisherSink) -> None:
    """In the three seconds in which it comes, and after, a subscriber gets at least 80 % of its frames."""
    start(sink, "front")

    def taken(subscriber: Subscriber, first: int, frames: int) -> float:
        """The share of so many frames, one each 10 ms, that a subscriber gets."""
        got, tick = 0, threading.Event()
        for seq in range(first, first + frames):
            sink.write(composited_frame("front", seq))
            got += subscriber.receive(100) is not None
            tick.wait(0.01)
        return got / frames

    flood = b"".join(zmtp.whole(b"\x01invented-%d/cutout/raw" % number) for number in range(300_000))
    process = psutil.Process()

    def send(stranger: socket.socket, data: bytes) -> None:
        with contextlib.suppress(OSError):
            stranger.sendall(data)

    with Subscriber(sink.endpoint) as subscriber:
        written_until_received(sink, subscriber)
        before = process.memory_info().rss
        alone = taken(subscriber, 1000, 50)
        with zmtp.connected(b"SUB", sink.endpoint) as stranger:
            sending = threading.Thread(target=send, args=(stranger, flood))
            sending.start()
            besides = taken(subscriber, 2000, 300)
            sending.join()
            after = taken(subscriber, 3000, 50)
        late = Subscriber(sink.endpoint)
        written_until_received(sink, late, first=4000)
        late.close()
    assert alone > 0.95
    assert min(besides, after) >= 0.8 * alone
    assert process.memory_info().rss - before < 50_000_000


def test_a_camera_may_be_asked_for_before_it_runs(sink: PublisherSink) -> None:
    with Subscriber(sink.endpoint, cameras=["late"]) as subscriber:
        while not sink.wants("late"):
            assert subscriber.receive(WAIT_MS) is None
        start(sink, "late")
        assert written_until_received(sink, subscriber, "late").camera == "late"


def test_an_endpoint_that_is_taken_is_refused(sink: PublisherSink) -> None:
    with pytest.raises(SinkError, match=r"cannot bind tcp://127.0.0.1:\d+: Address already in use"):
        PublisherSink(Publisher(bind=sink.endpoint))


def test_loopback_only_unless_asked() -> None:
    assert Publisher().bind.startswith("tcp://127.0.0.1:")
