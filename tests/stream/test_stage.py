"""One loop joins a source, a step and a sink, and closes both whatever happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stream.stage import ListSink, ListSource, run


def twice_if_even(number: int) -> Iterator[int]:
    if number % 2 == 0:
        yield number
        yield number


def test_every_item_goes_through_the_step_into_the_sink() -> None:
    source, sink = ListSource([1, 2, 3, 4]), ListSink[int]()
    run(source, twice_if_even, sink)
    assert sink.items == [2, 2, 4, 4]


def test_both_ends_are_closed_after_the_last_item() -> None:
    source, sink = ListSource([1]), ListSink[int]()
    run(source, twice_if_even, sink)
    assert source.closed
    assert sink.closed


def test_a_step_that_raises_closes_source_and_sink_and_propagates() -> None:
    source, sink = ListSource([0]), ListSink[float]()
    with pytest.raises(ZeroDivisionError):
        run(source, lambda number: [1 / number], sink)
    assert source.closed
    assert sink.closed


def test_a_sink_that_cannot_be_closed_leaves_no_source_open() -> None:
    class Broken(ListSink[int]):
        def close(self) -> None:
            raise OSError("disk full")

    source = ListSource([1])
    with pytest.raises(OSError, match="disk full"):
        run(source, twice_if_even, Broken())
    assert source.closed
