from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.classes import USUAL
from clothseg.labels import DRESS, PERSON, TOP
from clothseg.matting.matting import Matte
from clothseg.tryon.blend import Image
from clothseg.tryon.fitting import FlatGarment, Wearer, fit, person_columns
from clothseg.tryon.garment import measure_garment
from tests.clothseg.tryon.wearer import HEIGHT, MS, WIDTH, wearer

BLUE, GREEN, RED = (200, 60, 40), (60, 170, 60), (40, 40, 200)


@pytest.fixture(scope="module")
def flat() -> FlatGarment:
    """A T-shirt: left half blue, right half green, a red mark on the chest."""
    alpha = np.zeros((400, 400), np.uint8)
    outline = [(160, 44), (240, 44), (300, 66), (372, 150), (320, 190), (300, 150), (300, 360), (100, 360), (100, 150),
               (80, 190), (28, 150), (100, 66)]  # fmt: skip
    cv2.fillPoly(alpha, [np.array(outline)], 255)
    colour = np.full((400, 400, 3), BLUE, np.uint8)
    colour[:, 200:] = GREEN
    cv2.circle(colour, (200, 150), 30, RED, -1)
    return measure_garment(colour, alpha, "top", "upper", Path("tee.png"))


def mark(shown: Image) -> tuple[float, float] | None:
    """Middle of the red mark, x and y."""
    reddest = shown[:, :, 2].astype(int) - shown[:, :, :2].max(axis=2) > 60
    reddest &= np.abs(shown.astype(int) - (140, 170, 220)).sum(axis=2) > 120
    y, x = np.nonzero(reddest)
    return (float(x.mean()), float(y.mean())) if len(x) > 20 else None


def worn(steps: list[tuple[Image, Matte]], flat: FlatGarment, gap_ms: int = 33) -> list[Image]:
    state: tuple[Wearer, ...] = ()
    shown = []
    for number, (picture, matte) in enumerate(steps):
        state, dressed = fit(state, picture, matte, flat, number * gap_ms * MS)
        shown.append(dressed)
    return shown


def inside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((11, 11), np.uint8)) > 0, np.bool_)


def test_left_stays_left_and_the_mark_is_on_the_middle_of_the_chest(flat: FlatGarment) -> None:
    picture, matte = wearer()
    (shown,) = worn([(picture, matte)], flat)
    shirt = inside(matte.parts == TOP)
    left, right = shirt.copy(), shirt.copy()
    left[:, 200:], right[:, :280] = False, False
    assert (shown[left].argmax(axis=1) == 0).mean() > 0.95
    assert (shown[right].argmax(axis=1) == 1).mean() > 0.95
    found = mark(shown)
    assert found is not None
    assert found == pytest.approx((240, 117), abs=12)


