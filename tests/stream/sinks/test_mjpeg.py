"""MJPEG over real HTTP, read as a browser reads it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import cv2
import httpx2
import numpy as np
import pytest

from stream.message import EndOfStream, Outage, Pixels
from stream.settings.config import ConfigError, Mjpeg
from stream.sinks.error import SinkError
from stream.sinks.mjpeg import MjpegSink
from tests.stream.composited import composited_frame


@pytest.fixture
def sink() -> Iterator[MjpegSink]:
    sink = MjpegSink(Mjpeg(bind="127.0.0.1:0"))
    yield sink
    sink.close()


@pytest.fixture
def feeding(sink: MjpegSink) -> Iterator[threading.Event]:
    """Frames are written until the event is set."""
    enough = threading.Event()

    def feed() -> None:
        for seq in itertools.count():
            if enough.wait(0.01):
                return
            sink.write(composited_frame("front", seq))

    thread = threading.Thread(target=feed)
    thread.start()
    yield enough
    enough.set()
    thread.join()


def found(sink: MjpegSink, path: str, host: str = "127.0.0.1") -> httpx2.Response:
    """Ask until the camera is there."""
    for _ in range(200):
        reply = httpx2.head(f"http://127.0.0.1:{sink.port}{path}", headers={"host": host})
        if reply.status_code != 404:
            return reply
    raise AssertionError(path)


def pictures(body: Iterator[bytes]) -> Iterator[Pixels]:
    """The pictures in a multipart body, as each is whole."""
    data = b""
    for chunk in body:
        data += chunk
        while (start := data.find(b"\r\n\r\n")) >= 0:
            size = int(data[:start].split(b"Content-Length: ")[1])
            if len(data) < start + 4 + size + 2:
                break
            coded = np.frombuffer(data[start + 4 : start + 4 + size], np.uint8)
            yield np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
            data = data[start + 4 + size + 2 :]


@pytest.mark.usefixtures("feeding")
def test_the_view_is_shown_as_it_goes_on(sink: MjpegSink) -> None:
    found(sink, "/front.mjpg")
    with httpx2.stream("GET", f"http://127.0.0.1:{sink.port}/front.mjpg") as reply:
        assert reply.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        seen = list(itertools.islice(pictures(reply.iter_raw()), 3))
    for picture in seen:
        assert picture.shape == (48, 64, 3)
        assert np.abs(picture[2:8, 2:12].astype(int) - 128).max() < 12
    assert httpx2.get(f"http://127.0.0.1:{sink.port}/").text.count("/front.mjpg") == 1


def test_an_outage_is_shown_and_an_end_ends_it(sink: MjpegSink, feeding: threading.Event) -> None:
    found(sink, "/front.mjpg")
    with httpx2.stream("GET", f"http://127.0.0.1:{sink.port}/front.mjpg") as reply:
        shown = pictures(reply.iter_raw())
        assert next(shown).mean() > 60
        feeding.set()
        sink.write(Outage("front", 0, "the server is gone"))
        assert next(picture for picture in shown if picture[2:8, 2:12].mean() < 60) is not None
        sink.write(EndOfStream("front", 0))
        assert not list(shown)


def test_nothing_is_encoded_for_nobody(sink: MjpegSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.transport.codec.encode", lambda *_: pytest.fail("encoded"))
    for seq in range(5):
        sink.write(composited_frame("front", seq))
    assert httpx2.get(f"http://127.0.0.1:{sink.port}/").status_code == 200


@pytest.mark.usefixtures("feeding")
def test_a_page_that_calls_this_host_by_another_name_is_refused(sink: MjpegSink) -> None:
    assert found(sink, "/front.mjpg", host="evil.example").status_code == 400


@pytest.mark.usefixtures("feeding")
@pytest.mark.parametrize("path", ["/", "/front.mjpg", "/nowhere.mjpg"])
def test_every_reply_forbids_sniffing_embedding_and_keeping_it(sink: MjpegSink, path: str) -> None:
    found(sink, "/front.mjpg")
    headers = httpx2.head(f"http://127.0.0.1:{sink.port}{path}").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_a_camera_that_is_not_there_is_said_so(sink: MjpegSink) -> None:
    assert httpx2.get(f"http://127.0.0.1:{sink.port}/attic.mjpg").status_code == 404


def test_a_port_that_is_taken_is_refused(sink: MjpegSink) -> None:
    with pytest.raises(SinkError, match=rf"cannot serve MJPEG at 127.0.0.1:{sink.port}: Address already in use"):
        MjpegSink(Mjpeg(bind=f"127.0.0.1:{sink.port}"))


def test_an_address_without_a_port_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"mjpeg\.bind: expected HOST:PORT"):
        MjpegSink(Mjpeg(bind="localhost"))
