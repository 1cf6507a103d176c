"""Each kind of output is found by its settings, and is fed as its file says."""

from __future__ import annotations

import threading
import typing
from pathlib import Path

import pytest

from stream.message import CompositedFrame, EndOfStream, Output
from stream.settings.config import Mjpeg, Null, OutputSettings, Publisher, Push, Recording, VirtualCamera, Window
from stream.sinks import SinkContext, SinkError, SinkType, check, open_beside, registry, type_of
from stream.stage import ListSink
from tests.stream.composited import composited_frame

WAIT_S = 10.0
NAMES: dict[OutputSettings, str] = {
    Recording(path=Path("a.mp4")): "recording a.mp4",
    Publisher(bind="tcp://127.0.0.1:1"): "publisher tcp://127.0.0.1:1",
    Push(url="rtsp://me:secret@host/live"): "push to rtsp://host",
    Mjpeg(bind="127.0.0.1:8080"): "mjpeg 127.0.0.1:8080",
    VirtualCamera(): "the virtual camera",
    Window(): "window",
    Null(): "null",
}


def test_every_kind_has_a_file_that_names_it_without_secrets() -> None:
    assert {type(settings) for settings in NAMES} == set(typing.get_args(OutputSettings))
    assert {settings: type_of(settings).name(settings) for settings in NAMES} == NAMES


def test_two_recordings_into_one_file_are_refused() -> None:
    with pytest.raises(SinkError, match="2 recordings would be written to the same file"):
        check([Recording(path=Path("a.mp4"))] * 2, ["front"])


class Collector(ListSink[Output]):
    """Takes nothing before it is let, and says when it has taken its last."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.let, self.over = threading.Event(), threading.Event()
        self._last = last

    def write(self, item: Output) -> None:
        assert self.let.wait(WAIT_S)
        super().write(item)
        if isinstance(item, CompositedFrame) and item.frame.seq == self._last:
            self.over.set()

    @property
    def seqs(self) -> list[int]:
        return [item.frame.seq for item in self.items if isinstance(item, CompositedFrame)]


def fed(monkeypatch: pytest.MonkeyPatch, sink: Collector, kind: SinkType[Null]) -> None:
    """Write five frames of the run's camera and one of a visitor to a slow sink of this kind, then let it go on."""
    monkeypatch.setattr(registry, "type_of", lambda settings: kind)
    beside = open_beside(Null(), SinkContext(("front",), lambda: None))
    releaser = threading.Timer(0.2, sink.let.set)
    releaser.start()
    beside.write(composited_frame("visitor", 9))
    for seq in range(5):
        beside.write(composited_frame("front", seq))
    beside.write(EndOfStream("front", 4))
    assert sink.over.wait(WAIT_S)
    beside.close()
    releaser.join()


def test_every_means_all_frames_and_news_however_slow_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Collector(last=4)
    fed(monkeypatch, sink, SinkType(name=str, open=lambda settings, context: sink, takes="every"))
    assert sink.seqs == [0, 1, 2, 3, 4]
    assert isinstance(sink.items[-1], EndOfStream)


def test_newest_means_that_frames_are_skipped_where_it_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Collector(last=4)
    fed(monkeypatch, sink, SinkType(name=str, open=lambda settings, context: sink, takes="newest"))
    assert sink.seqs[-1] == 4
    assert len(sink.seqs) < 5


def test_a_kind_may_take_some_of_the_cameras_only(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = ListSink[Output]()
    kind: SinkType[Null] = SinkType(
        name=str, open=lambda settings, context: sink, takes="direct", cameras=lambda settings, cameras: cameras[1:]
    )
    monkeypatch.setattr(registry, "type_of", lambda settings: kind)
    beside = open_beside(Null(), SinkContext(("front", "side"), lambda: None))
    for camera in ("front", "side"):
        beside.write(composited_frame(camera, 0))
    assert [item.frame.camera for item in sink.items if isinstance(item, CompositedFrame)] == ["side"]
