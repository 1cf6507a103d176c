"""Boundaries on masks whose match is known by hand."""

import numpy as np
import pytest

from clothseg.training.boundary import boundary_hits, f_measure


def square(left: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mask = np.zeros((40, 60), bool)
    mask[10:30, left : left + 20] = True
    return mask


@pytest.mark.parametrize(("shift", "perfect"), [(0, True), (2, True), (3, False)])
def test_a_boundary_may_lie_two_pixels_off(shift: int, perfect: bool) -> None:
    score = f_measure(boundary_hits(square(20), square(20 + shift)))
    assert score is not None
    assert (score == 1) == perfect


def test_no_true_boundary_is_absent_and_a_missed_one_is_zero() -> None:
    nothing = np.zeros((40, 60), bool)
    assert f_measure(boundary_hits(nothing, square(20))) is None
    assert f_measure(boundary_hits(square(20), nothing)) == 0


def test_the_rim_of_the_picture_is_no_boundary() -> None:
    assert f_measure(boundary_hits(np.ones((20, 20), bool), np.ones((20, 20), bool))) is None


@pytest.mark.parametrize(("shift", "matches"), [(0, True), (2, True), (4, False)])
def test_every_boundary_pixel_within_two_pixels_matches(shift: int, matches: bool) -> None:
    right, found, _, _ = boundary_hits(square(20), np.roll(square(20), shift, axis=0))
    assert bool(right == found) is matches
