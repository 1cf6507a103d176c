"""Network streams against real servers: one that is gone, frozen, silent, back, or wants a password."""

from __future__ import annotations

import contextlib
import functools
import http.server
import itertools
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil
import pytest

from stream.media.srt import missing_programs, needs_relay
from stream.message import Picture
from stream.settings.config import Camera
from stream.sources import PictureSource, SourceError, open_source

NOTICED_S = 3.0


def seconds(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_an_rtsp_stream_starts_with_its_key_frame_and_keeps_its_time(start_rtsp: Any, transport: Any) -> None:
    source = open_source(Camera(source=start_rtsp().url, rtsp_transport=transport))
    assert (source.mode, source.realtime, source.frames, source.rate_hz) == ("live", True, None, 25)
    pictures = iter(source)
    times_ms = []
    for _ in range(20):
        picture = next(pictures)
        times_ms.append(picture.pts_ns // 1_000_000)
        assert picture.pixels.shape == (240, 320, 3)
        assert picture.pixels.max() > 200  # the ball
        assert picture.pixels[0, 0].max() < 20  # on black, no grey of a missing key frame
    assert times_ms == list(range(0, 800, 40))
    source.close()


def test_pictures_given_to_a_server_arrive_in_their_colours(start_rtsp: Any, tmp_path: Path) -> None:
    scene = np.full((240, 320, 3), (40, 60, 200), np.uint8)
    scene[:, 160:] = (200, 60, 40)
    for index in range(5):
        cv2.imwrite(str(tmp_path / f"{index:05}.jpg"), scene)
    server = start_rtsp("--pictures", str(tmp_path / "%05d.jpg"))
    source = open_source(Camera(source=server.url))
    pixels = next(iter(source)).pixels
    source.close()
    for half, colour in ((pixels[:, :150], (40, 60, 200)), (pixels[:, 170:], (200, 60, 40))):
        assert np.abs(half.reshape(-1, 3).mean(axis=0) - colour).max() < 8


def fall_silent(pictures: Iterator[Picture]) -> None:
    """Take pictures until their silence is noticed."""
    with pytest.raises(SourceError, match=r"has sent nothing for 2\.5 s"):
        for _ in pictures:
            pass


def test_a_frozen_server_is_noticed_and_found_frozen_when_asked_again(start_rtsp: Any) -> None:
    server = start_rtsp()
    source = open_source(Camera(source=server.url))
    pictures = iter(source)
    next(pictures)
    server.freeze()

    assert seconds(lambda: fall_silent(pictures)) < NOTICED_S
    assert seconds(source.close) < 0.5

    def ask_again() -> None:
        with pytest.raises(SourceError, match=r"did not answer within 2\.5 s"):
            open_source(Camera(source=server.url))

    assert seconds(ask_again) < NOTICED_S
    server.thaw()


def test_a_killed_server_is_noticed_and_its_return_is_seen_within_two_seconds(start_rtsp: Any) -> None:
    server = start_rtsp()
    pictures = iter(open_source(Camera(source=server.url)))
    next(pictures)
    server.kill()

    def drain() -> None:
        try:
            for _ in pictures:
                pass
        except SourceError:
            pass

    assert seconds(drain) < NOTICED_S
    with pytest.raises(SourceError, match="Connection refused"):
        open_source(Camera(source=server.url))
    server.start()
    source = open_source(Camera(source=server.url))
    assert seconds(lambda: next(iter(source))) < 2
    source.close()


def test_a_password_works_and_is_never_logged(start_rtsp: Any) -> None:
    server = start_rtsp("--user", "anna:geheim")
    with_password = server.url.replace("rtsp://", "rtsp://anna:geheim@")
    source = open_source(Camera(source=with_password))
    next(iter(source))
    source.close()
    assert "geheim" not in source.address
    for address in (with_password.replace("geheim", "falsch"), server.url):
        with pytest.raises(SourceError, match="401 Unauthorized") as raised:
            open_source(Camera(source=address))
        assert "falsch" not in str(raised.value)


@pytest.mark.parametrize("sign", ["/", "#", "?", " "])
def test_a_password_that_must_be_written_otherwise_is_told_so_and_not_shown(sign: str) -> None:
    """FFmpeg takes the user for the host, and looks for one of this name."""
    with pytest.raises(SourceError, match=r"# as %23, \? as %3F, @ as %40 and a space as %20$") as raised:
        open_source(Camera(source=f"rtsp://127.0.0.1:ge{sign}heim@127.0.0.1:9/live", stall_ms=500))
    assert "heim" not in str(raised.value)


def test_ffmpeg_itself_says_nothing(silent_port: int) -> None:
    program = (
        "import sys; from stream.settings.config import Camera; from stream.sources import open_source, SourceError\n"
    )
    program += "try: open_source(Camera(source=sys.argv[1], stall_ms=200))\nexcept SourceError as error: print(error)"
    address = f"http://me:geheim@127.0.0.1:{silent_port}/geheim?a=geheim"
    asked = subprocess.run([sys.executable, "-c", program, address], capture_output=True, text=True, check=True)
    assert asked.stdout == f"http://127.0.0.1:{silent_port} did not answer within 0.2 s\n"
    assert asked.stderr == ""


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["rtsp", "http", "rtmp"])
def test_a_server_that_never_answers_is_given_up_in_time(silent_port: int, scheme: str) -> None:
    def ask() -> None:
        with pytest.raises(SourceError, match=r"did not answer within 0\.5 s") as raised:
            open_source(Camera(source=f"{scheme}://u:geheim@127.0.0.1:{silent_port}/live?token=geheim", stall_ms=500))
        assert "geheim" not in str(raised.value)

    assert seconds(ask) < 1.5


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Mjpeg(QuietHandler):
    """What a network camera's MJPEG address does: pictures without timestamps, one every 20 ms."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=picture")
        self.end_headers()
        picture = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
        head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
        pace = threading.Event()
        try:
            while not pace.wait(0.02):
                self.wfile.write(head + picture + b"\r\n")
        except OSError:
            pass


class WithoutFirstBoundary(QuietHandler):
    """What some firmware of ESP32 cameras does: the boundary follows each picture."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=picture")
        self.end_headers()
        picture = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
        head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
        pace = threading.Event()
        with contextlib.suppress(OSError):
            while not pace.wait(0.02):
                self.wfile.write(head + picture + b"\r\n--picture\r\n")


