"""Fewer masks where frames come out too late, more where there is time to spare, none spared in vain."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.dispatch.latency_controller import (
    LEVELS,
    Easing,
    LatencyController,
    Probation,
    Reducing,
    Resting,
    Steady,
    Steered,
    Window,
    after,
)

SECOND_NS = 1_000_000_000


class Outputs:
    """Takes thirty frames a second."""

    def __init__(self, controller: LatencyController) -> None:
        self.controller = controller
        self.frames = 0

    def take(self, seconds: int, age_ms: float) -> None:
        """So many seconds in which every frame is so old."""
        for _ in range(30 * seconds):
            self.frames += 1
            self.controller.record_latency(age_ms, self.frames * SECOND_NS // 30)


@pytest.fixture
def controller() -> LatencyController:
    return LatencyController(80)


@pytest.fixture
def outputs(controller: LatencyController) -> Outputs:
    made = Outputs(controller)
    controller.record_latency(20, 0)
    return made


def levels(outputs: Outputs, seconds: int, age_ms: Callable[[int], float]) -> list[int]:
    """The level at first and after each second, where frames are so old at each level."""
    seen = [LEVELS.index(outputs.controller.level)]
    for _ in range(seconds):
        outputs.take(1, age_ms(seen[-1]))
        seen.append(LEVELS.index(outputs.controller.level))
    return seen


class TestLatency:
    def test_frames_that_come_too_late_lower_the_level_second_by_second_to_the_last(self, outputs: Outputs) -> None:
        seen = levels(outputs, len(LEVELS) + 2, lambda level: 200 - 20 * level)  # each level brings something
        assert seen[: len(LEVELS)] == list(range(len(LEVELS)))
        assert seen[-1] == len(LEVELS) - 1

    def test_where_fewer_masks_do_not_help_the_level_is_restored(
        self, controller: LatencyController, outputs: Outputs
    ) -> None:
        outputs.take(len(LEVELS) - 1, 200)
        assert controller.level == LEVELS[-1]
        outputs.take(1, 195)
        assert controller.level == LEVELS[0]
        outputs.take(15, 200)
        assert controller.level == LEVELS[0]

    def test_a_step_down_that_helped_is_kept_where_later_ones_did_not(self, outputs: Outputs) -> None:
        seen = levels(outputs, len(LEVELS) + 10, lambda level: 200 if level == 0 else 100)
        assert seen[: len(LEVELS)] == list(range(len(LEVELS)))
        assert set(seen[len(LEVELS) :]) == {1}

    def test_a_step_down_that_did_not_help_is_retried_ever_more_rarely(self, outputs: Outputs) -> None:
        seen = levels(outputs, 250, lambda _: 200)
        tries = [second for second, (was, now) in enumerate(pairwise(seen)) if was == 0 != now]
        assert list(np.diff(tries)) == [21, 36, 66, 66]

    def test_fewer_masks_are_worth_it_where_fewer_pictures_are_missed(
        self, controller: LatencyController, outputs: Outputs
    ) -> None:
        for missed in (60, 50, 40, 30, 20, 10, 10):
            controller.count_skipped(missed)
            outputs.take(1, 200)
        assert controller.level == LEVELS[-1]

    def test_skipped_pictures_step_down_too(self, controller: LatencyController, outputs: Outputs) -> None:
        controller.count_skipped(10)
        outputs.take(1, 20)
        assert controller.level == LEVELS[1]

    def test_a_level_that_holds_the_target_stays(self, controller: LatencyController, outputs: Outputs) -> None:
        outputs.take(1, 120)
        outputs.take(30, 70)
        assert controller.level == LEVELS[1]

    def test_spare_time_for_seconds_steps_up(self, controller: LatencyController, outputs: Outputs) -> None:
        outputs.take(1, 120)
        outputs.take(3, 20)
        assert controller.level == LEVELS[1]
        outputs.take(1, 20)
        assert controller.level == LEVELS[0]

    def test_a_step_up_that_failed_is_retried_ever_more_rarely(self, outputs: Outputs) -> None:
        seen = levels(
            outputs, 200, lambda level: 20 if level else 120
        )  # easy at the second level, too late at the first
        tries = [second for second, (was, now) in enumerate(pairwise(seen)) if was != 0 == now]
        assert list(np.diff(tries)) == [9, 17, 33, 61, 61]


LATE, IN_TIME, SPARE = Window(120, 0), Window(70, 0), Window(20, 0)


def steered(now: Steered, *windows: Window) -> Steered:
    for window in windows:
        now = after(now, window, 80)
    return now


class TestPhases:
    """Each window makes one step through the table at the head of the module."""

    def test_late_frames_reduce_the_level_until_they_are_in_time(self) -> None:
        reducing = steered(Steered(), LATE)
        assert reducing == Steered(1, Reducing(0, LATE))
        assert steered(reducing, IN_TIME) == Steered(1, Steady())

    def test_time_to_spare_must_last_before_a_level_up_is_taken_on_probation(self) -> None:
        eased = steered(Steered(3), SPARE, SPARE, SPARE)
        assert eased == Steered(3, Easing(1))
        assert steered(eased, IN_TIME) == Steered(3, Steady())
        assert steered(eased, SPARE) == Steered(2, Probation(4))

    def test_probation_is_passed_with_time_to_spare_and_frames_just_in_time_prove_nothing(self) -> None:
        on_probation = Steered(2, Probation(2), patience=8)
        assert steered(on_probation, IN_TIME, IN_TIME) == on_probation
        assert steered(on_probation, SPARE, SPARE) == Steered(2, Steady(), patience=4)

    def test_probation_that_is_failed_makes_the_next_try_wait_twice_as_long(self) -> None:
        assert steered(Steered(2, Probation(1)), LATE) == Steered(3, Reducing(2, LATE), patience=8)

    def test_a_level_that_brought_something_is_the_one_to_come_back_to(self) -> None:
        better = Window(100, 0)
        assert steered(Steered(), LATE, better).phase == Reducing(1, better)

    def test_in_vain_at_the_last_level_masks_are_made_as_before_and_nothing_is_tried_for_a_while(self) -> None:
        resting = steered(Steered(), *[LATE] * len(LEVELS))
        assert resting == Steered(0, Resting(15), rest=30)
        assert steered(resting, *[LATE] * 15) == Steered(0, Steady(), rest=30)
        assert steered(resting, IN_TIME) == Steered(0, Steady())

    @given(
        st.lists(
            st.tuples(st.sampled_from([LATE, IN_TIME, SPARE, Window(20, 0.2), Window(100, 0.4)]), st.integers(1, 20))
        )
    )
    def test_waits_and_levels_stay_within_their_bounds(self, runs: list[tuple[Window, int]]) -> None:
        now = Steered()
        for window, times in runs:
            now = steered(now, *[window] * times)
            assert 0 <= now.level < len(LEVELS)
            assert 4 <= now.patience <= 60
            assert 15 <= now.rest <= 60
            if isinstance(now.phase, Easing | Probation | Resting):
                assert 1 <= now.phase.windows_left <= 60
