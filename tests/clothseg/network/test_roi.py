"""The network sees the people: never less of them than the full view, somebody new within a few frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, CLASSES, PERSON, TOP
from clothseg.network.box import Box
from clothseg.network.roi import (
    FULL_FRAME_EVERY,
    InputRegion,
    box_for_frame,
    choose_region,
    crop,
    paste,
    person_box,
    region_sizes,
)

Pixels = NDArray[np.uint8]
FULL, MULTIPLE_PX = (240, 320), 16
SHARES = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)
BOXES = st.builds(lambda x, y: Box(x[0], y[0], x[1], y[1]), SHARES, SHARES)


def people(*boxes: tuple[int, int, int, int], size: tuple[int, int] = FULL) -> Pixels:
    """Probabilities of people in boxes left, top, right, bottom."""
    planes = np.zeros((len(CLASSES), *size), np.uint8)
    for left, top, right, bottom in boxes:
        planes[TOP, top:bottom, left:right] = 255
    planes[BACKGROUND] = 255 - planes[TOP]
    return planes


def seen(box: Box) -> InputRegion:
    found = choose_region(box, FULL, MULTIPLE_PX)
    assert found is not None
    return found


def test_the_box_holds_everybody() -> None:
    box = person_box(people((80, 60, 120, 240), (200, 120, 240, 180)))
    assert box == Box(80 / 320, 60 / 240, 240 / 320, 1)


def test_nobody_and_a_speck_are_nobody() -> None:
    assert person_box(people()) is None
    assert person_box(people((10, 10, 12, 11))) is None


def test_everything_is_seen_regularly_and_where_nobody_was() -> None:
    box = Box(0.4, 0.1, 0.6, 1)
    focused = [box_for_frame(box, seq) for seq in range(3 * FULL_FRAME_EVERY)]
    assert [seq for seq, chosen in enumerate(focused) if chosen is None] == [0, FULL_FRAME_EVERY, 2 * FULL_FRAME_EVERY]
    assert box_for_frame(None, 1) is None
    assert choose_region(None, FULL, MULTIPLE_PX) is None


def test_a_narrow_box_is_seen_at_half_the_price() -> None:
    found = seen(Box(0.4, 0.1, 0.6, 1))
    assert found.size == (240, 160)


def test_far_people_come_closer_up() -> None:
    found = seen(Box(0.45, 0.4, 0.55, 0.7))
    assert found.size == (240, 160)
    assert found.rows.stop - found.rows.start < 120
    assert found.columns.stop - found.columns.start < 80


def test_people_far_apart_use_the_full_frame() -> None:
    assert choose_region(Box(0.05, 0.3, 0.95, 0.9), FULL, MULTIPLE_PX) is None


@given(box=BOXES, full=st.sampled_from([(240, 320), (208, 368), (320, 240), (16, 16), (16, 4800)]))
def test_a_region_shows_the_box_and_a_margin_at_least_as_large_as_the_full_frame(
    box: Box, full: tuple[int, int]
) -> None:
    found = choose_region(box, full, MULTIPLE_PX)
    if found is None:
        return
    assert found.size in region_sizes(full, MULTIPLE_PX)
    assert all(side % MULTIPLE_PX == 0 for side in found.size)
    for span, (low, high), side, given_px in zip(
        (found.rows, found.columns),
        ((box.top, box.bottom), (box.left, box.right)),
        full,
        found.size,
        strict=True,
    ):
        assert 0 <= span.start < span.stop <= side
        assert span.start <= low * side + 1
        assert span.stop >= high * side - 1
        assert span.stop - span.start <= given_px


def test_few_sizes_for_any_picture() -> None:
    assert region_sizes(FULL, MULTIPLE_PX) == [(240, 160), (240, 208), (240, 256)]
    assert region_sizes((16, 16), MULTIPLE_PX) == []


@pytest.mark.parametrize("size", [(480, 640), (720, 960), (241, 317), (3, 5)])
def test_the_crop_is_the_pictures_part(size: tuple[int, int]) -> None:
    row = np.linspace(0, 255, size[1]).astype(np.uint8)
    picture = np.stack([np.tile(row, (size[0], 1))] * 3, -1)
    found = seen(Box(0.4, 0.2, 0.6, 0.8))
    part = crop(picture, found, FULL)
    middle = (found.columns.start + found.columns.stop) / 2 / 320 * 255
    assert part.size > 0
    assert part.mean() == pytest.approx(middle, abs=255 / size[1] + 1)


def test_region_probabilities_are_pasted_in_place() -> None:
    truth = people((140, 60, 180, 200))
    box = person_box(truth)
    assert box is not None
    found = seen(box)
    inside = truth[:, found.rows, found.columns]
    planes = np.stack([np.kron(plane, np.ones((4, 4), np.uint8)) for plane in inside])
    whole = paste(planes, found, FULL)
    assert whole is not None
    assert whole.shape == truth.shape
    assert np.array_equal(whole, truth)


def test_a_person_who_reaches_out_of_the_region_is_not_cut_off() -> None:
    found = InputRegion(slice(0, 240), slice(80, 240), (240, 160))
    assert paste(people((60, 100, 100, 200), size=(240, 160)), found, FULL) is not None
    assert paste(people((60, 100, 160, 200), size=(240, 160)), found, FULL) is None
    assert paste(people((0, 100, 100, 200), size=(240, 160)), found, FULL) is None
    # The picture's own edge cuts off nobody who could be seen.
    assert paste(people((60, 100, 100, 240), size=(240, 160)), found, FULL) is not None


def test_a_region_without_people_is_not_trusted() -> None:
    found = InputRegion(slice(0, 240), slice(80, 240), (240, 160))
    assert paste(people(size=(240, 160)), found, FULL) is None


def test_outside_the_region_is_certain_background() -> None:
    found = InputRegion(slice(0, 240), slice(80, 240), (240, 160))
    planes = people((60, 100, 100, 200), size=(240, 160))
    planes[PERSON] = planes[TOP]
    whole = paste(planes, found, FULL)
    assert whole is not None
    outside = np.delete(whole, np.arange(80, 240), axis=2)
    assert (outside[BACKGROUND] == 255).all()
    assert not outside[1:].any()
