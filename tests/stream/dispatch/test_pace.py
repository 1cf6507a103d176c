"""A live camera is segmented as often and as finely as its motion and the time at hand ask for, and no more."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stream.dispatch.pace import Pacer
from stream.message import Picture
from stream.settings.pace import Pace

SECOND_NS = 1_000_000_000
FRAME_NS = SECOND_NS // 30
SHAPE = (360, 640)


def scene(rng: np.random.Generator, noise: float = 0.0) -> Picture:
    """A room at a webcam, with the noise of a sensor."""
    coarse = np.random.default_rng(7).integers(0, 256, (18, 32, 3), dtype=np.uint8)
    room = cv2.resize(coarse, SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    return Picture(np.clip(room + rng.normal(0, noise, room.shape), 0, 255).astype(np.uint8), 0, 0)


def at(picture: Picture, frame: int) -> Picture:
    return dataclasses.replace(picture, pts_ns=frame * FRAME_NS)


def moving(frame: int) -> Picture:
    """A picture that is nothing like the ones before and after it."""
    return at(Picture(np.full((*SHAPE, 3), frame * 37 % 256, np.uint8), 0, 0), frame)


class Outputs:
    """Takes thirty frames a second."""

    def __init__(self, pacer: Pacer) -> None:
        self.pacer = pacer
        self.frames = 0

    def take(self, seconds: int, age_ms: float) -> None:
        """So many seconds in which every frame is so old."""
        for _ in range(30 * seconds):
            self.frames += 1
            self.pacer.record_latency(age_ms, self.frames * SECOND_NS // 30)


class TestStill:
    def test_a_scene_that_does_not_move_keeps_its_masks_under_noise(self) -> None:
        pacer, rng = Pacer(Pace(), can_propagate=True), np.random.default_rng(1)
        assert [pacer.choose_mask_source(at(scene(rng, 3), n), worker_idle=True) for n in range(4)] == [
            "network",
            *["still"] * 3,
        ]

    def test_a_finger_that_moves_is_seen(self) -> None:
        pacer, rng = Pacer(Pace(), can_propagate=False), np.random.default_rng(2)
        pacer.choose_mask_source(scene(rng), worker_idle=True)
        changed = at(scene(rng), 1)
        changed.pixels[100:112, 200:212] = 255 - changed.pixels[100:112, 200:212]
        assert pacer.choose_mask_source(changed, worker_idle=True) == "network"

    def test_what_drifts_slowly_is_compared_with_what_was_segmented_not_with_the_frame_before(self) -> None:
        pacer, still = Pacer(Pace(still_ms=60_000), can_propagate=False), scene(np.random.default_rng(3))
        pixels = still.pixels // 2
        darker = [Picture(pixels + step, step * FRAME_NS, 0) for step in range(6)]
        assert [pacer.choose_mask_source(picture, worker_idle=True) for picture in darker].count("network") == 2

    def test_its_masks_are_made_anew_now_and_then(self) -> None:
        pacer, still = Pacer(Pace(still_ms=99), can_propagate=False), scene(np.random.default_rng(4))
        made = [pacer.choose_mask_source(at(still, n), worker_idle=True) for n in range(8)]
        assert made == ["network", "still", "still", "network", "still", "still", "network", "still"]

    def test_zero_levels_never_keep_a_mask(self) -> None:
        pacer, still = Pacer(Pace(still_levels=0), can_propagate=False), scene(np.random.default_rng(5))
        assert [pacer.choose_mask_source(at(still, n), worker_idle=True) for n in range(3)] == ["network"] * 3


class TestCarrying:
    def test_while_the_network_is_busy_masks_are_propagated(self) -> None:
        pacer = Pacer(Pace(), can_propagate=True)
        assert [pacer.choose_mask_source(moving(n), worker_idle=n in (0, 3)) for n in range(5)] == [
            "network",
            "warped",
            "warped",
            "network",
            "warped",
        ]

    def test_but_not_for_long(self) -> None:
        pacer = Pacer(Pace(), can_propagate=True)
        made = [pacer.choose_mask_source(moving(n), worker_idle=n == 0) for n in range(12)]
        assert made == ["network", *["warped"] * 7, *[None] * 4]

    def test_without_smoothing_a_picture_waits_for_the_network(self) -> None:
        pacer = Pacer(Pace(), can_propagate=False)
        assert [pacer.choose_mask_source(moving(n), worker_idle=n == 0) for n in range(3)] == ["network", None, None]

    def test_nothing_is_propagated_after_an_outage(self) -> None:
        pacer = Pacer(Pace(), can_propagate=True)
        pacer.choose_mask_source(moving(0), worker_idle=True)
        pacer.reset()
        assert pacer.choose_mask_source(moving(1), worker_idle=False) is None


@pytest.fixture
def pacer() -> Pacer:
    return Pacer(Pace(latency_ms=80), can_propagate=True)


@pytest.fixture
def outputs(pacer: Pacer) -> Outputs:
    made = Outputs(pacer)
    pacer.record_latency(20, 0)
    return made


class TestGoingAhead:
    def test_the_network_gets_every_nth_frame(self, pacer: Pacer, outputs: Outputs) -> None:
        outputs.take(2, 120)
        made = [pacer.choose_mask_source(moving(n), worker_idle=True) for n in range(6)]
        assert made == ["network", "warped", "ahead", "warped", "ahead", "warped"]

    def test_frames_that_would_come_too_late_go_ahead_of_their_masks(self, pacer: Pacer, outputs: Outputs) -> None:
        outputs.take(1, 120)
        made = [pacer.choose_mask_source(moving(n), worker_idle=n % 2 == 0) for n in range(6)]
        assert made == ["network", "warped", "ahead", "warped", "ahead", "warped"]

    def test_a_frame_goes_ahead_only_where_there_are_masks_to_go_on_from(self, pacer: Pacer, outputs: Outputs) -> None:
        outputs.take(1, 120)
        pacer.choose_mask_source(moving(0), worker_idle=True)
        pacer.reset()
        assert pacer.choose_mask_source(moving(1), worker_idle=True) == "network"

    def test_without_smoothing_none_goes_ahead(self) -> None:
        pacer = Pacer(Pace(latency_ms=80), can_propagate=False)
        pacer.record_latency(20, 0)
        Outputs(pacer).take(2, 120)
        assert pacer.level.timing == "ahead"
        assert [pacer.choose_mask_source(moving(n), worker_idle=True) for n in range(3)] == ["network"] * 3
