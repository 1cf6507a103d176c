"""Mattes have the picture's edges, the person's own colours, and parts without gaps."""

import itertools

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clothseg.classes import USUAL, ClassEntry, class_map
from clothseg.labels import BACKGROUND, BOTTOM, CLASSES, PERSON, TOP
from clothseg.matting import matting
from clothseg.matting.matting import Matte, Matting, PreviousMatte, class_shares, previous_matte
from clothseg.temporal.motion import BackwardFlow
from clothseg.temporal.smoothing import Smoothing, smooth

Pixels = NDArray[np.uint8]
CLOTH, WALL = (40, 60, 200), (70, 160, 60)  # BGR


def matte(probabilities: Pixels, picture: Pixels, settings: Matting, held: PreviousMatte | None = None) -> Matte:
    """With the usual classes, as many of them as there are planes, and garments after them."""
    more = [ClassEntry(f"outerwear{number}", "garment", "whole") for number in range(5, len(probabilities))]
    classes = class_map([*USUAL.names[: len(probabilities)], *more])
    return matting.matte(probabilities, picture, classes, settings, held)


def upsample(probabilities: Pixels, picture: Pixels) -> Matte:
    return matting.upsample(probabilities, picture, USUAL)


def scene(shift_px: int = 0) -> tuple[Pixels, Pixels, Pixels]:
    """A disc of cloth before a wall: picture (240, 320, 3), true alpha (240, 320), probabilities (5, 60, 80).

    The probabilities' edge is soft and `shift_px` off, as a small network's is.
    """
    rng = np.random.default_rng(0)
    truth = np.zeros((960, 1280), np.uint8)
    cv2.circle(truth, (640, 480), 280, 255, -1)
    alpha = cv2.resize(truth, (320, 240), interpolation=cv2.INTER_AREA)
    share = alpha[..., None] / np.float32(255)
    picture = share * np.array(CLOTH) + (1 - share) * np.array(WALL) + rng.normal(0, 4, (240, 320, 3))
    person = cv2.GaussianBlur(np.roll(alpha, shift_px, axis=1), (0, 0), 4)
    small = cv2.resize(person, (80, 60), interpolation=cv2.INTER_AREA)
    probabilities = np.zeros((len(CLASSES), 60, 80), np.uint8)
    probabilities[BACKGROUND], probabilities[TOP] = 255 - small, small
    return np.clip(picture, 0, 255).astype(np.uint8), alpha, probabilities


def off(found: Matte, alpha: Pixels) -> float:
    """Mean error of alpha, 0..1, in a ring around the true edge."""
    ring = cv2.dilate(cv2.Canny(alpha, 50, 150), np.ones((13, 13), np.uint8)) > 0
    return float(np.abs(found.alpha[ring].astype(float) - alpha[ring]).mean() / 255)


@pytest.mark.parametrize("shift_px", [0, 2])
def test_the_edge_is_the_pictures(shift_px: int) -> None:
    picture, alpha, probabilities = scene(shift_px)
    assert off(matte(probabilities, picture, Matting()), alpha) < 0.4 * off(upsample(probabilities, picture), alpha)


def test_without_colour_evidence_the_edge_is_the_networks() -> None:
    picture, _, probabilities = scene()
    plain, fitted = upsample(probabilities, picture), matte(probabilities, picture, Matting(colour_evidence=0))
    assert np.abs(plain.alpha.astype(int) - fitted.alpha).max() <= 16


def test_the_cut_out_carries_no_fringe_of_the_old_background() -> None:
    """On a new background the edge is a mix of cloth and new background: the old wall's green is gone."""
    picture, _, probabilities = scene()
    found = matte(probabilities, picture, Matting())
    edge = (found.alpha > 60) & (found.alpha < 200)
    assert edge.sum() > 50
    seen, freed = (np.abs(p[edge].astype(float) - CLOTH).mean() for p in (picture, found.foreground))
    assert freed < 0.5 * seen
    inside = found.alpha == 255
    assert (found.foreground[inside] == picture[inside]).mean() > 0.99


def test_parts_tile_the_person_without_gaps() -> None:
    picture, _, probabilities = scene()
    probabilities[BOTTOM, 30:] = probabilities[TOP, 30:]
    probabilities[TOP, 30:] = 0
    for found in (matte(probabilities, picture, Matting()), upsample(probabilities, picture)):
        assert ((found.parts > 0) == (found.alpha >= 128)).all()
        assert set(np.unique(found.parts)) == {BACKGROUND, TOP, BOTTOM}
        waist = np.abs(np.diff((found.parts[:, 160] == BOTTOM).astype(int))).sum()
        assert waist <= 2


