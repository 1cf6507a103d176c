"""Composite tells the dispatcher what has become of every frame, once the outputs have it."""

from __future__ import annotations

from typing import Any

from clothseg.network.box import Box
from stream.composite.composite import AcknowledgingSink
from stream.composite.demand import DemandTracker
from stream.message import Ack, DemandChanged, Dropped, EndOfRun, StreamStart
from stream.sinks.tee import Tee
from stream.stage import ListSink
from tests.stream.pictures import composited

START = StreamStart("front", 0, 0, "file", "a source")


class Listener:
    """Composite's end towards the dispatcher."""

    def __init__(self, said: list[object]) -> None:
        self._said = said

    def send(self, item: object) -> None:
        self._said.append(item)

    def close(self) -> None:
        self._said.append("closed")


def test_a_frame_is_acknowledged_when_the_outputs_have_taken_it() -> None:
    said: list[object] = []

    class Counting(Listener):
        def send(self, item: object) -> None:
            super().send((item, len(outputs.items)))

    outputs = ListSink[Any]()
    sink = AcknowledgingSink(outputs, Counting(said), DemandTracker(Tee({}, print)))  # type: ignore[arg-type]
    sink.write(START)
    sink.write(composited(4))
    sink.close()
    assert said == [(Ack("front", 0, 4, Box(0, 0, 1, 1)), 2), (EndOfRun(), 2), "closed"]
    assert outputs.closed


def test_of_a_frame_that_comes_again_the_same_is_said_again() -> None:
    said: list[object] = []
    sink = AcknowledgingSink(ListSink(), Listener(said), DemandTracker(Tee({}, print)))  # type: ignore[arg-type]
    sink.write(composited(4))
    sink.again(composited(4).frame)
    sink.again(composited(5).frame)
    assert said == [Ack("front", 0, 4, Box(0, 0, 1, 1))] * 2


def test_of_a_frame_that_cannot_be_drawn_the_dispatcher_is_told_and_not_to_the_outputs() -> None:
    said: list[object] = []
    outputs = ListSink[Any]()
    sink = AcknowledgingSink(outputs, Listener(said), DemandTracker(Tee({}, print)))  # type: ignore[arg-type]
    sink.write(Dropped("front", 0, 4, "poison"))
    assert said == [Dropped("front", 0, 4, "poison")]
    assert outputs.items == []


def test_who_looks_is_told_to_the_dispatcher_and_to_the_outputs() -> None:
    said: list[object] = []
    outputs = ListSink[Any]()
    sink = AcknowledgingSink(outputs, Listener(said), DemandTracker(Tee({}, print)))  # type: ignore[arg-type]
    sink.write(DemandChanged("front", watched=False))
    assert said == outputs.items == [DemandChanged("front", watched=False)]
