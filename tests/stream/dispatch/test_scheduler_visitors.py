"""Cameras that come and go while a run is under way."""

from __future__ import annotations

import numpy as np

from stream.dispatch.camera import Outgoing
from stream.dispatch.camera_pool import VISITOR_TIMEOUT_NS
from stream.dispatch.scheduler import Scheduler
from stream.message import (
    Ack,
    EndOfRun,
    EndOfStream,
    Frame,
    NewPicture,
    Picture,
    SourceEnded,
    SourceOpened,
    StreamStart,
)


def opened(name: str) -> SourceOpened:
    return SourceOpened(name, "live", "browser")


def offer(name: str, pts_ns: int) -> NewPicture:
    return NewPicture(name, Picture(np.zeros((2, 2, 3), np.uint8), pts_ns, pts_ns))


def messages(orders: list[Outgoing]) -> list[object]:
    return [order.message for order in orders]


def test_a_visitor_is_admitted_below_the_limit() -> None:
    dispatcher = Scheduler(["front"], 10**9, max_visitors=1)
    assert isinstance(messages(dispatcher.on_reader_message(opened("first"), 0))[0], StreamStart)
    assert dispatcher.on_reader_message(opened("second"), 0) == []
    assert [status.camera for status in dispatcher.status(0)] == ["front", "first"]


def test_no_visitor_is_admitted_where_none_is_configured() -> None:
    assert Scheduler(["front"], 10**9).on_reader_message(opened("first"), 0) == []


def test_a_visitor_who_leaves_is_forgotten_and_the_run_goes_on() -> None:
    dispatcher = Scheduler([], 10**9, max_visitors=1)
    dispatcher.on_worker_ready("worker.1", 0)
    dispatcher.on_reader_message(opened("first"), 0)
    orders = dispatcher.on_reader_message(offer("first", 1), 1)
    assert any(isinstance(item, Frame) for item in messages(orders))
    assert dispatcher.on_reader_message(SourceEnded("first"), 2) == []  # its frame is still under way
    assert messages(dispatcher.on_ack(Ack("first", 0, 0), 3)) == [EndOfStream("first", 0)]
    assert dispatcher.status(3) == []
    assert not dispatcher.finished
    (left,) = dispatcher.departed_visitors
    assert left.balances
    assert (left.captured, left.delivered, left.in_flight) == (1, 1, 0)
    assert isinstance(messages(dispatcher.on_reader_message(opened("second"), 4))[0], StreamStart)


def test_a_visitor_who_left_frees_its_place_while_its_last_frame_is_in_flight() -> None:
    dispatcher = Scheduler([], 10**9, max_visitors=1)
    dispatcher.on_worker_ready("worker.1", 0)
    dispatcher.on_reader_message(opened("first"), 0)
    dispatcher.on_reader_message(offer("first", 1), 1)
    dispatcher.on_reader_message(SourceEnded("first"), 2)
    assert isinstance(messages(dispatcher.on_reader_message(opened("second"), 3))[0], StreamStart)
    assert messages(dispatcher.on_ack(Ack("first", 0, 0), 4)) == [EndOfStream("first", 0)]


def test_a_silent_visitor_times_out() -> None:
    dispatcher = Scheduler(["front"], 10**9, max_visitors=2)
    for name in ("front", "first", "second"):
        dispatcher.on_reader_message(opened(name), 0)
    dispatcher.on_reader_message(offer("second", 1), VISITOR_TIMEOUT_NS)
    assert dispatcher.silent_visitors(VISITOR_TIMEOUT_NS + 1) == ["first"]


def test_with_visitors_a_run_ends_when_it_is_stopped() -> None:
    dispatcher = Scheduler([], 10**9, max_visitors=1)
    dispatcher.on_reader_message(opened("first"), 0)
    assert messages(dispatcher.stop()) == [EndOfStream("first", -1, interrupted=True), EndOfRun()]
    assert dispatcher.finished
    assert Scheduler([], 10**9, max_visitors=1).stop() == [Outgoing("composite", "", EndOfRun())]
    assert dispatcher.on_reader_message(opened("late"), 1) == []
