"""Masks hold still: along the motion, over time, whatever comes in."""

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clothseg.labels import BOTTOM, CLASSES, DRESS, PERSON, TOP
from clothseg.temporal import smoothing
from clothseg.temporal.smoothing import Smoothing, correct_history, propagate
from clothseg.temporal.state import SmoothingState, backward_flow

Pixels = NDArray[np.uint8]
MS = 1_000_000
SIZE = (96, 128)
PLAIN = Smoothing(garment_memory_ms=0)


def smooth(
    state: SmoothingState | None, probabilities: Pixels, picture: Pixels, pts_ns: int, settings: Smoothing
) -> tuple[SmoothingState, Pixels]:
    """All classes but the background and the first after it are garments."""
    return smoothing.smooth(state, probabilities, picture, pts_ns, settings, garments=max(len(probabilities) - 2, 0))


def textured(rng: np.random.Generator, height: int = 192, width: int = 256) -> Pixels:
    """A picture with enough in it for motion to be seen."""
    coarse = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    picture: Pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return picture


def certain(labels: Pixels, certainty: int = 255) -> Pixels:
    """Probabilities (K, h, w) of a label map."""
    other = (255 - certainty) // (len(CLASSES) - 1)
    planes = [np.where(labels == k, np.uint8(certainty), np.uint8(other)) for k in range(len(CLASSES))]
    return np.stack(planes)


def block(x: int, kind: int = TOP) -> Pixels:
    labels = np.zeros(SIZE, np.uint8)
    labels[30:70, x : x + 40] = kind
    return labels


def run(
    masks: list[Pixels], pictures: list[Pixels], settings: Smoothing, gap_ms: int = 33
) -> tuple[SmoothingState, list[Pixels]]:
    state, smoothed = None, []
    for index, (mask, picture) in enumerate(zip(masks, pictures, strict=True)):
        state, steady = smooth(state, mask, picture, index * gap_ms * MS, settings)
        smoothed.append(steady)
    assert state is not None
    return state, smoothed


def test_works_from_the_first_frame() -> None:
    mask = certain(block(20))
    _, steady = smooth(None, mask, textured(np.random.default_rng(0)), 0, PLAIN)
    assert np.abs(steady.astype(int) - mask).max() <= 1


def test_flicker_in_a_still_picture_is_at_least_halved() -> None:
    rng = np.random.default_rng(1)
    picture, labels = textured(rng), block(20)
    masks = [certain(labels, int(c)) for c in rng.integers(120, 256, 20)]
    _, smoothed = run(masks, [picture] * 20, PLAIN)
    raw = np.abs(np.diff([m[TOP, 50, 40].astype(int) for m in masks])).mean()
    steady = np.abs(np.diff([m[TOP, 50, 40].astype(int) for m in smoothed])[5:]).mean()
    assert steady < 0.5 * raw


@pytest.mark.parametrize("speed_px", [1, 3, 6])
def test_the_previous_state_is_warped_with_the_picture(speed_px: int) -> None:
    """What moves is neither late nor smeared: the middle of its edge is where the present has it."""
    rng = np.random.default_rng(2)
    cloth, wall = textured(rng), textured(rng)
    masks, pictures = [], []
    for index in range(10):
        x = 10 + index * speed_px
        labels = block(x)
        shown = wall.copy()
        where = cv2.resize(labels, (256, 192), interpolation=cv2.INTER_NEAREST) > 0
        shown[where] = np.roll(cloth, 2 * index * speed_px, axis=1)[where]
        masks.append(certain(labels))
        pictures.append(shown)
    _, smoothed = run(masks, pictures, PLAIN)
    both = (smoothed[-1][TOP] > 127) & (masks[-1][TOP] > 127)
    either = (smoothed[-1][TOP] > 127) | (masks[-1][TOP] > 127)
    assert both.sum() / either.sum() > 0.93


