"""Pushing to real servers on loopback, in processes of their own: GStreamer's RTSP server, FFmpeg's RTMP and MPEG-TS
listeners, srt-live-transmit."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np
import psutil
import pytest

from stream.media.address import redact
from stream.media.srt import missing_programs, needs_relay
from stream.message import Output
from stream.settings.config import Push
from stream.sinks.error import SinkError
from stream.sinks.push import PushSink, PushStream, select_picture
from stream.sinks.tee import Tee
from stream.stage import Sink
from tests.rtsp import SYSTEM_PYTHON
from tests.stream.composited import composited_frame

RTSP_RECORDER = Path(__file__).parents[2] / "rtsp_recorder.py"
SIZE = (160, 120)
PERSON = (40, 30, 60, 80)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


SERVER = """
import sys, av
url, muxer, options = sys.argv[1], sys.argv[2], dict([sys.argv[3].split("=")])
with av.open(url, format=muxer, options=options) as container:
    for frame in container.decode(video=0):
        picture = frame.to_ndarray(format="bgr24")
        print(frame.time, *picture.shape, *picture[12, 15], flush=True)
"""


class Server:
    """Takes one stream, in a process, and tells (time in s, H, W, 3, B, G, R of a pixel) of each picture."""

    def __init__(self, url: str, muxer: str, option: str, before: subprocess.Popen[bytes] | None = None) -> None:
        source = before.stdout if before else subprocess.DEVNULL
        self._before = before
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, url, muxer, option], stdin=source, stdout=subprocess.PIPE, text=True
        )

    def picture(self) -> list[float]:
        assert self._process.stdout is not None
        return [float(word) for word in self._process.stdout.readline().split()]

    def freeze(self) -> None:
        """Go on listening, and neither take nor say anything."""
        (self._before or self._process).send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        for process in (self._before, self._process):
            if process:
                process.kill()
                process.wait()
                assert process.stdout is not None
                process.stdout.close()


def serve(scheme: str, port: int) -> tuple[str, Server]:
    """An address to push to, and its server."""
    if scheme == "rtmp":
        url = f"rtmp://127.0.0.1:{port}/live/key"
        return url, Server(url, "flv", "listen=1")
    if scheme == "rtsp":
        command = [SYSTEM_PYTHON, str(RTSP_RECORDER), str(port)]
        recorder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert recorder.stderr is not None
        with recorder.stderr:
            assert recorder.stderr.readline() == b"listening\n"
        return f"rtsp://127.0.0.1:{port}/live", Server("pipe:0", "matroska", "fflags=nobuffer", recorder)
    if scheme == "srt":
        return f"srt://127.0.0.1:{port}", srt_server(f"srt://127.0.0.1:{port}?mode=listener")
    url = f"udp://127.0.0.1:{port}"
    return url, Server(url, "mpegts", "timeout=20000000")


def srt_server(url: str) -> Server:
    """Takes what comes in by SRT, as it comes."""
    command = ["stdbuf", "--output=0", "srt-live-transmit", "-quiet", "-loglevel:fatal", url, "file://con"]
    taker = subprocess.Popen(command, stdout=subprocess.PIPE)
    return Server("pipe:0", "mpegts", "analyzeduration=1000000", taker)


@pytest.fixture
def srt_port() -> int:
    """A port for SRT; the test is skipped where there is no srt-live-transmit."""
    if lack := missing_programs():
        pytest.skip(lack)
    return free_port(socket.SOCK_DGRAM)


@pytest.fixture
def scheme(request: pytest.FixtureRequest, rtsp_missing: str) -> str:
    """The scheme that the test is for; skipped where its server cannot be had."""
    if request.param == "rtsp" and rtsp_missing:
        pytest.skip(rtsp_missing)
    if request.param == "srt" and (lack := missing_programs()):
        pytest.skip(lack)
    return str(request.param)


@pytest.fixture
def stopped() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def feed(sink: Sink[Output], stopped: threading.Event) -> None:
    """Write 25 frames a second until it is enough."""
    for seq in itertools.count():
        if stopped.wait(0.04):
            return
        sink.write(composited_frame("front", seq, SIZE, PERSON))


@pytest.mark.parametrize("scheme", ["rtmp", "udp", "rtsp", "srt"], indirect=True)
def test_the_view_arrives_with_its_colours_and_its_times(scheme: str, stopped: threading.Event) -> None:
    url, server = serve(scheme, free_port(socket.SOCK_DGRAM if scheme in ("udp", "srt") else socket.SOCK_STREAM))
    sink = PushSink(Push(url=url), ["front"], print)
    feeder = threading.Thread(target=feed, args=(sink, stopped))
    feeder.start()
    try:
        pictures = [server.picture() for _ in range(5)]
        assert [picture[1:4] for picture in pictures] == [[120, 160, 3]] * 5
        assert all(abs(value - 128) < 6 for picture in pictures for value in picture[4:])
        steps = [(b[0] - a[0]) / 0.04 for a, b in itertools.pairwise(pictures)]
        if scheme == "rtsp":  # GStreamer stamps what it takes by its own clock
            assert all(step > 0 for step in steps)
        else:
            assert all(step > 0.9 and abs(step - round(step)) < 0.05 for step in steps)
    finally:
        stopped.set()
        feeder.join()
        sink.close()
        server.kill()


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp", "srt"], indirect=True)
def test_a_server_that_comes_back_gets_the_picture_again(scheme: str, stopped: threading.Event) -> None:
    port = free_port()
    told: SimpleQueue[str] = SimpleQueue()
    url, server = serve(scheme, port)
    sink = PushSink(Push(url=url), ["front"], told.put)
    feeder = threading.Thread(target=feed, args=(sink, stopped))
    feeder.start()
    try:
        assert server.picture()
        server.kill()
        shown = redact(url)
        lost = f"push to {shown} is lost, reconnecting: {shown}: "
        while not (said := told.get(timeout=20)).startswith(lost) or said.endswith("Connection refused"):
            pass  # at the start it may have been asked before it listened
        _, server = serve(scheme, port)
        assert server.picture()
        assert told.get(timeout=20) == f"push to {redact(url)} is back"
    finally:
        stopped.set()
        feeder.join()
        sink.close()
        server.kill()


class Counter:
    """Another output, which counts what it was given."""

    def __init__(self) -> None:
        self.count = 0
        self._more = threading.Condition()

    def write(self, item: Output) -> None:
        with self._more:
            self.count += 1
            self._more.notify_all()

    def wait_for(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: self.count >= count, 20)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp", "srt"], indirect=True)
def test_a_hung_server_is_reported_and_stalls_no_other_output(scheme: str, stopped: threading.Event) -> None:
    told: SimpleQueue[str] = SimpleQueue()
    url, server = serve(scheme, free_port())
    other, push = Counter(), PushSink(Push(url=url, bitrate_kbit=100_000), ["front"], told.put)
    tee = Tee({"other": other, "push": push}, lambda name, cause: told.put(f"{name} failed: {cause}"))
    feeder = threading.Thread(target=feed, args=(tee, stopped))
    feeder.start()
    try:
        assert server.picture()
        server.freeze()
        before_s, before = time.monotonic(), other.count
        other.wait_for(before + 50)  # two seconds of pictures, taken as they came
        assert time.monotonic() - before_s < 6
        server.kill()
        while not (said := told.get(timeout=20)).startswith(f"push to {redact(url)} is lost, reconnecting"):
            assert "failed" not in said
    finally:
        stopped.set()
        feeder.join()
        tee.close()
        server.kill()


def test_nobody_there_stalls_nobody() -> None:
    told: SimpleQueue[str] = SimpleQueue()
    sink = PushSink(Push(url=f"rtmp://user:secret@127.0.0.1:{free_port()}/live"), ["front"], told.put)
    for seq in range(100):
        sink.write(composited_frame("front", seq, SIZE, PERSON))
    text = told.get(timeout=20)
    assert "is lost and tried again" in text
    assert "secret" not in text
    sink.close()
    with pytest.raises(Empty):
        told.get_nowait()


def test_stacked_is_the_cutout_over_its_mask() -> None:
    frame = composited_frame("front", 0, SIZE, PERSON)
    stacked = select_picture(frame, Push(url="udp://127.0.0.1:1", shows="stacked"))
    assert stacked.shape == (240, 160, 3)
    assert np.array_equal(stacked[120:, :, 0], frame.alpha)
    assert not stacked[:30].any()


@pytest.mark.parametrize(
    ("url", "cameras", "complaint"),
    [
        ("http://host/live", ["front"], "cannot push to http://host: expected an address that begins with rtsp, "),
        ("clip.mp4", ["front"], "cannot push to clip.mp4: expected an address"),
        ("rtmp://u:p@host/x", ["a", "b"], r"2 cameras cannot share the address rtmp://host: write"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, cameras: list[str], complaint: str) -> None:
    with pytest.raises(SinkError, match=complaint):
        PushSink(Push(url=url), cameras, print)


def test_srt_is_refused_where_nothing_can_carry_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not needs_relay("srt://host:9000"):
        pytest.skip("this build of FFmpeg knows srt")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SinkError, match=r"there is no srt-live-transmit, .*: apt install srt-tools") as raised:
        PushSink(Push(url="srt://host:9000?passphrase=geheim1234"), ["front"], print)
    assert "geheim" not in str(raised.value)


def test_by_srt_every_picture_arrives_at_once_from_the_first_on_and_in_order(srt_port: int) -> None:
    url, server = serve("srt", srt_port)
    broadcast = PushStream(url, Push(url=url))
    still = composited_frame("front", 0, SIZE, PERSON).composite  # several of them find room in a packet
    try:
        for seq in range(60):  # the last two are held back by the receiver until more begin
            broadcast.write(still, seq * 40_000_000)
        first, *others = (server.picture()[0] for _ in range(58))
    finally:
        broadcast.close()
        server.kill()
    assert [round((time_s - first) * 1000) for time_s in others] == list(range(40, 58 * 40, 40))


def test_by_srt_a_lost_server_leaves_no_process_behind(srt_port: int) -> None:
    url, server = serve("srt", srt_port)
    broadcast = PushStream(f"{url}?peeridletimeo=500", Push(url=url))
    picture = composited_frame("front", 0, SIZE, PERSON).composite
    broadcast.write(picture, 0)
    server.kill()

    def send_on() -> None:
        for seq in itertools.count(1):
            broadcast.write(picture, seq * 40_000_000)

    with pytest.raises(SinkError, match="Broken pipe"):
        send_on()
    assert not any(child.name().startswith("srt-live") for child in psutil.Process().children())


def test_by_srt_a_viewer_may_come_to_us(srt_port: int, stopped: threading.Event) -> None:
    told: SimpleQueue[str] = SimpleQueue()
    url = f"srt://127.0.0.1:{srt_port}?mode=listener"
    sink = PushSink(Push(url=url), ["front"], told.put)
    feeder = threading.Thread(target=feed, args=(sink, stopped))
    feeder.start()
    try:
        assert told.get(timeout=20) == (f"push to {redact(url)} is lost, reconnecting: {redact(url)}: no peer answered")
        viewer = srt_server(f"srt://127.0.0.1:{srt_port}")
        assert viewer.picture()[1:4] == [120, 160, 3]
        assert told.get(timeout=20) == f"push to {redact(url)} is back"
    finally:
        stopped.set()
        feeder.join()
        sink.close()
        viewer.kill()


def test_a_wrong_srt_passphrase_is_reported_without_it(srt_port: int) -> None:
    told: SimpleQueue[str] = SimpleQueue()
    server = srt_server(f"srt://127.0.0.1:{srt_port}?mode=listener&passphrase=the-right-one")
    sink = PushSink(Push(url=f"srt://127.0.0.1:{srt_port}?passphrase=the-wrong-one"), ["front"], told.put)
    try:
        sink.write(composited_frame("front", 0, SIZE, PERSON))
        text = told.get(timeout=20)
    finally:
        sink.close()
        server.kill()
    assert text.endswith(f"srt://127.0.0.1:{srt_port}: Incorrect passphrase")
    assert "one" not in text


def test_who_carries_srt_ends_with_who_started_it_and_both_are_replaced(
    srt_port: int, stopped: threading.Event
) -> None:
    if not needs_relay("srt://host:9000"):
        pytest.skip("this build of FFmpeg knows srt")
    url, server = serve("srt", srt_port)
    sink = PushSink(Push(url=url), ["front"], print)
    feeder = threading.Thread(target=feed, args=(sink, stopped))
    feeder.start()
    try:
        assert server.picture()
        (carrier,) = (child for child in psutil.Process().children(recursive=True) if url in child.cmdline())
        transmitter = carrier.parent()
        assert transmitter is not None
        transmitter.kill()
        carrier.wait(10)
        server.kill()  # it still waits for the one that was killed
        _, server = serve("srt", srt_port)
        assert server.picture()
    finally:
        stopped.set()
        feeder.join()
        sink.close()
        server.kill()
