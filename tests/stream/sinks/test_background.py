"""An output beside the pipeline gets everything, in order, and is not waited for until its queue is full."""

from __future__ import annotations

import threading

import pytest

from stream.message import Output
from stream.sinks.background import BackgroundSink
from stream.sinks.error import SinkError
from stream.stage import ListSink
from tests.stream.pictures import composited


class Slow(ListSink[Output]):
    """Takes nothing before it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def write(self, item: Output) -> None:
        assert self.let.wait(30)
        super().write(item)


class Full(ListSink[Output]):
    """A disk on which one frame finds room."""

    def write(self, item: Output) -> None:
        if self.items:
            raise SinkError("the disk is full")
        super().write(item)


def test_everything_arrives_in_order_before_it_is_closed() -> None:
    sink = ListSink[Output]()
    beside = BackgroundSink(sink)
    given = [composited(seq) for seq in range(20)]
    for item in given:
        beside.write(item)
    beside.close()
    assert sink.items == given
    assert sink.closed


def test_a_slow_output_is_waited_for_only_when_its_queue_is_full() -> None:
    sink = Slow()
    beside = BackgroundSink(sink)
    for seq in range(3):  # one in hand, two that wait; a fourth would wait for ever here
        beside.write(composited(seq))
    fourth = threading.Thread(target=beside.write, args=(composited(3),), daemon=True)
    fourth.start()
    fourth.join(0.1)
    assert fourth.is_alive()
    sink.let.set()
    fourth.join(30)
    beside.close()
    assert len(sink.items) == 4


def test_a_failure_is_raised_once_and_nothing_blocks() -> None:
    beside = BackgroundSink(Full())

    def write(frames: int) -> None:
        for seq in range(frames):
            beside.write(composited(seq))

    with pytest.raises(SinkError, match="disk is full"):
        write(1000)
    write(5)
    beside.close()


def test_the_last_failure_is_raised_at_close() -> None:
    beside = BackgroundSink(Full())
    beside.write(composited(0))
    beside.write(composited(1))
    with pytest.raises(SinkError, match="disk is full"):
        beside.close()
    beside.close()


def test_the_first_failure_is_raised_though_the_close_fails_too() -> None:
    class Broken(Full):
        def close(self) -> None:
            raise SinkError("cannot be finished")

    beside = BackgroundSink(Broken())
    beside.write(composited(0))
    beside.write(composited(1))
    with pytest.raises(SinkError, match="disk is full"):
        beside.close()
