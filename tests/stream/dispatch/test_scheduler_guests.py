"""Cameras that come and go while a run is under way."""

from __future__ import annotations

import numpy as np

from stream.dispatch.scheduler import GUEST_SILENCE_NS, Dispatcher, Order
from stream.message import Done, Ended, EndOfStream, Finished, Frame, Offer, Opened, Picture, StreamStart


def opened(name: str) -> Opened:
    return Opened(name, "live", "browser")


def offer(name: str, pts_ns: int) -> Offer:
    return Offer(name, Picture(np.zeros((2, 2, 3), np.uint8), pts_ns, pts_ns))


def messages(orders: list[Order]) -> list[object]:
    return [order.message for order in orders]


def test_a_guest_is_welcome_while_there_is_room() -> None:
    dispatcher = Dispatcher(["front"], 10**9, guests=1)
    assert isinstance(messages(dispatcher.hear(opened("first"), 0))[0], StreamStart)
    assert dispatcher.hear(opened("second"), 0) == []
    assert [status.camera for status in dispatcher.status(0)] == ["front", "first"]


def test_nobody_is_welcome_where_no_guests_are_expected() -> None:
    assert Dispatcher(["front"], 10**9).hear(opened("first"), 0) == []


def test_a_guest_who_leaves_is_forgotten_and_the_run_goes_on() -> None:
    dispatcher = Dispatcher([], 10**9, guests=1)
    dispatcher.ready("worker.1", 0)
    dispatcher.hear(opened("first"), 0)
    orders = dispatcher.hear(offer("first", 1), 1)
    assert any(isinstance(item, Frame) for item in messages(orders))
    assert dispatcher.hear(Ended("first"), 2) == []  # its frame is still under way
    assert messages(dispatcher.done(Done("first", 0, 0), 3)) == [EndOfStream("first", 0)]
    assert dispatcher.status(3) == []
    assert not dispatcher.finished
    (left,) = dispatcher.departed
    assert left.balances
    assert (left.captured, left.delivered, left.under_way) == (1, 1, 0)
    assert isinstance(messages(dispatcher.hear(opened("second"), 4))[0], StreamStart)


def test_the_place_of_a_guest_who_left_is_free_though_its_last_frame_is_under_way() -> None:
    dispatcher = Dispatcher([], 10**9, guests=1)
    dispatcher.ready("worker.1", 0)
    dispatcher.hear(opened("first"), 0)
    dispatcher.hear(offer("first", 1), 1)
    dispatcher.hear(Ended("first"), 2)
    assert isinstance(messages(dispatcher.hear(opened("second"), 3))[0], StreamStart)
    assert messages(dispatcher.done(Done("first", 0, 0), 4)) == [EndOfStream("first", 0)]


def test_a_guest_of_whom_nothing_is_heard_is_gone() -> None:
    dispatcher = Dispatcher(["front"], 10**9, guests=2)
    for name in ("front", "first", "second"):
        dispatcher.hear(opened(name), 0)
    dispatcher.hear(offer("second", 1), GUEST_SILENCE_NS)
    assert dispatcher.silent(GUEST_SILENCE_NS + 1) == ["first"]


def test_with_guests_a_run_ends_when_it_is_stopped() -> None:
    dispatcher = Dispatcher([], 10**9, guests=1)
    dispatcher.hear(opened("first"), 0)
    assert messages(dispatcher.stop()) == [EndOfStream("first", -1, interrupted=True), Finished()]
    assert dispatcher.finished
    assert Dispatcher([], 10**9, guests=1).stop() == [Order("composite", "", Finished())]
    assert dispatcher.hear(opened("late"), 1) == []
