"""A skirt that its labels call a dress is told by the top that ends where it begins; a dress stays a dress."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, BOTTOM, CLASSES, DRESS, IGNORE, PERSON, TOP
from clothseg.training.skirts import skirts_are_bottoms

Mask = NDArray[np.uint8]


def figure() -> Mask:
    """Someone from head to foot, bare."""
    mask = np.full((120, 60), BACKGROUND, np.uint8)
    mask[10:110, 20:40] = PERSON
    return mask


def test_what_begins_where_the_top_ends_is_a_skirt() -> None:
    mask = figure()
    mask[20:52, 20:40], mask[50:90, 18:42] = TOP, DRESS
    told = skirts_are_bottoms(mask)
    assert (told[mask == DRESS] == BOTTOM).all()
    np.testing.assert_array_equal(told[mask != DRESS], mask[mask != DRESS])


def test_a_dress_that_is_seen_in_an_open_jacket_stays_one() -> None:
    mask = figure()
    mask[20:60, 20:40], mask[22:90, 27:33] = TOP, DRESS
    np.testing.assert_array_equal(skirts_are_bottoms(mask), mask)


def test_a_dress_alone_stays_one() -> None:
    mask = figure()
    mask[20:90, 20:40] = DRESS
    np.testing.assert_array_equal(skirts_are_bottoms(mask), mask)


def test_without_a_dress_nothing_changes() -> None:
    mask = figure()
    mask[20:50, 20:40], mask[50:90, 20:40] = TOP, BOTTOM
    np.testing.assert_array_equal(skirts_are_bottoms(mask), mask)


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([*range(5), IGNORE])))
def test_any_mask_keeps_all_that_is_no_dress_and_has_all_of_its_dress_or_none(mask: Mask) -> None:
    told = skirts_are_bottoms(mask)
    np.testing.assert_array_equal(told[mask != DRESS], mask[mask != DRESS])
    assert set(np.unique(told[mask == DRESS])) in ({DRESS}, {BOTTOM}, set())
    assert told.max() < len(CLASSES) or (told == IGNORE).any()
