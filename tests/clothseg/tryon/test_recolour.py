import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.labels import BOTTOM, PERSON, TOP
from clothseg.tryon.recolour import Recolour, recolour
from tests.clothseg.tryon.wearer import MS, wearer


def inside(parts: NDArray[np.uint8], label: int) -> NDArray[np.bool_]:
    return np.asarray(cv2.erode((parts == label).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0, np.bool_)


@pytest.mark.parametrize("worn", [(18, 18, 18), (235, 235, 235), (30, 40, 190)])
@pytest.mark.parametrize("colour", ["#ffffff", "#000000", "#1040c0"])
def test_any_garment_becomes_any_colour_and_keeps_its_folds(worn: tuple[int, int, int], colour: str) -> None:
    picture, matte = wearer(shirt=worn, fold_depth=0.15)
    _, shown = recolour(None, picture, matte, Recolour("top", colour), 0)
    cloth = inside(matte.parts, TOP)
    wanted = np.array(list(bytes.fromhex(colour[1:]))[::-1])
    assert np.abs(np.median(shown[cloth], axis=0) - wanted).max() < 45
    before, after = picture[cloth].sum(axis=1).astype(float), shown[cloth].sum(axis=1).astype(float)
    assert np.corrcoef(before, after)[0, 1] > 0.9
    assert after.std() / 3 > 1.5


def test_white_cloth_keeps_room_for_highlights_and_black_cloth_is_no_hole() -> None:
    picture, matte = wearer(shirt=(90, 90, 90))
    cloth = inside(matte.parts, TOP)
    white = recolour(None, picture, matte, Recolour("top", "#ffffff"), 0)[1][cloth]
    black = recolour(None, picture, matte, Recolour("top", "#000000"), 0)[1][cloth]
    assert (white == 255).mean() < 0.02
    assert np.median(white) > 200
    assert black.max() > 40
    assert np.median(black) < 45


def test_nothing_else_changes() -> None:
    picture, matte = wearer(hand_at=(240, 150))
    _, shown = recolour(None, picture, matte, Recolour("top", "#ff0000"), 0)
    away = cv2.dilate((matte.parts == TOP).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert (shown[away] == picture[away]).all()
    assert (shown[150, 240] == picture[150, 240]).all()


def test_a_garment_that_is_not_worn_leaves_the_picture_as_it_is() -> None:
    picture, matte = wearer()
    state, shown = recolour(None, picture, matte, Recolour("dress", "#ff0000"), 0)
    assert state is None
    assert shown is picture


def test_hiding_half_of_a_garment_for_a_moment_does_not_change_the_colour_of_the_rest() -> None:
    picture, matte = wearer(shirt=(90, 90, 90), fold_depth=0)
    picture[:, 240:] = np.minimum(picture[:, 240:] * 1.8, 255).astype(np.uint8)  # light from one side
    right = np.arange(picture.shape[1])[None, :] >= 240
    hidden = np.where((matte.parts == TOP) & right, np.uint8(PERSON), matte.parts)
    rest = inside(matte.parts, TOP) & inside(hidden, TOP)
    state, seen = None, []
    for number in range(8):
        parts = hidden if number == 6 else matte.parts
        now = matte._replace(parts=parts, foreground=picture)
        state, shown = recolour(state, picture, now, Recolour("top", "#40a060"), number * 33 * MS)
        seen.append(float(np.median(shown[rest][:, 1])))
    assert abs(seen[6] - seen[5]) < 6


def test_trousers_are_dyed_apart_from_the_shirt() -> None:
    picture, matte = wearer()
    _, shown = recolour(None, picture, matte, Recolour("bottom", "#c02020"), 0)
    assert np.median(shown[inside(matte.parts, BOTTOM)][:, 2]) > 120
    assert (shown[inside(matte.parts, TOP)] == picture[inside(matte.parts, TOP)]).all()
