from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from queue import SimpleQueue

from stream.message import CompositedFrame
from stream.sinks.error import SinkError
from stream.sinks.reconnecting import ReconnectingSink
from tests.stream.composited import composited_frame

WAIT_S = 10.0


class Fragile:
    """An output that fails when it is told to, and says what it was given."""

    def __init__(self, written: SimpleQueue[int], fails: Callable[[int], bool]) -> None:
        self._written = written
        self._fails = fails
        self.closed = False

    def write(self, item: CompositedFrame) -> None:
        if self._fails(item.frame.seq):
            raise SinkError(f"no more after {item.frame.seq}")
        self._written.put(item.frame.seq)

    def close(self) -> None:
        self.closed = True


def test_after_a_failure_it_reconnects_and_both_are_reported() -> None:
    written: SimpleQueue[int] = SimpleQueue()
    opened: list[Fragile] = []
    told: SimpleQueue[str] = SimpleQueue()

    def open_fragile() -> Fragile:
        if len(opened) == 1:  # the second attempt fails at once
            opened.append(Fragile(written, lambda _: True))
            raise SinkError("refused")
        opened.append(Fragile(written, lambda seq: len(opened) == 1 and seq >= 1))
        return opened[-1]

    output = ReconnectingSink("the output", open_fragile, told.put)
    output.write(composited_frame(seq=0))
    assert written.get(timeout=WAIT_S) == 0
    output.write(composited_frame(seq=1))
    assert told.get(timeout=WAIT_S) == "the output is lost, reconnecting: no more after 1"
    for seq in itertools.count(2):
        output.write(composited_frame(seq=seq))
        if not told.empty():
            break
        threading.Event().wait(0.01)
    assert told.get(timeout=WAIT_S) == "the output is back"
    assert written.get(timeout=WAIT_S) > 1
    output.close()
    assert told.empty()
    assert [fragile.closed for fragile in opened] == [True, False, True]


def test_one_that_hangs_stalls_nobody_and_gets_the_newest() -> None:
    written: SimpleQueue[int] = SimpleQueue()
    entered, go_on = threading.Event(), threading.Event()

    class Hanging(Fragile):
        def write(self, item: CompositedFrame) -> None:
            super().write(item)
            entered.set()
            assert go_on.wait(WAIT_S)

    output = ReconnectingSink("the output", lambda: Hanging(written, lambda _: False), print)
    output.write(composited_frame(seq=0))
    assert entered.wait(WAIT_S)
    for seq in range(1, 100):
        output.write(composited_frame(seq=seq))
    go_on.set()
    assert [written.get(timeout=WAIT_S), written.get(timeout=WAIT_S)] == [0, 99]
    output.close()


def test_closing_does_not_wait_for_one_that_hangs_for_ever() -> None:
    entered, go_on = threading.Event(), threading.Event()

    class Hanging(Fragile):
        def write(self, item: CompositedFrame) -> None:
            entered.set()
            go_on.wait()

    output = ReconnectingSink("the output", lambda: Hanging(SimpleQueue(), lambda _: False), print)
    output.write(composited_frame())
    assert entered.wait(WAIT_S)
    output.close()
    go_on.set()


def test_nothing_is_opened_before_there_is_a_frame() -> None:
    opened: list[int] = []

    def never() -> Fragile:
        opened.append(1)
        raise SinkError("too early")

    output = ReconnectingSink("the output", never, print)
    output.close()
    assert not opened