def test_a_person_who_left_leaves_no_ghost() -> None:
    rng = np.random.default_rng(3)
    wall, shown = textured(rng), textured(rng)
    with_block = wall.copy()
    with_block[60:140, 40:120] = shown[60:140, 40:120]
    masks = [certain(block(20))] * 5 + [certain(np.zeros(SIZE, np.uint8))]
    _, smoothed = run(masks, [with_block] * 5 + [wall], PLAIN)
    assert smoothed[-1][TOP, 32:68, 22:58].mean() < 0.15 * 255


def test_a_dropped_frame_changes_nothing_in_how_a_mask_behaves() -> None:
    """After the same time the same share of the past is left, at any frame rate."""
    picture = textured(np.random.default_rng(4))
    on, off = certain(block(20)), certain(block(20, PERSON))
    left = []
    for gap_ms, frames in ((20, 4), (40, 2), (80, 1)):
        _, smoothed = run([on] + [off] * frames, [picture] * (frames + 1), PLAIN, gap_ms)
        left.append(int(smoothed[-1][TOP, 50, 40]))
    assert max(left) - min(left) <= 3
    assert left[0] == pytest.approx(255 * np.exp(-80 / PLAIN.time_constant_ms), abs=6)


def test_what_has_surely_left_leaves_no_ghost_whatever_its_colour() -> None:
    """A hand of the wall's colour: the picture does not show that it has gone, the network does. In doubt it stays."""
    picture = textured(np.random.default_rng(12))
    nobody, doubt = certain(np.zeros(SIZE, np.uint8)), certain(np.zeros(SIZE, np.uint8))
    doubt[TOP, 30:70, 20:60], doubt[0, 30:70, 20:60] = 60, 195
    shares = [
        int(run([certain(block(20)), after], [picture] * 2, PLAIN)[1][-1][TOP, 50, 40]) for after in (nobody, doubt)
    ]
    assert shares[0] == 0
    assert shares[1] > 180


def test_uncertain_pixels_weigh_history_more_than_certain_ones() -> None:
    picture = textured(np.random.default_rng(5))
    before = certain(block(20))
    sure, unsure = certain(block(20, PERSON)), certain(block(20, PERSON), 120)
    moved = []
    for now in (sure, unsure):
        _, smoothed = run([before] * 5 + [now], [picture] * 6, PLAIN)
        moved.append((255 - smoothed[-1][TOP, 50, 40]) / (255 - now[TOP, 50, 40]))
    assert moved[1] < 0.5 * moved[0]


def test_a_cut_starts_anew() -> None:
    rng = np.random.default_rng(6)
    after = certain(block(60, BOTTOM))
    _, smoothed = run([certain(block(10))] * 4 + [after], [textured(rng)] * 4 + [textured(rng)], Smoothing())
    assert np.abs(smoothed[-1].astype(int) - after).max() <= 1


def test_a_timestamp_that_jumps_back_starts_anew() -> None:
    picture, now = textured(np.random.default_rng(7)), certain(block(60))
    state, _ = smooth(None, certain(block(10)), picture, 1000 * MS, PLAIN)
    _, steady = smooth(state, now, picture, 500 * MS, PLAIN)
    assert np.abs(steady.astype(int) - now).max() <= 1


def test_timestamps_that_stand_still_neither_freeze_the_mask_nor_stop_the_smoothing() -> None:
    picture = textured(np.random.default_rng(8))
    state, _ = smooth(None, certain(block(20)), picture, 0, PLAIN)
    shares = []
    for _ in range(30):
        state, steady = smooth(state, certain(block(20, PERSON)), picture, 0, PLAIN)
        shares.append(int(steady[TOP, 50, 40]))
    assert 100 < shares[0] < 255
    assert shares[-1] < 5