class NoPicture(QuietHandler):
    """A page of words."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>" + b"no picture here " * 1000)


@pytest.fixture
def serve_http() -> Iterator[Callable[[Any], str]]:
    servers: list[http.server.ThreadingHTTPServer] = []

    def serve(handler: Any) -> str:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_camera_that_sends_mjpeg_without_times_is_timed_by_arrival(serve_http: Callable[[Any], str]) -> None:
    source = open_source(Camera(source=f"{serve_http(Mjpeg)}/video.mjpg"))
    assert (source.mode, source.realtime) == ("live", True)
    pictures = iter(source)
    taken = [next(pictures) for _ in range(30)]
    source.close()
    for earlier, later in pairwise(taken[10:]):
        assert later.pts_ns - earlier.pts_ns == max(later.captured_ns - earlier.captured_ns, 1_000_000)


def test_mjpeg_without_its_first_boundary_plays(serve_http: Callable[[Any], str]) -> None:
    source = open_source(Camera(source=f"{serve_http(WithoutFirstBoundary)}/stream"))
    pictures = list(itertools.islice(source, 10))
    source.close()
    assert all(abs(int(picture.pixels.mean()) - 90) < 3 for picture in pictures)
    assert all(later.pts_ns > earlier.pts_ns for earlier, later in pairwise(pictures))


def test_a_page_without_a_picture_is_a_sentence(serve_http: Callable[[Any], str]) -> None:
    with pytest.raises(SourceError, match=r"cannot be opened: (Invalid data found|Input/output error)"):
        open_source(Camera(source=f"{serve_http(NoPicture)}/page", stall_ms=1000))


class Endless(QuietHandler):
    """MPEG-TS entered in the middle of a group of pictures, whose next key frame comes only when `key` is set."""

    content, rest, key = b"", b"", threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        with contextlib.suppress(OSError):
            for at in range(0, len(self.content), 188 * 3):
                self.wfile.write(self.content[at : at + 188 * 3])
                if not self.key.wait(0.01):
                    continue
            self.key.wait()
            self.wfile.write(self.rest)


def test_a_stream_whose_key_frame_is_late_is_waited_for_and_told(
    serve_http: Callable[[Any], str], make_clip: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("stream.sources.container.KEY_FRAME_TIMEOUT_NS", 0)
    monkeypatch.setattr("stream.sources.container.DECODE_TIMEOUT_NS", 0)
    options = {"g": "100", "keyint_min": "100", "bf": "0", "sc_threshold": "0"}
    path = make_clip("long.ts", options=options, times_ms=range(0, 8000, 40))
    with av.open(str(path)) as container:
        keys = [p.pos for p in container.demux(video=0) if p.is_keyframe and p.pos is not None]
        second = [p.pos for p in container.demux(video=0) if p.pos is not None]
    content = path.read_bytes()
    assert len(keys) == 2, second
    tables, begin = content[: 188 * 3], content.index(b"G", keys[0] + 188 * 40)
    begin -= begin % 188
    monkeypatch.setattr(Endless, "content", tables + content[begin : keys[1]])
    monkeypatch.setattr(Endless, "rest", content[keys[1] :])
    monkeypatch.setattr(Endless, "key", threading.Event())
    heard: list[int] = []

    def hear() -> None:
        heard.append(len(heard))
        if len(heard) == 20:
            Endless.key.set()

    source = open_source(Camera(source=f"{serve_http(Endless)}/live.ts"), hear)
    picture = next(iter(source))
    source.close()
    assert len(heard) > 20
    assert picture.pixels[:10, :10].reshape(-1, 3).mean(axis=0) == pytest.approx((200, 60, 40), abs=12)
    assert caplog.text.count("waits for a key frame") == 1


def test_a_recording_on_a_web_server_is_live_unless_it_is_asked_for_as_a_file(
    serve_http: Callable[[Any], str], make_clip: Any
) -> None:
    path = make_clip("clip.mp4", times_ms=range(0, 200, 20), container_options={"movflags": "faststart"})
    address = f"{serve_http(functools.partial(QuietHandler, directory=path.parent))}/clip.mp4"
    for mode in ("live", "file"):
        source = open_source(Camera(source=address, mode=mode))
        assert (source.mode, source.realtime, source.frames) == (mode, False, 10)
        begun = time.monotonic()
        pictures = list(source)
        assert [p.pts_ns // 1_000_000 for p in pictures] == list(range(0, 200, 20))
        assert (time.monotonic() - begun > 0.17) == (mode == "live")


def test_hls_is_paced_because_it_comes_in_bursts(serve_http: Callable[[Any], str], make_clip: Any) -> None:
    path = make_clip("clip.m3u8", times_ms=range(0, 400, 40), container_options={"hls_time": "1"})
    address = f"{serve_http(functools.partial(QuietHandler, directory=path.parent))}/clip.m3u8"
    source = open_source(Camera(source=address))
    assert source.realtime is False
    pictures = list(source)
    assert len(pictures) == 10
    assert pictures[-1].captured_ns - pictures[0].captured_ns > 300_000_000
    source.close()


def test_a_missing_page_is_a_sentence(serve_http: Callable[[Any], str], tmp_path: Path) -> None:
    address = serve_http(functools.partial(QuietHandler, directory=tmp_path))
    with pytest.raises(SourceError, match="404 Not Found"):
        open_source(Camera(source=f"{address}/none.mp4"))


def test_an_unknown_scheme_is_a_sentence() -> None:
    with pytest.raises(SourceError, match=r"gopherx://host cannot be opened: .* was built without gopherx"):
        open_source(Camera(source="gopherx://host"))


SEND = """
import itertools, sys, threading
import av, numpy as np
with av.open(sys.argv[1], "w", format="mpegts") as container:
    stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "10"})
    stream.width, stream.height = 64, 48
    pace = threading.Event()
    for index in itertools.count():
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (40, 60, 200), np.uint8), format="bgr24")
        frame.pts = index
        container.mux(stream.encode(frame))
        pace.wait(0.04)
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_stream_sent_by_udp_is_read() -> None:
    url = f"udp://127.0.0.1:{free_port()}"
    sender = subprocess.Popen([sys.executable, "-c", SEND, url], stderr=subprocess.DEVNULL)
    try:
        source = None
        until_s = time.monotonic() + 20
        while source is None:
            try:
                source = open_source(Camera(source=url))
            except SourceError:
                assert time.monotonic() < until_s
        assert (source.mode, source.realtime) == ("live", True)
        taken = list(itertools.islice(source, 20))
        source.close()
    finally:
        sender.kill()
        sender.wait()
    assert np.abs(taken[-1].pixels.reshape(-1, 3).mean(axis=0) - (40, 60, 200)).max() < 8
    assert {round((later.pts_ns - earlier.pts_ns) / 1e6) for earlier, later in pairwise(taken)} == {40}


