"""Frames of many workers come out in each camera's order, with the news between them in their place."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from stream.composite.resequence import Resequencer
from stream.message import Dropped, EndOfStream, Outage, SegmentedFrame, StreamStart
from tests.stream.pictures import segmented

START = StreamStart("front", 0, 0, "live", "a source")


def names(items: list[object]) -> list[object]:
    return [item.frame.seq if isinstance(item, SegmentedFrame) else type(item).__name__ for item in items]


def through(*items: object) -> list[object]:
    resequencer = Resequencer()
    return names([due for item in items for due in resequencer.push(item)])  # type: ignore[arg-type]


def test_early_frames_wait_for_the_one_before_them() -> None:
    assert through(START, segmented(1), segmented(2), segmented(0)) == ["StreamStart", 0, 1, 2]


def test_a_dropped_frame_is_not_waited_for() -> None:
    assert through(START, segmented(1), Dropped("front", 0, 0, "worker_lost")) == ["StreamStart", 1]


def test_a_second_result_for_a_frame_is_ignored() -> None:
    assert through(START, segmented(0), segmented(0), segmented(1)) == ["StreamStart", 0, 1]


def test_the_end_takes_effect_after_the_last_frame() -> None:
    assert through(START, EndOfStream("front", 1), segmented(0), segmented(1)) == ["StreamStart", 0, 1, "EndOfStream"]


def test_frames_wait_for_the_start_of_their_epoch() -> None:
    assert through(segmented(0), START) == ["StreamStart", 0]
    again = StreamStart("front", 1, 1, "live", "a source")
    assert through(START, segmented(0), segmented(1, epoch=1), Outage("front", 0, "gone"), again) == [
        "StreamStart",
        0,
        "Outage",
        "StreamStart",
        1,
    ]


def test_a_start_that_comes_again_or_late_is_heard_once() -> None:
    again = StreamStart("front", 1, 2, "live", "a source")
    assert through(START, START, segmented(0), START, segmented(1)) == ["StreamStart", 0, 1]
    late = through(segmented(0), Outage("front", 1, "gone"), again, segmented(2, epoch=1), START, segmented(1), again)
    assert late == ["StreamStart", 0, 1, "Outage", "StreamStart", 2]


def test_cameras_do_not_wait_for_each_other() -> None:
    other = StreamStart("side", 0, 0, "live", "a source")
    assert through(START, other, segmented(1), segmented(0, "side")) == ["StreamStart", "StreamStart", 0]


def test_a_camera_may_come_again_after_its_end() -> None:
    assert through(START, segmented(0), EndOfStream("front", 0), START, segmented(0)) == [
        "StreamStart",
        0,
        "EndOfStream",
        "StreamStart",
        0,
    ]


def test_the_same_end_twice_is_no_news() -> None:
    end = EndOfStream("front", 0)
    assert through(START, end, end, segmented(0)) == ["StreamStart", 0, "EndOfStream"]
    assert through(START, segmented(0), end, end) == ["StreamStart", 0, "EndOfStream"]


def test_a_frame_far_before_its_turn_is_an_invention_and_is_not_kept() -> None:
    resequencer, invented = Resequencer(), segmented(10**6)
    kept_by = sys.getrefcount(invented)
    assert len([*resequencer.push(START)]) == 1
    assert [*resequencer.push(invented)] == []
    assert sys.getrefcount(invented) == kept_by


def test_frames_of_invented_cameras_are_forgotten_in_the_end() -> None:
    resequencer = Resequencer()
    for number in range(999):
        [*resequencer.push(segmented(0, f"invented-{number}"))]
    first, last = (StreamStart(f"invented-{number}", 0, 0, "live", "a source") for number in (0, 998))
    assert names([*resequencer.push(first)]) == ["StreamStart"]
    assert names([*resequencer.push(last)]) == ["StreamStart", 0]


def test_a_frame_that_went_out_or_was_given_up_has_passed() -> None:
    resequencer = Resequencer()
    for item in (START, segmented(0), Dropped("front", 0, 1, "poison")):
        [*resequencer.push(item)]
    passed = [resequencer.has_passed(segmented(seq).frame) for seq in range(3)]
    assert passed == [True, True, False]
    assert not resequencer.has_passed(segmented(0, "nobody").frame)


@given(order=st.permutations(range(8)), lost=st.sets(st.integers(0, 7)), twice=st.sets(st.integers(0, 7)))
def test_any_order_comes_out_rising_and_complete(order: list[int], lost: set[int], twice: set[int]) -> None:
    items: list[object] = [START]
    for seq in order:
        items += [Dropped("front", 0, seq, "worker_lost") if seq in lost else segmented(seq)] * (1 + (seq in twice))
    items.append(EndOfStream("front", 7))
    kept = [seq for seq in range(8) if seq not in lost]
    assert through(*items) == ["StreamStart", *kept, "EndOfStream"]