def test_shares_of_all_classes_make_up_every_pixel() -> None:
    picture, _, probabilities = scene()
    probabilities[PERSON, :20], probabilities[TOP, :20] = probabilities[TOP, :20], 0
    found = matte(probabilities, picture, Matting())
    planes = class_shares(found, len(CLASSES))
    assert (planes.sum(0, dtype=int) == 255).all()
    assert (planes[BACKGROUND] == 255 - found.alpha).all()
    assert (planes[TOP:].sum(0, dtype=int) <= found.alpha).all()


@pytest.mark.parametrize("sure", [0, 255])
def test_nobody_and_nothing_but_a_person(sure: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    probabilities = np.zeros((5, 16, 16), np.uint8)
    probabilities[BACKGROUND], probabilities[TOP] = 255 - sure, sure
    found = matte(probabilities, picture, Matting())
    assert (found.alpha == sure).all()
    assert (found.parts == (TOP if sure else BACKGROUND)).all()
    assert (found.foreground == picture).all()


@given(
    classes=st.integers(2, 9),
    mask_size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    spread=st.sampled_from([0, 1, 255]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_any_size_gives_masks_of_the_pictures_size(
    classes: int, mask_size: tuple[int, int], size: tuple[int, int], spread: int, seed: int
) -> None:
    """Single pixels, flat pictures, noise: the numbers stay numbers and the promises are kept."""
    rng = np.random.default_rng(seed)
    probabilities = rng.integers(0, 256, (classes, *mask_size), dtype=np.uint8)
    picture = rng.integers(0, spread + 1, (*size, 3)).astype(np.uint8)
    untouched = picture.copy()
    found = matte(probabilities, picture, Matting())
    assert found.alpha.shape == found.parts.shape == size
    assert found.foreground.shape == (*size, 3)
    assert {plane.dtype for plane in found[:3]} == {np.dtype(np.uint8)}
    assert ((found.parts > 0) == (found.alpha >= 128)).all()
    assert found.parts.max() < classes
    assert (picture == untouched).all()


def test_probabilities_without_a_class_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected probabilities .* of background, person, top, bottom, dress"):
        matting.matte(np.zeros((1, 4, 4), np.uint8), np.zeros((8, 8, 3), np.uint8), USUAL, Matting())


def test_a_mistyped_setting_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="radius"):
        msgspec.convert({"radius_px": 3}, Matting)


MS = 1_000_000


def on_the_way(step_px: int = 0, trusted: float = 1) -> BackwardFlow:
    """Everything of a scene has moved to the right by so much, and that is known for sure or not at all."""
    way = np.zeros((30, 40, 2), np.float32)
    way[..., 0] = -step_px / 8
    return BackwardFlow(way, np.full((30, 40), trusted, np.float32))


def masks_of(
    planes: list[Pixels], pictures: list[Pixels], settings: Matting, gap_ms: float = 33, step_px: int = 0
) -> list[Matte]:
    """Mattes of frames one after the other, each leaning on the one before."""
    made = [matte(planes[0], pictures[0], settings)]
    for plane, picture in zip(planes[1:], pictures[1:], strict=True):
        made.append(matte(plane, picture, settings, PreviousMatte(made[-1], on_the_way(step_px), gap_ms)))
    return made


def flicker(made: list[Matte]) -> float:
    """Mean change of alpha from frame to frame where it is neither 0 nor 255, of 255."""
    steps = [cv2.absdiff(one.alpha, two.alpha) for one, two in itertools.pairwise(made)]
    edge = np.logical_or.reduce([(m.alpha > 0) & (m.alpha < 255) for m in made])
    return float(np.mean([step[edge].mean() for step in steps]))


def noisy_scenes(count: int) -> tuple[list[Pixels], list[Pixels]]:
    """A still scene seen by a noisy camera: probabilities and pictures, frame by frame."""
    picture, _, probabilities = scene()
    rng = np.random.default_rng(3)
    noisy = [np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8) for _ in range(count)]
    return [probabilities] * count, noisy


class TestWhatIsHeldFromTheFrameBefore:
    def test_edges_flicker_less(self) -> None:
        planes, pictures = noisy_scenes(8)
        steady = flicker(masks_of(planes, pictures, Matting()))
        assert steady < 0.6 * flicker(masks_of(planes, pictures, Matting(edge_memory_ms=0)))

    def test_a_longer_memory_holds_more(self) -> None:
        planes, pictures = noisy_scenes(8)
        short, long = (flicker(masks_of(planes, pictures, Matting(edge_memory_ms=ms))) for ms in (20, 400))
        assert long < 0.8 * short

    def test_the_longer_ago_the_less_it_counts(self) -> None:
        planes, pictures = noisy_scenes(8)
        assert flicker(masks_of(planes, pictures, Matting(), gap_ms=33)) < 0.8 * flicker(
            masks_of(planes, pictures, Matting(), gap_ms=500)
        )

    def test_moves_along(self) -> None:
        """Of a disc that moves the edge is as near to truth as that of each frame alone."""
        picture, alpha, probabilities = scene()
        shifts = range(0, 24, 4)
        planes = [np.roll(probabilities, shift // 4, axis=2) for shift in shifts]
        pictures = [np.roll(picture, shift, axis=1) for shift in shifts]
        truth = np.roll(alpha, shifts[-1], axis=1)
        led, alone, left_behind = (
            masks_of(planes, pictures, Matting(edge_memory_ms=ms), step_px=step)[-1]
            for ms, step in ((400, 4), (0, 4), (400, 0))
        )
        assert off(led, truth) < 1.05 * off(alone, truth)
        assert off(led, truth) < 0.9 * off(left_behind, truth)

    def test_a_jump_is_not_blended(self) -> None:
        """Where a pixel was all person and is all wall nothing of the person is left."""
        picture, _, probabilities = scene()
        everywhere = Matte(np.full((240, 320), 255, np.uint8), np.full((240, 320), TOP, np.uint8), picture, USUAL)
        alone = matte(probabilities, picture, Matting())
        held = matte(probabilities, picture, Matting(), PreviousMatte(everywhere, on_the_way(), 33))
        wall = alone.alpha == 0
        assert (held.alpha[wall] == 0).all()
        assert (held.alpha >= alone.alpha).all()

    def test_without_confidence_nothing_is_blended(self) -> None:
        planes, pictures = noisy_scenes(2)
        first = matte(planes[0], pictures[0], Matting())
        lost = PreviousMatte(first, on_the_way(trusted=0), 33)
        held, alone = (matte(planes[1], pictures[1], Matting(), h) for h in (lost, None))
        assert (held.alpha == alone.alpha).all()
        assert (held.parts == alone.parts).all()

    def test_masks_of_another_size_are_no_previous_matte(self) -> None:
        planes, pictures = noisy_scenes(2)
        small = matte(planes[0], pictures[0][:120, :160], Matting())
        other = PreviousMatte(small, on_the_way(), 33)
        held, alone = (matte(planes[1], pictures[1], Matting(), h) for h in (other, None))
        assert (held.alpha == alone.alpha).all()

    def test_after_a_cut_no_previous_matte_is_used(self) -> None:
        rng = np.random.default_rng(5)
        _, _, planes = scene()
        blocks = rng.integers(0, 256, (2, 30, 40, 3), dtype=np.uint8)
        before, now = (cv2.resize(block, (320, 240), interpolation=cv2.INTER_CUBIC) for block in blocks)
        state, _ = smooth(None, planes, before, 0, Smoothing(), garments=3)
        same, _ = smooth(state, planes, before, 33 * MS, Smoothing(), garments=3)
        cut, _ = smooth(state, planes, now, 33 * MS, Smoothing(), garments=3)
        first = matte(planes, before, Matting())
        assert previous_matte(first, 0, same, 33 * MS) is not None
        assert previous_matte(first, 0, cut, 33 * MS) is None
        assert previous_matte(first, 0, None, 33 * MS) is None

    def test_equal_timestamps_count_as_33_ms_and_backward_jumps_use_no_previous_matte(self) -> None:
        picture, _, planes = scene()
        first = matte(planes, picture, Matting())
        state, _ = smooth(None, planes, picture, 0, Smoothing(), garments=3)
        state, _ = smooth(state, planes, picture, 0, Smoothing(), garments=3)
        held = previous_matte(first, 0, state, 0)
        assert held is not None
        assert held.gap_ms == 33
        assert previous_matte(first, 10 * MS, state, 0) is None

    def test_a_border_between_parts_stays_until_the_other_is_likelier_by_far(self) -> None:
        picture, _, probabilities = scene()
        lower = np.s_[:, 30:]
        top, trousers = probabilities.copy(), probabilities.copy()
        share = probabilities[TOP].astype(np.uint16)
        top[TOP][lower[1]], top[BOTTOM][lower[1]] = share[30:] * 3 // 5, share[30:] * 2 // 5
        trousers[TOP][lower[1]], trousers[BOTTOM][lower[1]] = share[30:] * 9 // 20, share[30:] * 11 // 20
        sure = probabilities.copy()
        sure[TOP][lower[1]], sure[BOTTOM][lower[1]] = share[30:] // 5, share[30:] * 4 // 5
        before = matte(top, picture, Matting())
        doubtful, clear = (
            matte(p, picture, Matting(), PreviousMatte(before, on_the_way(), 33)) for p in (trousers, sure)
        )
        border = np.s_[122:124, 150:170]
        assert (before.parts[border] == TOP).all()
        assert (matte(trousers, picture, Matting()).parts[border] == BOTTOM).all()
        assert (doubtful.parts[border] == TOP).all()
        assert (clear.parts[border] == BOTTOM).all()
