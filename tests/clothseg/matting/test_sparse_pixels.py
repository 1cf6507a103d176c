"""Every pixel that a mask covers is there, and is read as it would be in the whole picture."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clothseg.matting.sparse_pixels import sample_field, sparse_where


@given(
    mask_size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(12, 70), st.integers(12, 70)),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_all_pixels_of_the_mask_and_no_others(mask_size: tuple[int, int], size: tuple[int, int], seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 2, mask_size, dtype=np.uint8)
    places = sparse_where(mask, size)
    found = np.zeros(size, bool)
    found.reshape(-1)[places.flat_index(0, 0, size[1])] = True
    rows, columns = (
        np.searchsorted(np.arange(1, small + 1) * side // small, np.arange(side), side="right")
        for side, small in zip(size, mask_size, strict=True)
    )
    expected = mask[np.ix_(rows, columns)] > 0
    assert (found >= expected).all()
    # Where a network pixel covers one fewer it shares one with the next.
    assert (found <= cv2.dilate(expected.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)).all()


def test_a_field_is_read_as_in_the_whole_picture() -> None:
    rng = np.random.default_rng(1)
    field = rng.random((6, 8, 3), np.float32)
    places = sparse_where(np.ones((6, 8), np.uint8), (60, 80))
    whole = cv2.resize(field, (80, 60), interpolation=cv2.INTER_LINEAR)
    assert np.abs(sample_field(field, places) - whole[places.y, places.x]).max() < 0.05
