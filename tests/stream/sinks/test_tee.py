from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stream.message import Output
from stream.settings.config import Null, Recording
from stream.sinks import SinkError, open_sink
from stream.sinks.tee import Tee
from stream.stage import ListSink


class FailingSink(ListSink[Output]):
    """Fails at the given item, or when it is closed."""

    def __init__(self, error: Exception, at: int | None) -> None:
        super().__init__()
        self.error = error
        self.at = at

    def write(self, item: Output) -> None:
        if len(self.items) == self.at:
            raise self.error
        super().write(item)

    def close(self) -> None:
        super().close()
        if self.at is None:
            raise self.error


def test_every_sink_gets_every_item_and_is_closed(make_frame: Any) -> None:
    first, second = ListSink[Output](), ListSink[Output]()
    tee = Tee({"first": first, "second": second}, lambda *_: None)
    frames = [make_frame(i, i) for i in range(3)]
    for frame in frames:
        tee.write(frame)
    tee.close()
    assert first.items == second.items == frames
    assert first.closed
    assert second.closed


def test_a_failing_sink_is_closed_and_reported_once_and_the_others_go_on(make_frame: Any) -> None:
    failing, other = FailingSink(SinkError("the disk is full"), at=1), ListSink[Output]()
    told: list[tuple[str, str]] = []
    tee = Tee({"failing": failing, "other": other}, lambda *what: told.append(what))
    for index in range(4):
        tee.write(make_frame(index, index))
    assert told == [("failing", "the disk is full")]
    assert (len(failing.items), failing.closed) == (1, True)
    assert len(other.items) == 4
    tee.close()
    assert other.closed
    assert told == [("failing", "the disk is full")]


def test_a_sink_that_fails_to_close_is_reported_and_the_others_are_closed(make_frame: Any) -> None:
    told: list[tuple[str, str]] = []
    other = ListSink[Output]()
    tee = Tee({"other": other, "failing": FailingSink(SinkError("no end"), at=None)}, lambda *what: told.append(what))
    tee.write(make_frame(0, 0))
    tee.close()
    tee.close()
    assert told == [("failing", "no end")]
    assert other.closed


def test_a_mistake_in_the_program_is_not_survived(make_frame: Any) -> None:
    tee = Tee({"wrong": FailingSink(TypeError("a bug"), at=0)}, lambda *_: None)
    with pytest.raises(TypeError, match="a bug"):
        tee.write(make_frame(0, 0))


def test_a_full_disk_ends_one_recording_and_not_the_other(tmp_path: Path, make_frame: Any) -> None:
    (tmp_path / "full.mp4").symlink_to("/dev/full")
    told: list[str] = []
    names = ("full.mp4", "good.mp4")
    sinks = {n: open_sink(Recording(path=tmp_path / n), ["cam"], lambda: None) for n in names}
    tee = Tee(sinks, lambda name, _: told.append(name))
    for index in range(30):
        tee.write(make_frame(index, index * 40_000_000))
    tee.close()
    assert told == ["full.mp4"]
    assert (tmp_path / "good.mp4").stat().st_size > 1000


def test_the_null_sink_takes_everything(make_frame: Any) -> None:
    sink = open_sink(Null(), ["cam"], lambda: None)
    sink.write(make_frame(0, 0))
    sink.close()
