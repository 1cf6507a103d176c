"""Mattes have the picture's edges, the person's own colours, and parts without gaps."""

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, BOTTOM, CLASSES, PERSON, TOP
from clothseg.matting import Matte, Matting, matte, shares, upsample

Pixels = NDArray[np.uint8]
CLOTH, WALL = (40, 60, 200), (70, 160, 60)  # BGR


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
    planes = shares(found, len(CLASSES))
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
    assert {plane.dtype for plane in found} == {np.dtype(np.uint8)}
    assert ((found.parts > 0) == (found.alpha >= 128)).all()
    assert found.parts.max() < classes
    assert (picture == untouched).all()


def test_probabilities_without_a_class_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        matte(np.zeros((1, 4, 4), np.uint8), np.zeros((8, 8, 3), np.uint8), Matting())


def test_a_mistyped_setting_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="radius"):
        msgspec.convert({"radius_px": 3}, Matting)