def test_a_change_of_size_in_mid_stream_starts_anew() -> None:
    rng = np.random.default_rng(9)
    state, _ = smooth(None, certain(block(20)), textured(rng), 0, Smoothing())
    other = np.zeros((5, 64, 80), np.uint8)
    other[DRESS] = 255
    state, steady = smooth(state, other, textured(rng, 160, 200), 33 * MS, Smoothing())
    assert (steady == other).all()
    _, steady = smooth(state, other[:3], textured(rng, 160, 200), 66 * MS, Smoothing())
    assert steady.shape == (3, 64, 80)


def test_a_constant_probability_is_reached_exactly() -> None:
    """An average kept in whole steps would get stuck short of it."""
    picture, target = textured(np.random.default_rng(10)), certain(block(20), 251)
    state, _ = smooth(None, certain(block(20), 200), picture, 0, PLAIN)
    for index in range(1, 60):
        state, steady = smooth(state, target, picture, index * 33 * MS, PLAIN)
    assert np.abs(steady[TOP].astype(int) - target[TOP])[32:68, 22:58].max() <= 1


def test_cloth_keeps_its_kind_against_short_doubts() -> None:
    """A shirt seen for two seconds does not become a dress for the dozen frames the network says so."""
    picture = textured(np.random.default_rng(11))
    masks = [certain(block(20), 200)] * 60 + [certain(block(20, DRESS), 180)] * 12
    _, smoothed = run(masks, [picture] * 72, Smoothing())
    assert (smoothed[-1][TOP] > smoothed[-1][DRESS])[32:68, 22:58].all()
    _, without = run(masks, [picture] * 72, PLAIN)
    assert (without[-1][TOP] < without[-1][DRESS])[32:68, 22:58].any()


def test_cloth_changes_its_kind_when_it_is_seen_for_long() -> None:
    picture = textured(np.random.default_rng(12))
    masks = [certain(block(20), 200)] * 30 + [certain(block(20, DRESS), 200)] * 150
    _, smoothed = run(masks, [picture] * 180, Smoothing())
    assert (smoothed[-1][TOP] < smoothed[-1][DRESS])[32:68, 22:58].all()


def test_kinds_change_places_but_the_clothing_stays_the_same() -> None:
    picture, rng = textured(np.random.default_rng(13)), np.random.default_rng(13)
    masks = [rng.multinomial(255, [0.2] * 5, SIZE).transpose(2, 0, 1).astype(np.uint8) for _ in range(5)]
    _, with_memory = run(masks, [picture] * 5, Smoothing())
    _, without = run(masks, [picture] * 5, PLAIN)
    clothing = [s[-1][TOP:].sum(0, dtype=int) for s in (with_memory, without)]
    assert np.abs(clothing[0] - clothing[1]).max() <= 3


