from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stream.media.timeline import MIN_STEP_NS, Timeline

STEP = 40_000_000
MS = 1_000_000


def placed(times_ms: list[int | None], jump_ahead_ms: int | None = None) -> list[float]:
    timeline = Timeline(STEP, None if jump_ahead_ms is None else jump_ahead_ms * MS)
    return [timeline.next_pts(None if t is None else t * MS) / MS for t in times_ms]


def test_rising_times_are_kept_whatever_their_gaps() -> None:
    assert placed([0, 40, 45, 3000, 9_999_999]) == [0, 40, 45, 3000, 9_999_999]


def test_a_stream_keeps_its_own_start() -> None:
    assert placed([20, 60]) == [20, 60]


def test_a_start_before_zero_is_moved_to_zero() -> None:
    assert placed([-80, -40, 0]) == [0, 40, 80]


def test_missing_times_follow_at_the_nominal_step() -> None:
    assert placed([None, None, 80, None]) == [0, 40, 80, 120]


def test_equal_times_are_parted_by_the_least_step_and_leave_later_ones_alone() -> None:
    assert placed([0, 40, 40, 80]) == [0, 40, 41, 80]


def test_a_clock_that_starts_anew_goes_on_after_the_last_picture() -> None:
    assert placed([0, 40, 5000, 0, 40]) == [0, 40, 5000, 5040, 5080]


def test_a_live_clock_that_leaps_ahead_goes_on_after_the_last_picture() -> None:
    assert placed([0, 40, 90_000_000, 90_000_040], jump_ahead_ms=10_000) == [0, 40, 80, 120]


@given(st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=2))
def test_times_always_rise(times_ns: list[int | None]) -> None:
    for jump in (None, 10**10):
        timeline = Timeline(STEP, jump)
        result = [timeline.next_pts(t) for t in times_ns]
        assert all(later - earlier >= 1 for earlier, later in pairwise(result))
        assert result[0] >= 0
        assert MIN_STEP_NS < STEP