@pytest.fixture
def send_srt() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Have Debian's FFmpeg send 25 pictures a second by SRT, a key frame in each second."""
    if lack := missing_programs():
        pytest.skip(lack)
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed (see .ci/apt-packages.txt)")
    senders: list[subprocess.Popen[bytes]] = []

    def send(url: str) -> subprocess.Popen[bytes]:
        scene = ["-re", "-f", "lavfi", "-i", "color=0xc83c28:size=64x48:rate=25"]
        codec = ["-c:v", "libx264", "-tune", "zerolatency", "-g", "25", "-f", "mpegts"]
        senders.append(subprocess.Popen(["ffmpeg", "-loglevel", "fatal", "-nostdin", *scene, *codec, url]))
        return senders[-1]

    yield send
    for sender in senders:
        sender.kill()
        sender.wait()


def opened_srt(url: str) -> PictureSource:
    """The source, asked for until its sender is ready."""
    until_s = time.monotonic() + 20
    while True:
        try:
            return open_source(Camera(source=url))
        except SourceError:
            assert time.monotonic() < until_s


@pytest.mark.parametrize(("ours", "theirs"), [("", "?mode=listener"), ("?mode=listener", "")])
def test_a_stream_sent_by_srt_is_read_until_its_sender_goes(ours: str, theirs: str, send_srt: Any) -> None:
    address = f"srt://127.0.0.1:{free_port()}"
    sender = send_srt(address + theirs)
    source = opened_srt(address + ours)
    assert (source.mode, source.realtime, source.address) == ("live", True, address)
    taken = list(itertools.islice(source, 20))
    assert np.abs(taken[-1].pixels.reshape(-1, 3).mean(axis=0) - (40, 60, 200)).max() < 8
    assert {round((later.pts_ns - earlier.pts_ns) / 1e6) for earlier, later in pairwise(taken)} == {40}
    sender.terminate()

    def drain() -> None:
        with contextlib.suppress(SourceError):
            for _ in source:
                pass

    assert seconds(drain) < NOTICED_S
    assert not any(child.name().startswith("srt-live") for child in psutil.Process().children())
    source.close()


