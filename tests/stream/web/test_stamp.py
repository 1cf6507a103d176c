from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.web.stamp import CLOCK_MS, Stamp, add_stamp, split_stamp, stamped_px, strip_px

SIZES = [(480, 640), (640, 480), (360, 640), (720, 1280), (241, 333), (64, 64)]


def picture(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@given(clock_ms=st.integers(0, CLOCK_MS - 1), panels=st.integers(1, 3))
def test_what_is_put_below_a_picture_is_read_from_it(clock_ms: int, panels: int) -> None:
    _, stamp = split_stamp(add_stamp(picture(96, 128), Stamp(clock_ms, panels)))
    assert stamp == (clock_ms, panels)


@pytest.mark.parametrize("size", SIZES)
def test_the_picture_comes_back_whole_at_any_size(size: tuple[int, int]) -> None:
    before = picture(*size)
    after, stamp = split_stamp(add_stamp(before, Stamp(1234567)))
    assert stamp == Stamp(1234567)
    assert abs(after.shape[0] - before.shape[0]) <= 2
    np.testing.assert_array_equal(after[: size[0] - 2], before[: size[0] - 2])


@pytest.mark.parametrize("size", SIZES[:4])
def test_sizes_that_cameras_have_lose_no_row(size: tuple[int, int]) -> None:
    assert split_stamp(add_stamp(picture(*size), Stamp(1)))[0].shape == (*size, 3)


@pytest.mark.parametrize("quality", [30, 85])
def test_it_survives_jpeg_and_being_made_smaller(quality: int) -> None:
    stamped = add_stamp(picture(480, 640), Stamp(9_876_543, 2))
    coded = cv2.imencode(".jpg", stamped, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    smaller = cv2.resize(cv2.imdecode(coded, cv2.IMREAD_COLOR), (320, 248), interpolation=cv2.INTER_AREA)
    assert split_stamp(np.asarray(smaller, np.uint8))[1] == (9_876_543, 2)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_picture_without_a_stamp_is_known(level: int) -> None:
    assert split_stamp(np.full((480, 640, 3), level, np.uint8))[1] is None


def test_a_clock_starts_over() -> None:
    assert split_stamp(add_stamp(picture(96, 128), Stamp(CLOCK_MS + 5)))[1] == Stamp(5)


@given(height=st.integers(32, 2000), width=st.integers(32, 2000))
def test_the_bound_on_stamped_pictures_holds(height: int, width: int) -> None:
    assert (height + strip_px(height + strip_px(height))) * width <= stamped_px(height * width) + 4 * width