def test_only_the_worn_garment_is_painted_over(flat: FlatGarment) -> None:
    picture, matte = wearer()
    (shown,) = worn([(picture, matte)], flat)
    away = cv2.dilate((matte.parts == TOP).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert (shown[away] == picture[away]).all()


def test_a_hand_stays_in_front(flat: FlatGarment) -> None:
    steps = [wearer(hand_at=(170 + 10 * number, 120)) for number in range(12)]
    for (picture, matte), shown in zip(steps, worn(steps, flat), strict=True):
        hand = inside(matte.parts == PERSON)
        assert (shown[hand] == picture[hand]).all()


def test_the_worn_folds_show(flat: FlatGarment) -> None:
    picture, matte = wearer(fold_depth=0.35)
    (shown,) = worn([(picture, matte)], flat)
    cloth = inside(matte.parts == TOP)
    cloth[:, 195:] = False
    before, after = picture[cloth].mean(axis=1), shown[cloth].max(axis=1).astype(float)
    assert np.corrcoef(before, after)[0, 1] > 0.8


def test_the_mark_moves_with_the_body(flat: FlatGarment) -> None:
    steps = [wearer(middle_px=200 + 4 * number, down_px=number) for number in range(20)]
    found = [mark(shown) for shown in worn(steps, flat)]
    drift = np.array([(x - 200 - 4 * number, y - number) for number, (x, y) in enumerate(m for m in found if m)])
    assert len(drift) == 20
    assert np.ptp(drift, axis=0).max() < 3.5


def test_it_does_not_swim_when_the_mask_trembles(flat: FlatGarment) -> None:
    rng = np.random.default_rng(5)
    steps = []
    for _ in range(25):
        picture, matte = wearer()
        left, hem = rng.integers(0, 14), rng.integers(0, 30)
        trembling = matte.parts.copy()
        trembling[:, : 188 + left] = np.minimum(trembling[:, : 188 + left], PERSON)
        trembling[250 - hem : 256] = np.minimum(trembling[250 - hem : 256], PERSON)
        steps.append((picture, matte._replace(parts=trembling)))
    found = np.array([mark(shown) for shown in worn(steps, flat)][3:])
    assert np.diff(found, axis=0).std(axis=0).max() < 0.6


def test_time_not_frames_settles_the_landmarks(flat: FlatGarment) -> None:
    def settled(gap_ms: int) -> NDArray[np.float64]:
        state: tuple[Wearer, ...] = ()
        plain = wearer(fold_depth=0)[1]
        lower = plain._replace(
            parts=np.where((plain.parts == TOP) & (np.arange(HEIGHT)[:, None] > 220), 1, plain.parts).astype(np.uint8)
        )
        picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        for number in range(240 // gap_ms + 1):
            seen = (plain if number == 0 else lower)._replace(foreground=picture)
            state, _ = fit(state, picture, seen, flat, number * gap_ms * MS)
        return state[0].track.points

    np.testing.assert_allclose(settled(20), settled(60), atol=0.5)


def test_two_people_are_both_dressed_and_each_keeps_their_own(flat: FlatGarment) -> None:
    left, right = wearer(middle_px=120), wearer(middle_px=360)
    half = np.arange(WIDTH)[None, :] < WIDTH // 2
    picture = np.where(half[..., None], left[0], right[0])
    matte = Matte(
        np.where(half, left[1].alpha, right[1].alpha), np.where(half, left[1].parts, right[1].parts), picture, USUAL
    )
    state, shown = fit((), picture, matte, flat, 0)
    assert len(state) == 2
    for middle in (120, 360):
        found = mark(shown[:, middle - 100 : middle + 100])
        assert found is not None
        assert found[0] == pytest.approx(100, abs=12)


def test_people_are_told_apart_by_empty_columns() -> None:
    mask = np.zeros((40, 100), np.uint8)
    mask[:, 10:40] = mask[:, 50:90] = mask[10:12, 95:97] = 255
    assert person_columns(mask) == [slice(0, 45), slice(45, 100)]
    assert person_columns(np.zeros_like(mask)) == []


@pytest.mark.parametrize("middle_px", [0, 30, 450, 480])
def test_someone_half_out_of_the_picture_is_dressed_as_far_as_seen(flat: FlatGarment, middle_px: int) -> None:
    picture, matte = wearer(middle_px=middle_px)
    _, shown = fit((), picture, matte, flat, 0)
    cloth = inside(matte.parts == TOP)
    assert np.isfinite(shown).all()
    changed = np.abs(shown[cloth].astype(int) - picture[cloth]).sum(axis=1) > 20
    assert changed.mean() > 0.8


def test_a_hem_below_the_picture_does_not_squeeze_the_garment(flat: FlatGarment) -> None:
    whole, cut = wearer(), wearer(down_px=150)
    a, b = mark(worn([whole], flat)[0]), mark(worn([cut], flat)[0])
    assert a is not None
    assert b is not None
    assert b[1] - 150 == pytest.approx(a[1], abs=14)


def test_nobody_wears_it(flat: FlatGarment) -> None:
    picture, matte = wearer(garment=DRESS)
    state, shown = fit((), picture, matte, flat, 0)
    assert state == ()
    assert shown is picture


def test_a_dress_covers_whatever_clothing_is_worn(flat: FlatGarment) -> None:
    picture, matte = wearer()
    _, shown = fit((), picture, matte, flat._replace(part="dress"), 0)
    cloth = inside(matte.parts >= TOP)
    assert (np.abs(shown[cloth].astype(int) - picture[cloth]).sum(axis=1) > 20).mean() > 0.9


def test_another_picture_size_or_a_jump_begins_anew(flat: FlatGarment) -> None:
    picture, matte = wearer(middle_px=120)
    state, _ = fit((), picture, matte, flat, 0)
    moved = wearer(middle_px=380)
    _, shown = fit(state, *moved, flat, 33 * MS)
    found = mark(shown)
    assert found is not None
    assert found[0] == pytest.approx(380, abs=12)
    alpha, parts, foreground = (p[::2, ::2].copy() for p in (matte.alpha, matte.parts, matte.foreground))
    half = Matte(alpha, parts, foreground, matte.classes)
    smaller, _ = fit(state, half.foreground, half, flat, 66 * MS)
    assert len(smaller) == 1


def test_the_same_input_gives_the_same_picture_and_leaves_it_untouched(flat: FlatGarment) -> None:
    picture, matte = wearer()
    kept = picture.copy()
    state, first = fit((), picture, matte, flat, 0)
    one, two = fit(state, picture, matte, flat, 33 * MS)[1], fit(state, picture, matte, flat, 33 * MS)[1]
    assert (one == two).all()
    assert (picture == kept).all()
    assert first.shape == picture.shape
