"""Cameras rest while no output has a use for them, and wake when one has."""

from __future__ import annotations

import time

from stream.composite.demand import Attention
from stream.message import EndOfStream, Output, StreamStart, Watched
from stream.sinks.camera_filter import Residents
from stream.sinks.tee import Tee
from stream.stage import ListSink

START = StreamStart("front", 0, 0, "live", "a source")


class Audience(ListSink[Output]):
    """An output that is looked at, or not."""

    there = True

    def wants(self, camera: str) -> bool:
        return self.there


def attention(*sinks: ListSink[Output]) -> tuple[Attention, list[Watched]]:
    told: list[Watched] = []
    outputs = Tee({str(number): sink for number, sink in enumerate(sinks)}, print)
    made = Attention(outputs, told.append)
    made.follow(START)
    return made, told


def look_until(made: Attention, told: list[Watched], count: int) -> None:
    """Look, as the stage does at every arrival, until so much was told."""
    deadline_s = time.monotonic() + 10
    while len(told) < count and time.monotonic() < deadline_s:
        made.look()


def test_a_camera_rests_once_nobody_has_looked_for_a_second() -> None:
    audience = Audience()
    made, told = attention(audience)
    audience.there = False
    began_s = time.monotonic()
    look_until(made, told, 1)
    assert told == [Watched("front", by_anyone=False)]
    assert time.monotonic() - began_s > 0.9


def test_it_wakes_at_once_when_somebody_looks() -> None:
    audience = Audience()
    made, told = attention(audience)
    audience.there = False
    look_until(made, told, 1)
    audience.there = True
    made.look()
    assert told[1:] == [Watched("front", by_anyone=True)]


def test_a_glance_away_is_not_told() -> None:
    audience = Audience()
    made, told = attention(audience)
    for there in (False, True, False, True):
        audience.there = there
        made.look()
    assert told == []


def test_one_output_that_takes_everything_keeps_every_camera_awake() -> None:
    audience, recording = Audience(), ListSink[Output]()
    audience.there = False
    assert Tee({"page": audience, "recording": recording}, print).wants("front")


def test_a_visitor_is_of_no_use_to_an_output_for_the_runs_own_cameras() -> None:
    sink = Residents(ListSink[Output](), ["front"])
    assert sink.wants("front")
    assert not sink.wants("visitor-1")


def test_a_camera_that_has_ended_is_not_followed_any_more() -> None:
    audience = Audience()
    made, told = attention(audience)
    made.follow(EndOfStream("front", 3))
    audience.there = False
    began_s = time.monotonic()
    while time.monotonic() - began_s < 1.2:
        made.look()
    assert told == []
