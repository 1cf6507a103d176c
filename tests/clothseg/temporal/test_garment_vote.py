"""Kinds of cloth are weighed by what was seen lately; cloth itself is neither made nor lost."""

import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.temporal.garment_vote import vote

Plane = NDArray[np.float32]
SIZE = (32, 40)
START = [np.zeros((8, 10), np.float32)] * 2


def cloth(top: float, dress: float) -> list[Plane]:
    return [np.full(SIZE, value, np.float32) for value in (top, dress)]


def seen(evidence: list[Plane], planes: list[Plane], frames: int) -> tuple[list[Plane], list[Plane]]:
    settled = planes
    for _ in range(frames):
        evidence, settled = vote(evidence, planes, 33.0, 2000.0, 1)
    return evidence, settled


def test_the_first_frame_is_voted_as_the_network_says() -> None:
    _, settled = vote(START, cloth(150, 90), 33.0, 2000.0, 1)
    assert [float(plane.mean()) for plane in settled] == pytest.approx([150, 90], rel=0.01)


def test_a_tie_goes_to_the_previous_garment() -> None:
    evidence, _ = seen(START, cloth(200, 20), 60)
    _, settled = vote(evidence, cloth(120, 120), 33.0, 2000.0, 1)
    assert settled[0].min() > 4 * settled[1].max()


def test_the_longest_seen_garment_wins() -> None:
    evidence, _ = seen(START, cloth(200, 20), 60)
    _, settled = seen(evidence, cloth(20, 200), 150)
    assert (settled[1] > settled[0]).all()


def test_cloth_is_neither_made_nor_lost() -> None:
    evidence, _ = seen(START, cloth(200, 20), 10)
    _, settled = vote(evidence, cloth(70, 110), 33.0, 2000.0, 1)
    assert sum(settled) == pytest.approx(180, abs=0.01)
    _, settled = vote(evidence, cloth(0, 0), 33.0, 2000.0, 1)
    assert not any(plane.any() for plane in settled)


def test_what_only_one_kind_claims_is_left_alone() -> None:
    evidence, _ = seen(START, cloth(20, 200), 60)
    _, settled = vote(evidence, cloth(180, 1), 33.0, 2000.0, 1)
    assert [float(plane.mean()) for plane in settled] == [180, 1]


def test_only_the_contested_part_is_weighed() -> None:
    evidence, _ = seen(START, cloth(200, 20), 60)
    planes = cloth(120, 0)
    planes[1][8:16, 8:16] = 120
    _, settled = vote(evidence, planes, 33.0, 2000.0, 1)
    assert settled[0][9:15, 9:15].min() > 200
    assert (settled[0][20:] == 120).all()
