"""The pace in its parts does what it did in one piece, whatever comes: both are shown the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.dispatch.latency_controller import Steered, Window, after
from stream.dispatch.pace import Pacer
from stream.message import Picture
from stream.settings.pace import Pace
from tests.stream.dispatch import pace_before

SECOND_NS = 1_000_000_000
WINDOWS = st.builds(Window, st.sampled_from([10.0, 75.0, 80.0, 85.0, 95.0, 200.0]), st.sampled_from([0.0, 0.0, 0.05, 0.2, 0.4]))
RUNS = st.lists(st.tuples(WINDOWS, st.integers(1, 70)), max_size=60)


@settings(max_examples=1500, deadline=None)
@given(RUNS)
def test_levels(runs: list[tuple[Window, int]]) -> None:
    steered, old = Steered(), pace_before.Pacer(Pace(latency_ms=80), can_propagate=True)
    for window, times in runs:
        for _ in range(times):
            old._adjust(window.late_ms, window.skipped_share)
            steered = after(steered, window, 80)
            assert steered.level == old._level


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("can_propagate", [True, False])
def test_sources(seed: int, can_propagate: bool) -> None:
    """A long run of pictures that move or not, workers that are free or not, and outputs that are late or not."""
    rng = np.random.default_rng(seed)
    pacers = [made(Pace(latency_ms=80), can_propagate=can_propagate) for made in (Pacer, pace_before.Pacer)]
    pixels, now_ns, mood = rng.integers(0, 256, (18, 32, 3), dtype=np.uint8), 0, 60.0
    levels = set()
    for n in range(6000):
        now_ns += 33_000_000
        if rng.random() < 0.01:
            mood = float(rng.choice([20, 60, 90, 150, 400]))
        if rng.random() < 0.4:
            pixels = np.clip(pixels + rng.integers(-12, 13, pixels.shape), 0, 255).astype(np.uint8)
        picture, idle = Picture(pixels, now_ns, 0), bool(rng.random() < 0.5)
        age_ms, skipped, lost = mood * rng.uniform(0.7, 1.1) * 0.8 ** len(levels & {pacers[0].level}), int(rng.random() < 0.03), rng.random() < 0.003
        seen = []
        for pacer in pacers:
            pacer.count_skipped(skipped)
            seen.append(pacer.choose_mask_source(picture, worker_idle=idle))
            pacer.record_latency(age_ms, now_ns)
            if lost:
                pacer.reset()
        levels.add(pacers[0].level)
        assert seen[0] == seen[1]
        assert tuple(pacers[0].level) == tuple(pacers[1].level)
    assert len(levels) > 2
