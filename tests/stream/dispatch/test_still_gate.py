"""A scene that has not moved since it was segmented keeps its masks."""

from __future__ import annotations

import numpy as np
import pytest

from stream.dispatch.still_gate import Motion, StillGate, max_difference, thumbnail
from stream.message import Picture
from stream.settings.pace import Pace


def grey(level: int, pts_ns: int = 0) -> Picture:
    return Picture(np.full((36, 64, 3), level, np.uint8), pts_ns, 0)


@pytest.fixture
def gate() -> StillGate:
    return StillGate(Pace(still_levels=4, still_ms=100))


def test_before_anything_was_segmented_every_picture_has_moved(gate: StillGate) -> None:
    assert gate.compare(grey(9)) is Motion.MOVED


def test_a_picture_is_compared_with_the_one_that_was_segmented(gate: StillGate) -> None:
    gate.remember(grey(100))
    assert [gate.compare(grey(level)) for level in (101, 102, 103, 104)] == [*[Motion.STILL] * 3, Motion.MOVED]


def test_after_a_while_even_the_same_picture_has_moved(gate: StillGate) -> None:
    gate.remember(grey(100))
    assert gate.compare(grey(100, 99_999_999)) is Motion.STILL
    assert gate.compare(grey(100, 100_000_000)) is Motion.MOVED


def test_a_reset_forgets_what_was_segmented(gate: StillGate) -> None:
    gate.remember(grey(100))
    gate.reset()
    assert gate.compare(grey(100)) is Motion.MOVED


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (1080, 1920)])
def test_any_picture_can_be_glanced_at(shape: tuple[int, int]) -> None:
    seen = thumbnail(np.full((*shape, 3), 9, np.uint8))
    assert seen.shape == (18, 32)
    assert max_difference(seen, seen) == 0
