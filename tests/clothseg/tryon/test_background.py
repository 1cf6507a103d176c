import cv2
import numpy as np
import pytest

from clothseg.matting.matting import Matte
from clothseg.tryon.background import (
    BackgroundBlur,
    BackgroundColour,
    composite_over_blur,
    composite_over_colour,
    composite_over_image,
    composite_over_video,
    cover,
)
from clothseg.tryon.blend import over
from tests.clothseg.tryon.wearer import HEIGHT, WIDTH, wearer


def test_the_person_stays_bit_for_bit_and_the_background_is_the_colour() -> None:
    picture, matte = wearer()
    _, shown = composite_over_colour(None, picture, matte, BackgroundColour("#102030"))
    assert (shown[matte.alpha == 0] == (0x30, 0x20, 0x10)).all()
    assert (shown[matte.alpha == 255] == matte.foreground[matte.alpha == 255]).all()


def test_a_blend_is_the_weighted_mean_within_one_level() -> None:
    rng = np.random.default_rng(0)
    front, back = rng.integers(0, 256, (2, 130, 70, 3)).astype(np.uint8)
    alpha = rng.integers(0, 256, (130, 70)).astype(np.uint8)
    share = alpha[..., None] / 255
    assert np.abs(over(front, back, alpha) - (front * share + back * (1 - share))).max() <= 1


def test_an_image_covers_the_picture_without_being_stretched() -> None:
    image = np.zeros((100, 400, 3), np.uint8)
    cv2.circle(image, (200, 50), 40, (255, 255, 255), -1)
    fitted = cover(image, (360, 480))
    x, y, width, height = cv2.boundingRect(fitted[:, :, 0])
    assert fitted.shape == (360, 480, 3)
    assert abs(width - height) <= 8
    assert (x + width / 2, y + height / 2) == pytest.approx((240, 180), abs=4)


def test_an_image_is_fitted_once_and_again_when_the_picture_changes_size() -> None:
    picture, matte = wearer()
    image = np.full((50, 60, 3), 77, np.uint8)
    backdrop, shown = composite_over_image(None, picture, matte, image)
    again, _ = composite_over_image(backdrop, picture, matte, image)
    assert again.fitted is backdrop.fitted
    assert (shown[matte.alpha == 0] == 77).all()
    alpha, parts, foreground = (p[::2, ::2].copy() for p in (matte.alpha, matte.parts, matte.foreground))
    half = Matte(alpha, parts, foreground, matte.classes)
    smaller, shown = composite_over_image(backdrop, picture[::2, ::2].copy(), half, image)
    assert smaller.fitted.shape == shown.shape == (HEIGHT // 2, WIDTH // 2, 3)


def test_a_video_shows_the_picture_of_the_moment() -> None:
    picture, matte = wearer()
    shown = composite_over_video(picture, matte, lambda pts_ns: np.full((90, 160, 3), pts_ns // 10, np.uint8), 1230)
    assert (shown[matte.alpha == 0] == 123).all()


@pytest.mark.parametrize("shirt", [(0, 0, 0), (255, 255, 255), (0, 0, 255)])
def test_the_person_does_not_bleed_into_a_blurred_background(shirt: tuple[int, int, int]) -> None:
    picture, matte = wearer(shirt=shirt, wall=128, fold_depth=0)
    shown = composite_over_blur(picture, matte, BackgroundBlur(0.05))
    assert np.abs(shown[matte.alpha == 0].astype(int) - 128).max() <= 3


def test_the_background_is_blurred_and_the_person_is_not() -> None:
    picture, matte = wearer()
    stripes = np.where(matte.alpha[..., None] > 0, picture, np.arange(WIDTH)[None, :, None] // 4 % 2 * 255).astype(
        np.uint8
    )
    shown = composite_over_blur(stripes, matte._replace(foreground=stripes), BackgroundBlur(0.03))
    assert shown[:, :80].std() < 12 < stripes[:, :80].std()
    assert (shown[matte.alpha == 255] == stripes[matte.alpha == 255]).all()
