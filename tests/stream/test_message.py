"""Messages are what they claim to be, or they are not made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clothseg.network.roi import Box
from stream.message import MAX_SIDE_PX, Done, Frame, LateMasks, MessageError, Picture, SegmentedFrame
from tests.stream.pictures import composited, frame, picture


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, MAX_SIDE_PX + 1, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty", "too wide"],
)
def test_a_picture_is_bgr_bytes_of_a_bounded_size(pixels: np.ndarray) -> None:
    with pytest.raises(MessageError, match="expected picture"):
        Picture(pixels, 0, 0)


@pytest.mark.parametrize(("epoch", "seq"), [(-1, 0), (0, -1)])
def test_numbers_begin_at_zero(epoch: int, seq: int) -> None:
    with pytest.raises(MessageError, match="at least 0"):
        Frame("front", epoch, seq, picture())


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4), (0, 4, 4), (3, 0, 4)])
def test_probabilities_have_a_plane_for_every_class(shape: tuple[int, ...]) -> None:
    with pytest.raises(MessageError):
        SegmentedFrame(frame(), ("a", "b", "c"), np.zeros(shape, np.uint8))
    with pytest.raises(MessageError):
        LateMasks("front", 0, ("a", "b", "c"), np.zeros(shape, np.uint8))


def test_masks_have_the_size_of_their_picture() -> None:
    made = composited()
    with pytest.raises(MessageError, match="alpha of the picture's size"):
        dataclasses.replace(made, alpha=np.zeros((3, 3), np.uint8))


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame().seq = 3  # type: ignore[misc]


def test_the_cut_out_is_the_foreground_with_its_alpha_and_made_once() -> None:
    made = composited(7)
    assert made.cutout.shape == (6, 8, 4)
    assert np.array_equal(made.cutout[..., :3], made.foreground)
    assert np.array_equal(made.cutout[..., 3], made.alpha)
    assert made.cutout is made.cutout


@pytest.mark.parametrize("sides", [(0.5, 0, 0.4, 1), (0, -0.1, 1, 1), (0, 0, 1.1, 1), (0, 0, float("nan"), 1)])
def test_a_box_lies_within_the_picture(sides: tuple[float, float, float, float]) -> None:
    with pytest.raises(MessageError, match="shares that rise"):
        Done("front", 0, 0, Box(*sides))