def test_a_sender_by_srt_that_freezes_is_noticed(send_srt: Any) -> None:
    address = f"srt://127.0.0.1:{free_port()}"
    sender = send_srt(f"{address}?mode=listener")
    source = opened_srt(address)
    pictures = iter(source)
    next(pictures)
    sender.send_signal(signal.SIGSTOP)

    assert seconds(lambda: fall_silent(pictures)) < NOTICED_S
    assert seconds(source.close) < 0.5


def test_an_srt_passphrase_works_and_is_never_logged(send_srt: Any) -> None:
    address = f"srt://127.0.0.1:{free_port()}"
    send_srt(f"{address}?mode=listener&passphrase=geheimgeheim")
    with pytest.raises(SourceError, match="Incorrect passphrase") as raised:
        open_source(Camera(source=f"{address}?passphrase=falschfalsch&conntimeo=20000", stall_ms=20_000))
    assert "falsch" not in str(raised.value)
    source = opened_srt(f"{address}?passphrase=geheimgeheim")
    next(iter(source))
    assert source.address == address
    source.close()


def test_srt_that_nothing_can_carry_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not needs_relay("srt://host:9000"):
        pytest.skip("this build of FFmpeg knows srt")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match=r"there is no srt-live-transmit, .*: apt install srt-tools"):
        open_source(Camera(source="srt://127.0.0.1:9000"))
