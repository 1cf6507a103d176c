"""Each measure says what its definition says, on masks whose score is known."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, BOTTOM, CLASSES, DRESS, PERSON, TOP
from clothseg.training.video.metrics import Scorer, Scores, lag
from clothseg.training.video.warp import FrameWarp, warp

Pixels = NDArray[np.uint8]
SIZE = (96, 128)
STILL = FrameWarp(
    np.stack(np.meshgrid(np.arange(128, dtype=np.float32), np.arange(96, dtype=np.float32)), 2), np.ones(SIZE, np.bool_)
)


def worn(x: int = 40, kind: int = TOP, share: int = 255) -> Pixels:
    shares = np.zeros((len(CLASSES), *SIZE), np.uint8)
    shares[kind, 20:80, x : x + 40] = share
    shares[BACKGROUND] = 255 - shares[1:].sum(0)
    return shares


def scored(masks: list[Pixels], truths: list[Pixels] | None = None) -> dict[str, Scores]:
    scorer = Scorer()
    for index, mask in enumerate(masks):
        scorer.add(mask, truths[index] if truths else None, STILL if index else None, 2.0)
    return scorer.scores(duration_s=60)


def test_truth_itself_is_perfect() -> None:
    masks = [worn(20 + 3 * index) for index in range(12)]
    top = scored(masks, masks)["top"]
    assert (top.iou, top.dtssd, top.boundary_f, top.ghost) == (1, 0, 1, 0)
    assert top.lag_frames == pytest.approx(0, abs=0.05)
    assert top.ms_per_frame == 2


@pytest.mark.parametrize("late", [1, 2])
def test_a_mask_that_comes_late_lags(late: int) -> None:
    truths = [worn(10 + 4 * index) for index in range(14)]
    top = scored([truths[max(index - late, 0)] for index in range(14)], truths)["top"]
    assert top.lag_frames == pytest.approx(late, abs=0.1)
    assert top.ghost is not None
    assert top.ghost > 0.2


def test_lag_is_measured_to_a_tenth() -> None:
    """A moving edge's error grows in proportion to the shift, either way."""
    for true in (0.0, 0.3, 0.5, 1.7):
        errors = [100 + 40 * abs(shift - true) for shift in range(-2, 5)]
        assert lag(errors) == pytest.approx(true, abs=0.01)
    assert lag([0.0] * 7) is None


def test_dtssd_is_the_definition() -> None:
    on, off = worn(), worn(share=0)
    found = scored([on, off], [on, on])["top"].dtssd
    assert found == pytest.approx((60 * 40 / (96 * 128)) ** 0.5, rel=1e-3)


def test_warp_disagreement_is_the_changed_share() -> None:
    masks = [worn(share=200), worn(share=250), worn(share=200)]
    assert scored(masks)["top"].warp_disagreement == pytest.approx((50 / 250 + 50 / 200) / 2, rel=0.02)


def test_what_the_warp_does_not_explain_is_not_counted() -> None:
    scorer = Scorer()
    unexplained = STILL.valid.copy()
    unexplained[20:80, 40:60] = False
    half = worn()
    half[TOP, :, :60] = 0
    scorer.add(worn(), None, None, 0)
    scorer.add(half, None, FrameWarp(STILL.points, unexplained), 0)
    assert scorer.scores(1)["top"].warp_disagreement == 0


@pytest.mark.parametrize(("frames", "flips"), [(2, 0), (3, 1), (30, 1)])
def test_a_garment_flips_when_its_kind_changes_for_three_frames(frames: int, flips: int) -> None:
    masks = [worn()] * 5 + [worn(kind=DRESS)] * frames
    scores = scored(masks)
    assert [scores[name].flips_per_minute for name in ("top", "dress", "bottom")] == [flips, flips, 0]