@given(
    classes=st.integers(2, 9),
    mask_size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    size=st.sampled_from([(1, 1), (33, 17), (17, 33), (1, 200), (64, 48)]),
    gaps=st.lists(st.integers(-50 * MS, 3_000 * MS), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_any_size_and_any_clock_gives_probabilities(
    classes: int, mask_size: tuple[int, int], size: tuple[int, int], gaps: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    state, pts_ns = None, 0
    for gap in (0, *gaps):
        pts_ns += gap
        mask = rng.integers(0, 255 // classes + 1, (classes, *mask_size), dtype=np.uint8)
        mask[0] = 255 - mask[1:].sum(0)
        picture = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        state, steady = smooth(state, mask, picture, pts_ns, Smoothing())
        assert steady.shape == mask.shape
        assert steady.dtype == np.uint8
        assert np.abs(steady.sum(0, dtype=int) - 255).max() <= classes
        assert all(np.isfinite(average).all() for average in state.averages)


def test_the_state_passed_in_is_left_alone() -> None:
    rng = np.random.default_rng(14)
    picture = textured(rng)
    state, _ = smooth(None, certain(block(20)), picture, 0, Smoothing())
    held: list[NDArray[np.generic]] = [*state.averages, *state.evidence, state.grey]
    before = [plane.copy() for plane in held]
    first = smooth(state, certain(block(22)), textured(rng), 33 * MS, Smoothing())[1]
    again = smooth(state, certain(block(22)), textured(np.random.default_rng(0)), 33 * MS, Smoothing())[1]
    assert first.shape == again.shape
    assert all((a == b).all() for a, b in zip(held, before, strict=True))


def test_only_where_somebody_is_or_was_anything_is_kept() -> None:
    """The work follows the person: of the rest nothing is remembered, and what the network says there is passed on."""
    picture = textured(np.random.default_rng(15), 480, 640)
    labels = np.zeros((240, 320), np.uint8)
    labels[100:140, 40:90] = TOP
    mask = certain(labels)
    mask[PERSON, 10, 300], mask[0, 10, 300] = 9, 246
    state, smoothed = run([mask] * 3, [picture] * 3, Smoothing())
    assert state.averages[0].shape[0] * state.averages[0].shape[1] < 0.2 * labels.size
    assert np.abs(smoothed[-1].astype(int) - mask).max() <= 1


def test_a_turning_person_before_a_static_background_is_no_cut() -> None:
    """What is remembered of the kinds of cloth outlasts a moment in which nothing of the body can be followed."""
    rng = np.random.default_rng(16)
    room = textured(rng, 480, 640)
    labels = np.zeros((240, 320), np.uint8)
    labels[60:220, 80:200] = TOP
    pictures = []
    for _ in range(3):
        shown = room.copy()
        shown[120:440, 160:400] = rng.integers(0, 256, (320, 240, 3), dtype=np.uint8)
        pictures.append(shown)
    state, _ = run([certain(labels)] * 3, pictures, Smoothing())
    assert max(float(plane.max()) for plane in state.evidence) > 0.06


def test_a_mistyped_setting_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="time_constant"):
        msgspec.convert({"time_constant": 3}, Smoothing)


def test_a_frame_without_network_masks_is_propagated_along_the_flow() -> None:
    wide = textured(np.random.default_rng(12), 192, 320)
    state, _ = smooth(None, certain(block(20)), wide[:, 40:296], 0, PLAIN)
    for step in range(1, 4):  # the scene moves 4 px a frame to the right, 2 px of the mask's
        state, carried = propagate(state, np.ascontiguousarray(wide[:, 40 - 4 * step : 296 - 4 * step]), PLAIN)
    moved = block(26) == TOP
    overlap = (carried.argmax(0) == TOP) & moved
    assert overlap.sum() > 0.95 * (moved | (carried.argmax(0) == TOP)).sum()


@pytest.mark.parametrize("seen", [True, False])
def test_the_backward_flow_points_to_the_frame_before(seen: bool) -> None:
    picture, mask = textured(np.random.default_rng(4)), certain(block(40))
    moved = np.roll(picture, 8, axis=1)
    state, _ = smooth(None, mask, picture, 0, PLAIN)
    assert backward_flow(state) is None
    if seen:
        state, _ = smooth(state, np.roll(mask, 4, axis=2), moved, 33 * MS, PLAIN)
    else:
        state, _ = propagate(state, moved, PLAIN)
    way = backward_flow(state)
    assert way is not None
    assert way.flow.shape[:2] == way.confidence.shape == state.grey.shape
    body = np.s_[18:32, 26:38]  # of the grey picture, which has half the mask's size: 2 of its pixels to the right
    assert np.abs(way.flow[body] - [-2, 0]).max() < 0.3
    assert way.confidence[body].min() > 0.7
    assert (way.confidence[:, -8:] == 0).all()  # nobody is there


def test_masks_stay_in_place_when_a_cut_is_propagated() -> None:
    rng = np.random.default_rng(13)
    state, steady = smooth(None, certain(block(20)), textured(rng), 0, PLAIN)
    _, carried = propagate(state, 255 - textured(rng), PLAIN)
    assert np.array_equal(carried, steady)


def test_mask_age_grows_while_masks_are_propagated() -> None:
    picture = textured(np.random.default_rng(14))
    state, _ = smooth(None, certain(block(20)), picture, 5 * MS, PLAIN)
    state, _ = propagate(state, picture, PLAIN)
    assert state.pts_ns == 5 * MS


class TestAnAnswerThatComesLate:
    """The network's masks of a picture, known only when others have been shown after it."""

    @staticmethod
    def walk(rng: np.random.Generator, frames: int) -> tuple[list[Pixels], list[Pixels]]:
        """Cloth that moves 3 px a frame over a wall."""
        cloth, wall = textured(rng), textured(rng)
        masks, pictures = [], []
        for index in range(frames):
            labels = block(10 + 3 * index)
            where = cv2.resize(labels, (256, 192), interpolation=cv2.INTER_NEAREST) > 0
            shown = wall.copy()
            shown[where] = np.roll(cloth, 6 * index, axis=1)[where]
            masks.append(certain(labels))
            pictures.append(shown)
        return masks, pictures

    @staticmethod
    def shown(state: SmoothingState, picture: Pixels) -> NDArray[np.bool_]:
        return np.asarray(propagate(state, picture, PLAIN)[1][TOP] > 127)

    def test_late_masks_correct_the_state_as_if_in_time(self) -> None:
        masks, pictures = self.walk(np.random.default_rng(20), 6)
        state, _ = smooth(None, certain(block(10, DRESS)), pictures[0], 0, PLAIN)  # the network was wrong at first
        state, _ = propagate(state, pictures[1], PLAIN)
        states = []
        for index in range(2, 5):
            state, _ = propagate(state, pictures[index], PLAIN)
            states.append(state)
        uncorrected = self.shown(states[-1], pictures[5])
        corrected = self.shown(correct_history(states, masks[2], 1000 * MS, PLAIN)[-1], pictures[5])
        in_time, _ = smooth(None, masks[2], pictures[2], 0, PLAIN)
        for index in (3, 4):
            in_time, _ = propagate(in_time, pictures[index], PLAIN)
        truth = masks[5][TOP] > 127
        assert not uncorrected.any()
        assert (corrected & truth).sum() / (corrected | truth).sum() > 0.7
        assert (corrected == self.shown(in_time, pictures[5])).mean() > 0.995

    def test_counts_alone_after_a_cut(self) -> None:
        rng = np.random.default_rng(21)
        before, after = textured(rng), textured(rng)
        state, _ = smooth(None, certain(block(10)), before, 0, PLAIN)
        state, _ = propagate(state, after, PLAIN)
        [corrected] = correct_history([state], certain(block(70, BOTTOM)), 33 * MS, PLAIN)
        _, steady = propagate(corrected, after, PLAIN)
        assert steady[TOP].max() == 0
        assert (steady[BOTTOM, 32:68, 72:108] > 250).all()

    def test_each_state_since_is_corrected_so_that_the_next_answer_can_go_on_from_it(self) -> None:
        masks, pictures = self.walk(np.random.default_rng(22), 4)
        state, _ = smooth(None, masks[0], pictures[0], 0, PLAIN)
        states = []
        for picture in pictures[1:]:
            state, _ = propagate(state, picture, PLAIN)
            states.append(state)
        first = correct_history(states, masks[1], 33 * MS, PLAIN)
        assert len(first) == len(states)
        second = correct_history(first[1:], masks[2], 66 * MS, PLAIN)
        assert [state.pts_ns for state in second] == [66 * MS] * 2

    def test_of_another_shape_starts_anew(self) -> None:
        rng = np.random.default_rng(23)
        state, _ = smooth(None, certain(block(10)), textured(rng), 0, PLAIN)
        other = np.zeros((5, 64, 80), np.uint8)
        other[DRESS] = 255
        [corrected] = correct_history([state], other, 33 * MS, PLAIN)
        _, steady = propagate(corrected, textured(rng, 160, 200), PLAIN)
        assert (steady[DRESS] > 250).all()
