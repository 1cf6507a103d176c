"""Pictures keep their aspect on the way in, masks never gain a class, probabilities come out as they went in."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clothseg.network.transforms import mask_to_network, network_size, normalise, probabilities_at, quantise, to_network


@pytest.mark.parametrize(
    ("picture", "network"), [((480, 640), (240, 320)), ((640, 480), (320, 240)), ((1280, 720), (368, 208))]
)
def test_known_pictures_enter_at_known_sizes(picture: tuple[int, int], network: tuple[int, int]) -> None:
    assert network_size(*picture, 76_800, 16) == network


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_any_picture_enters_at_about_the_area_in_whole_multiples(height: int, width: int) -> None:
    h, w = network_size(height, width, 76_800, 16)
    assert h % 16 == w % 16 == 0
    assert min(h, w) >= 16
    if 1 / 4 < height / width < 4:
        assert h * w == pytest.approx(76_800, rel=0.25)
        assert h / w == pytest.approx(height / width, rel=0.15)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a picture with pixels, got 0×5"):
        network_size(0, 5, 76_800, 16)


def test_a_smaller_mask_holds_no_class_the_larger_did_not() -> None:
    mask = np.zeros((97, 61), np.uint8)
    mask[:, 30:] = 4
    assert set(np.unique(mask_to_network(mask, (32, 16)))) == {0, 4}


def test_fine_stripes_shrink_to_grey_not_to_other_stripes() -> None:
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[:, ::2] = 255
    assert np.ptp(to_network(picture, (64, 64))) <= 2


def test_normalising_turns_bgr_bytes_to_rgb_of_the_given_mean_and_spread() -> None:
    picture = torch.tensor([[[[0, 128, 255]]]], dtype=torch.uint8)  # blue 0, green 128, red 255
    out = normalise(picture, (0.5, 0.25, 0.0), (0.5, 0.5, 0.25))
    assert out.shape == (1, 3, 1, 1)
    assert out.flatten().tolist() == pytest.approx([1.0, (128 / 255 - 0.25) / 0.5, 0.0])


def test_probabilities_travel_as_bytes_and_sum_to_one_but_for_rounding() -> None:
    planes = quantise(torch.randn(1, 5, 8, 8) * 3)
    assert planes.dtype == torch.uint8
    assert (planes.sum(1).int() - 255).abs().max() <= 3


def test_resized_probabilities_keep_their_winner_and_their_range() -> None:
    planes = np.zeros((5, 4, 4), np.uint8)
    planes[2, :, :2], planes[3, :, 2:] = 255, 255
    full = probabilities_at(planes, (40, 80))
    assert full.shape == (5, 40, 80)
    assert (full.min(), full.max()) == (0, 1)
    assert (full.argmax(0)[:, :39] == 2).all()
    assert (full.argmax(0)[:, 41:] == 3).all()