def test_a_hem_that_creeps_is_no_flip() -> None:
    masks = []
    for index in range(12):
        mask = worn()
        mask[BOTTOM, 60 + index // 4 : 80, 40:80] = 255
        mask[TOP, 60 + index // 4 : 80] = 0
        masks.append(mask)
    assert scored(masks)["top"].flips_per_minute == 0


def test_truth_never_flips_however_slowly_it_moves() -> None:
    """A hem that goes down a third of a pixel a frame, for two seconds and more, with the body that wears it."""
    scorer = Scorer()
    points = STILL.points.copy()
    points[..., 1] -= 1 / 3
    for index in range(80):
        hem = 30 + index // 3
        mask = worn()
        mask[BOTTOM, hem:80, 40:80], mask[TOP, hem:80] = 255, 0
        scorer.add(mask, None, FrameWarp(points, STILL.valid) if index else None, 2.0)
    assert [scorer.scores(60)[name].flips_per_minute for name in ("top", "bottom")] == [0, 0]


def test_where_somebody_has_been_nothing_is_left_to_flip() -> None:
    """Back, unseen, at a place where the hem was higher: that trousers were there before is no flip."""
    scorer = Scorer()
    walk = [
        *((x, 0) for x in range(20, 72, 4)),
        *((68, y) for y in range(4, 20, 4)),
        *((x, 16) for x in range(64, 16, -4)),
    ]
    before: tuple[int, int] | None = None
    for number, (x, y) in enumerate([*walk, *[walk[-1]] * 6]):
        mask = np.zeros_like(worn())
        upper, lower = (PERSON, PERSON) if len(walk) - 9 < number < len(walk) else (TOP, BOTTOM)
        mask[upper, 10 + y : 40 + y, x : x + 40], mask[lower, 40 + y : 70 + y, x : x + 40] = 255, 255
        mask[BACKGROUND] = 255 - mask[1:].sum(0)
        points = STILL.points.copy()
        if before is not None:
            points[10 + y : 70 + y, x : x + 40] -= np.array([x - before[0], y - before[1]], np.float32)
        scorer.add(mask, None, FrameWarp(points, STILL.valid) if before else None, 2.0)
        before = x, y
    assert [scorer.scores(60)[name].flips_per_minute for name in ("top", "bottom")] == [0, 0]


def hand_over_a_hem(index: int) -> tuple[Pixels, FrameWarp]:
    """A top over trousers, and a hand that comes down from one to the other, 6 px a frame, and stays."""
    mask, points = worn(), STILL.points.copy()
    mask[BOTTOM, 50:80, 40:80], mask[TOP, 50:80] = 255, 0
    top = min(24 + 6 * index, 60)
    moved_px = 6 if 24 + 6 * index <= 60 else 0
    hand = np.s_[top : top + 18, 50:70]
    mask[:, *hand], mask[PERSON][hand] = 0, 255
    points[hand][..., 1] -= moved_px
    explained = STILL.valid.copy()
    explained[top - moved_px : top, 50:70] = False  # what it uncovers
    return mask, FrameWarp(points, explained)


def test_occluded_evidence_stays_in_place() -> None:
    """Its kind does not come along with the hand, to be found changed when the hand has gone."""
    scorer = Scorer()
    for index in range(14):
        mask, carried = hand_over_a_hem(index)
        scorer.add(mask, None, carried if index else None, 2.0)
    gone, _ = hand_over_a_hem(0)
    gone[:, 24:42, 50:70] = 0
    gone[TOP, 24:42, 50:70] = 255
    for _ in range(5):
        scorer.add(gone, None, STILL, 2.0)
    assert [scorer.scores(60)[name].flips_per_minute for name in ("top", "bottom")] == [0, 0]


def test_cloth_that_is_uncovered_is_what_it_is_first_seen_as() -> None:
    """Where the motion does not explain the picture, nothing is known of the cloth before."""
    uncovered = STILL.valid.copy()
    uncovered[20:80, 40:80] = False
    for known, flips in ((STILL, 1), (FrameWarp(STILL.points, uncovered), 0)):
        scorer = Scorer()
        scorer.add(worn(), None, None, 2.0)
        for index in range(5):
            scorer.add(worn(kind=DRESS), None, STILL if index else known, 2.0)
        assert scorer.scores(60)["top"].flips_per_minute == flips


def test_what_cannot_be_known_is_none() -> None:
    scores = scored([worn(), worn()])
    assert scores["top"].iou is scores["top"].dtssd is scores["top"].lag_frames is None
    assert scores["dress"].warp_disagreement is None


def test_the_warp_follows_a_moving_picture() -> None:
    rng = np.random.default_rng(0)
    picture: Pixels = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (128, 96))
    found = warp(picture, np.roll(picture, 3, axis=1), None)
    inner = np.s_[20:-20, 20:-20]
    assert (found.points - STILL.points)[inner][..., 0].mean() == pytest.approx(-3, abs=0.3)
    assert found.valid[inner].mean() > 0.95
