from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.web.photo import PhotoError, from_jpeg, snapshot_cutout, to_jpeg, to_png

GREY = np.full((60, 80, 3), 128, np.uint8)


def test_a_jpeg_comes_back_as_it_was() -> None:
    np.testing.assert_allclose(from_jpeg(to_jpeg(GREY), 80 * 60), GREY, atol=3)


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded() -> None:
    huge = to_jpeg(GREY)
    at = huge.index(b"\xff\xc0")
    lying = huge[: at + 5] + b"\xff\xff\xff\xff" + huge[at + 9 :]
    with pytest.raises(PhotoError, match="at most 4800 pixels, got 65535x65535"):
        from_jpeg(lying, 4800)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", to_png(GREY), to_jpeg(GREY)[:200], b"GIF89a"])
def test_what_is_no_jpeg_is_refused(data: bytes) -> None:
    with pytest.raises(PhotoError, match=r"expected"):
        from_jpeg(data, 10_000)


@given(data=st.binary(max_size=400), cut=st.integers(2, 600))
def test_garbage_is_refused_and_nothing_else_happens(data: bytes, cut: int) -> None:
    for garbage in (data, b"\xff\xd8" + data, to_jpeg(GREY)[:cut] + data):
        try:
            from_jpeg(garbage, 10_000)
        except PhotoError:
            continue


def test_a_cut_out_takes_no_background_with_it() -> None:
    composite = np.full((40, 40, 3), (0, 200, 0), np.uint8)  # green behind
    composite[:, :20] = (0, 0, 200)
    composite[:, 19:21] = (0, 100, 100)  # an edge where both are blended
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, :20] = 255
    alpha[:, 19:21] = 128
    made = snapshot_cutout(composite, alpha)
    np.testing.assert_array_equal(made[..., 3], alpha)
    np.testing.assert_array_equal(made[:, 19:21, :3], np.broadcast_to((0, 0, 200), (40, 2, 3)))


def test_nobody_in_the_picture_is_cut_out_as_nothing() -> None:
    assert not snapshot_cutout(GREY, np.zeros((60, 80), np.uint8))[..., 3].any()
    assert cv2.imdecode(np.frombuffer(to_png(snapshot_cutout(GREY, GREY[..., 0])), np.uint8), -1).shape == (60, 80, 4)
