"""Cameras rest while no output has a use for them, and wake when one has."""

from __future__ import annotations

import time

from stream.composite.demand import DemandTracker
from stream.message import DemandChanged, EndOfStream, Output, StreamStart
from stream.sinks.camera_filter import CameraFilter
from stream.sinks.tee import Tee
from stream.stage import ListSink

START = StreamStart("front", 0, 0, "live", "a source")


class Audience(ListSink[Output]):
    """An output that is looked at, or not."""

    there = True

    def wants(self, camera: str) -> bool:
        return self.there


def attention(*sinks: ListSink[Output]) -> tuple[DemandTracker, list[DemandChanged]]:
    told: list[DemandChanged] = []
    outputs = Tee({str(number): sink for number, sink in enumerate(sinks)}, print)
    made = DemandTracker(outputs)
    made.on_output(START)
    return made, told


def look_until(made: DemandTracker, told: list[DemandChanged], count: int) -> None:
    """Look, as the stage does at every arrival, until so much was told."""
    deadline_s = time.monotonic() + 10
    while len(told) < count and time.monotonic() < deadline_s:
        told.extend(made.poll())


def test_a_camera_idles_after_a_second_without_demand() -> None:
    audience = Audience()
    made, told = attention(audience)
    audience.there = False
    began_s = time.monotonic()
    look_until(made, told, 1)
    assert told == [DemandChanged("front", watched=False)]
    assert time.monotonic() - began_s > 0.9


def test_it_resumes_at_once_with_demand() -> None:
    audience = Audience()
    made, told = attention(audience)
    audience.there = False
    look_until(made, told, 1)
    audience.there = True
    told.extend(made.poll())
    assert told[1:] == [DemandChanged("front", watched=True)]


def test_a_short_loss_of_demand_is_not_reported() -> None:
    audience = Audience()
    made, told = attention(audience)
    for there in (False, True, False, True):
        audience.there = there
        told.extend(made.poll())
    assert told == []


def test_one_output_that_takes_everything_keeps_every_camera_awake() -> None:
    audience, recording = Audience(), ListSink[Output]()
    audience.there = False
    assert Tee({"page": audience, "recording": recording}, print).wants("front")


def test_the_camera_filter_does_not_want_visitors() -> None:
    sink = CameraFilter(ListSink[Output](), ["front"])
    assert sink.wants("front")
    assert not sink.wants("visitor-1")


def test_a_camera_that_has_ended_is_not_followed_any_more() -> None:
    audience = Audience()
    made, told = attention(audience)
    made.on_output(EndOfStream("front", 3))
    audience.there = False
    began_s = time.monotonic()
    while time.monotonic() - began_s < 1.2:
        told.extend(made.poll())
    assert told == []


def test_after_a_new_start_it_is_told_again_that_nobody_looks() -> None:
    audience = Audience()
    made, told = attention(audience)
    audience.there = False
    look_until(made, told, 1)
    made.on_output(START)
    told.extend(made.poll())
    assert told == [DemandChanged("front", watched=False)] * 2
    assert list(made.poll()) == []


def test_a_file_is_read_whoever_looks() -> None:
    audience = Audience()
    made, told = attention(audience)
    made.on_output(EndOfStream("front", 3))
    made.on_output(StreamStart("clip", 0, 0, "file", "a source"))
    audience.there = False
    began_s = time.monotonic()
    while time.monotonic() - began_s < 1.2:
        told.extend(made.poll())
    assert told == []
