"""Figures are cut out whole with their labels, and only where enough of them is known."""

import numpy as np
import pytest

from clothseg.labels import BACKGROUND, IGNORE, PERSON, TOP
from clothseg.training.samples import Sample
from clothseg.training.train.figures import crop, cut_out_figure, relit, resized


def person() -> Sample:
    mask = np.zeros((140, 90), np.uint8)
    mask[20:120, 30:60], mask[40:80, 30:60] = PERSON, TOP
    mask[2:10, 2:10] = TOP  # somebody else's sleeve
    picture = np.full((140, 90, 3), 20, np.uint8)
    picture[mask > 0] = 200
    return Sample("a", picture, mask)


def test_the_largest_figure_is_cut_to_its_box_with_its_labels() -> None:
    cut = cut_out_figure(person())
    assert cut is not None
    assert cut.mask.shape == (100, 30)
    assert set(np.unique(cut.mask).tolist()) == {PERSON, TOP}
    assert cut.grounded


def test_it_is_solid_within_and_nothing_of_what_was_around_it_is_cut_out_too() -> None:
    sample = person()
    sample.mask[60:70, 55:60] = BACKGROUND
    cut = cut_out_figure(sample)
    assert cut is not None
    assert (cut.alpha[cut.mask == BACKGROUND] < 128).all()
    assert (cut.alpha[2:-2, 2:-7] == 255).all()


@pytest.mark.parametrize("reason", ["nobody", "undressed", "far", "unknown", "at a side"])
def test_what_cannot_be_cut_out_well_is_left(reason: str) -> None:
    sample = person()
    mask = sample.mask
    if reason == "nobody":
        mask[:] = BACKGROUND
    elif reason == "undressed":
        mask[mask == TOP] = PERSON
    elif reason == "far":
        mask[70:] = BACKGROUND
    elif reason == "unknown":
        mask[100:108, 30:60] = IGNORE
    else:
        mask[40:80, :60] = TOP
    assert cut_out_figure(sample) is None


def test_cut_by_its_pictures_edge_or_by_us_it_is_not_grounded() -> None:
    sample = person()
    sample.mask[120:, 30:60] = PERSON
    at_the_edge, whole = cut_out_figure(sample), cut_out_figure(person())
    assert at_the_edge is not None
    assert whole is not None
    assert not at_the_edge.grounded
    assert not crop(whole, slice(0, 50)).grounded
    assert crop(whole, slice(20, 100)).grounded


def test_small_or_large_its_mask_stays_one_of_classes() -> None:
    cut = cut_out_figure(person())
    assert cut is not None
    for height in (13, 300):
        other = resized(cut, height, np.random.default_rng(0))
        assert other.mask.shape[0] == height
        assert set(np.unique(other.mask).tolist()) <= {PERSON, TOP}


def test_in_a_dark_place_it_is_darker_on_average_than_in_a_bright_one() -> None:
    cut = cut_out_figure(person())
    assert cut is not None
    means = []
    for shade in (10, 250):
        place = np.full((8, 8, 3), shade, np.uint8)
        means.append(np.mean([relit(cut, place, np.random.default_rng(seed)).picture.mean() for seed in range(20)]))
    assert means[0] < means[1] - 10
