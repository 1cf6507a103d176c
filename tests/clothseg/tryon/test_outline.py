"""Landmarks are found, or there are none: whatever a mask looks like, looking for them ends well."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clothseg.classes import USUAL, Region
from clothseg.labels import DRESS, TOP
from clothseg.matting.matting import Matte
from clothseg.tryon import EffectError, GarmentPhoto, open_effects
from clothseg.tryon.fitting import fit
from clothseg.tryon.garment import open_garment
from clothseg.tryon.outline import Mask, landmarks
from clothseg.tryon.part import Garment
from clothseg.tryon.texture import Texture, lay_out

PARTS: tuple[Garment, ...] = ("top", "bottom", "dress")
REGIONS: dict[Garment, Region] = {"top": "upper", "bottom": "lower", "dress": "whole"}


def mask_of(seed: int) -> Mask:
    """Boxes, stripes and noise, laid over one another, as chance has it."""
    chance = np.random.default_rng(seed)
    height, width = chance.integers(1, 90, 2)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(chance.integers(1, 6)):
        (top, bottom), (left, right) = (
            np.sort(chance.integers(0, height + 1, 2)),
            np.sort(chance.integers(0, width + 1, 2)),
        )
        mask[top:bottom, left:right] = chance.integers(0, 3) > 0
    step = chance.integers(1, 9)
    match chance.integers(0, 5):
        case 0:
            mask[::step] = 0
        case 1:
            mask[:, ::step] = 0
        case 2:
            mask[chance.random(mask.shape) < chance.random()] ^= 1
    return mask > 0


MASKS = st.integers(0, 2**32 - 1).map(mask_of)


@settings(max_examples=150, deadline=None)
@given(MASKS, st.sampled_from(PARTS), st.booleans(), st.none() | st.floats(0.1, 5))
def test_any_mask_has_landmarks_or_none(mask: Mask, part: Garment, alone: bool, length: float | None) -> None:
    person = mask if alone else np.ones_like(mask)
    found = landmarks(mask, person, REGIONS[part], length)
    assert found is None or found.shape == ((15 if part == "bottom" else 23), 2)


@settings(max_examples=60, deadline=None)
@given(MASKS, st.sampled_from(PARTS))
def test_whatever_is_worn_is_dressed_or_left_as_it_is(mask: Mask, part: Garment) -> None:
    flat = lay_out(np.full((8, 8, 4), 255, np.uint8), Texture(part, Path("cloth.png")), REGIONS[part])
    parts = np.where(mask, {"top": TOP, "bottom": 3, "dress": DRESS}[part], 0).astype(np.uint8)
    picture = np.full((*mask.shape, 3), 120, np.uint8)
    matte = Matte(np.where(mask, 255, 0).astype(np.uint8), parts, picture, USUAL)
    assert fit((), picture, matte, flat, 0)[1].shape == picture.shape


def photos() -> st.SearchStrategy[NDArray[np.uint8]]:
    return st.builds(
        lambda mask, light: np.dstack([np.full((*mask.shape, 3), light, np.uint8), np.where(mask, 255, 0)]),
        MASKS,
        st.integers(0, 255),
    )


@settings(max_examples=60, deadline=None)
@given(photos(), st.sampled_from(PARTS))
def test_an_odd_photo_is_a_garment_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, photo: NDArray[np.uint8], part: Garment
) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.png"
    cv2.imwrite(str(path), photo)
    with contextlib.suppress(EffectError):
        open_garment(GarmentPhoto(part, path), lambda picture: np.zeros(picture.shape[:2], np.uint8))


def _always(alpha: NDArray[np.uint8], _photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return alpha


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2)])
def test_the_smallest_photos_show_no_garment(tmp_path: Path, shape: tuple[int, int]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((*shape, 4), 255, np.uint8))
    for value in (0, 255):
        alpha = np.full(shape, value, np.uint8)
        with pytest.raises(EffectError, match="shows no garment"):
            open_garment(GarmentPhoto("top", tmp_path / "a.png"), partial(_always, alpha))


CCP = Path(__file__).parents[4] / "shared/data/ccp"


@pytest.mark.skipif(not CCP.is_dir(), reason="the Clothing Co-Parsing photos are not here")
def test_a_street_photo_with_a_torso_of_which_nothing_is_seen_is_no_fault() -> None:
    from clothseg.segmenter import Segmenter

    picture = cv2.imread(str(CCP / "photos/0094.jpg"))
    segmented = Segmenter.load()(picture)
    [shirt] = open_effects([GarmentPhoto("top", Path("configs/garments/tshirt-navy.png"))], lambda _: NotImplemented)
    _, dressed = shirt(None, picture, Matte(segmented.alpha, segmented.parts, picture, USUAL), 0)
    assert dressed.shape == picture.shape
