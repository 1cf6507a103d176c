"""Colours around an edge tell whose a pixel is, and no more than they can."""

import numpy as np
from numpy.typing import NDArray

from clothseg.matting.colour_model import colour_model

Pixels = NDArray[np.uint8]
OURS, THEIRS = np.array([40.0, 60, 200]), np.array([70.0, 160, 60])


def halves(theirs: NDArray[np.float64] = THEIRS) -> tuple[Pixels, Pixels, Pixels]:
    """The person left, the wall right: share (60, 80), picture (240, 320, 3), and the band between (60, 80)."""
    person = np.zeros((60, 80), np.uint8)
    person[:, :38], person[:, 38:42] = 255, (230, 160, 95, 25)
    noise = np.random.default_rng(1).normal(0, 4, (240, 320, 3))
    picture = np.where(np.arange(320)[:, None] < 160, OURS, theirs) + noise
    band = np.zeros((60, 80), np.uint8)
    band[:, 36:44] = 255
    return person, np.clip(picture, 0, 255).astype(np.uint8), band


def log_odds(weights: NDArray[np.float32], colour: NDArray[np.float64]) -> float:
    return float(weights @ np.append(colour, 255))


def test_each_sides_colour_speaks_for_it_as_loudly_as_it_may() -> None:
    odds = colour_model(*halves(), 6.0, 8.0).odds[15, 20]
    assert 1.5 < log_odds(odds, OURS) <= 6.1
    assert -6.1 <= log_odds(odds, THEIRS) < -1.5
    assert abs(log_odds(odds, (OURS + THEIRS) / 2)) < 1


def test_the_difference_is_that_of_the_two_sides() -> None:
    difference = colour_model(*halves(), 6.0, 8.0).difference[15, 20]
    np.testing.assert_allclose(difference, OURS - THEIRS, atol=25)


def test_where_both_sides_look_alike_nothing_is_said() -> None:
    odds = colour_model(*halves(OURS), 6.0, 8.0).odds[15, 20]
    assert abs(log_odds(odds, OURS)) < 0.5


def test_away_from_the_band_nothing_is_said() -> None:
    model = colour_model(*halves(), 6.0, 8.0)
    assert not model.odds[:, :10].any()
    assert not model.difference[:, 30:].any()


def test_where_only_one_side_is_seen_there_is_nothing_to_tell_apart() -> None:
    _, picture, band = halves()
    model = colour_model(np.full((60, 80), 255, np.uint8), picture, band, 6.0, 8.0)
    assert np.abs(model.odds @ np.array([*OURS, 255], np.float32)).max() < 0.5
