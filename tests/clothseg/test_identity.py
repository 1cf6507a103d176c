"""Kinds of cloth are weighed by what was seen lately; cloth itself is neither made nor lost."""

import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.identity import gather

Plane = NDArray[np.float32]
SIZE = (32, 40)


def cloth(top: float, dress: float) -> list[Plane]:
    return [np.full(SIZE, value, np.float32) for value in (top, dress)]


def seen(evidence: list[Plane] | None, planes: list[Plane], frames: int) -> tuple[list[Plane] | None, list[Plane]]:
    settled = planes
    for _ in range(frames):
        evidence, settled = gather(evidence, planes, 33.0, 2000.0)
    return evidence, settled


def test_a_first_glance_is_taken_as_it_is() -> None:
    _, settled = gather(None, cloth(150, 90), 33.0, 2000.0)
    assert [float(plane.mean()) for plane in settled] == pytest.approx([150, 90], rel=0.01)


def test_a_draw_goes_to_what_was_there_before() -> None:
    evidence, _ = seen(None, cloth(200, 20), 60)
    _, settled = gather(evidence, cloth(120, 120), 33.0, 2000.0)
    assert settled[0].min() > 4 * settled[1].max()


def test_what_is_seen_for_long_wins() -> None:
    evidence, _ = seen(None, cloth(200, 20), 60)
    _, settled = seen(evidence, cloth(20, 200), 150)
    assert (settled[1] > settled[0]).all()


def test_cloth_is_neither_made_nor_lost() -> None:
    evidence, _ = seen(None, cloth(200, 20), 10)
    _, settled = gather(evidence, cloth(70, 110), 33.0, 2000.0)
    assert sum(settled) == pytest.approx(180, abs=0.01)
    _, settled = gather(evidence, cloth(0, 0), 33.0, 2000.0)
    assert not any(plane.any() for plane in settled)
