"""Messages are what they claim to be, or they are not made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from clothseg.classes import class_map
from clothseg.network.box import Box
from stream.bounds import MAX_MASK_SIDE_PX, MAX_SIDE_PX, MessageError
from stream.message import (
    Ack,
    DemandChanged,
    Dropped,
    EndOfStream,
    Frame,
    LateMasks,
    NewPicture,
    Outage,
    Picture,
    PictureRequest,
    SegmentedFrame,
    SourceEnded,
    SourceLost,
    SourceOpened,
    StreamStart,
    WorkerReady,
)
from tests.stream.pictures import composited, frame, picture

TWO = class_map(["background", "person"])


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
        SegmentedFrame(frame(), class_map(("background", "person", "top")), np.zeros(shape, np.uint8))
    with pytest.raises(MessageError):
        LateMasks("front", 0, class_map(("background", "person", "top")), np.zeros(shape, np.uint8))


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
        Ack("front", 0, 0, Box(*sides))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Picture(picture().pixels, 2**63, 0),
        lambda: Picture(picture().pixels, 0, -(10**400)),
        lambda: Frame("front", 0, 2**53, picture()),
        lambda: Frame("../front", 0, 0, picture()),
        lambda: Frame("front\n", 0, 0, picture()),
        lambda: Frame("front", 0, 0, picture(), detail=float("nan")),
        lambda: SegmentedFrame(frame(), TWO, np.zeros((1, 2, 2), np.uint8)),
        lambda: LateMasks("front", 0, TWO, np.zeros((2, 1, MAX_MASK_SIDE_PX + 1), np.uint8)),
        lambda: LateMasks("front", -1, TWO, np.zeros((2, 1, 1), np.uint8)),
        lambda: NewPicture("front", picture(), 10**12),
        lambda: NewPicture("front", picture(), -1),
        lambda: SourceOpened("x" * 65, "live", "camera:0"),
        lambda: SourceOpened("front", "live", "camera:0", rate_hz=0.0),
        lambda: SourceOpened("front", "live", "camera:0", rate_hz=1e300),
        lambda: SourceOpened("front", "live", "camera:0", frames=-1),
        lambda: StreamStart("front", 0, -1, "live", "camera:0"),
        lambda: StreamStart("front", 0, 0, "live", "camera:0", frames=2**60),
        lambda: Outage("front", -2, "gone"),
        lambda: Outage("front", 0, "x" * 10_000),
        lambda: EndOfStream("front", 2**60),
        lambda: Dropped("front", 0, -1, "stopped"),
        lambda: Ack("front", -1, 0),
        lambda: Ack("", 0, 0),
        lambda: SourceLost("front", "x" * 10_000),
        lambda: SourceEnded("", None),
        lambda: PictureRequest("a/b"),
        lambda: DemandChanged("\0", True),
        lambda: WorkerReady(-1),
        lambda: WorkerReady(2**60),
    ],
)  # fmt: skip
def test_what_no_camera_and_no_worker_would_say_is_no_message(make: Callable[[], object]) -> None:
    with pytest.raises(MessageError, match="expected"):
        make()
