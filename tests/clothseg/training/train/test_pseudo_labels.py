"""A model's own labels are kept where it is sure and where they agree with what is known."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from clothseg.labels import BACKGROUND, BOTTOM, DRESS, IGNORE, PERSON, TOP
from clothseg.network.checkpoint import DEFAULT_WEIGHTS
from clothseg.training.samples import DataSet, Sample, read, read_picture
from clothseg.training.train.pseudo_labels import (
    Labeller,
    confident,
    constrained,
    empty_frames,
    tagged_ccp,
    write_samples,
)

FIRST_WEIGHTS = DEFAULT_WEIGHTS.with_name("u2netp-stem2.safetensors")
FRAME = Path(__file__).parents[4] / "data/webcam/images/thanks_030.jpg"


def planes(*probabilities: float) -> np.ndarray:
    """One pixel."""
    return np.array(probabilities, np.float32).reshape(5, 1, 1)


def test_a_picture_not_tagged_dress_has_none() -> None:
    left = constrained(planes(0.0, 0.1, 0.2, 0.1, 0.6), {BACKGROUND, PERSON, TOP, BOTTOM})
    assert left.ravel().tolist() == pytest.approx([0, 0.25, 0.5, 0.25, 0])


def test_uncertain_pixels_are_not_pseudo_labelled() -> None:
    assert confident(planes(0, 0, 0.55, 0.45, 0), 0.6).item() == IGNORE
    assert confident(planes(0, 0, 0.65, 0.35, 0), 0.6).item() == TOP


def test_some_class_must_be_allowed() -> None:
    with pytest.raises(ValueError, match="no class is allowed"):
        constrained(planes(1, 0, 0, 0, 0), set())


def test_the_person_follows_the_peer_where_it_is_sure_and_the_model_elsewhere() -> None:
    picture = read_picture(FRAME)[::2, ::2].copy()
    matte = np.full(picture.shape[:2], 128, np.uint8)
    matte[:, :60], matte[100:160, 140:180] = 0, 255
    label = Labeller([DEFAULT_WEIGHTS])
    mask = label(picture, {BACKGROUND, PERSON, TOP, BOTTOM}, matte)
    assert (mask[:, :60] == BACKGROUND).all()
    assert (mask[100:160, 140:180] != BACKGROUND).all()
    assert not np.isin(mask, DRESS).any()
    assert (mask[:, 200:] == label(picture, {BACKGROUND, PERSON, TOP, BOTTOM})[:, 200:]).all()


def test_several_models_label_by_their_mean(tmp_path: Path) -> None:
    picture = read_picture(FRAME)[::4, ::4].copy()
    masks = [
        Labeller(paths, confidence=0)(picture, {BACKGROUND, PERSON, TOP, BOTTOM})
        for paths in ([DEFAULT_WEIGHTS], [FIRST_WEIGHTS], [DEFAULT_WEIGHTS, FIRST_WEIGHTS])
    ]
    agreed = masks[0] == masks[1]
    assert not agreed.all()
    assert (masks[2] == masks[0])[agreed].mean() > 0.99
    for alone in masks[:2]:
        assert not (masks[2] == alone).all()


def test_tags_of_ccp_say_what_a_photo_can_show(tmp_path: Path) -> None:
    folder = tmp_path / "annotations/image-level"
    folder.mkdir(parents=True)
    scipy.io.savemat(folder / "0007.mat", {"tags": np.array([[0, 2]], np.uint8)})
    names, table = ["null", "dress", "skirt"], np.array([BACKGROUND, DRESS, BOTTOM], np.uint8)
    data = DataSet("ccp", tmp_path)
    assert list(tagged_ccp(data, names, table)) == [("0007", {BACKGROUND, PERSON, BOTTOM})]
    scipy.io.savemat(folder / "0007.mat", {"tags": np.array([[9]], np.uint8)})
    with pytest.raises(ValueError, match="tag 9 is not one of the 3"):
        list(tagged_ccp(data, names, table))


def test_empty_frames_are_those_without_anyone(tmp_path: Path) -> None:
    path = tmp_path / "c.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (192, 108))
    for number in range(12):
        frame = np.full((108, 192, 3), 90, np.uint8)
        if 3 <= number < 8:
            frame[40:, 80:110] = 220
        writer.write(frame)
    writer.release()
    found = empty_frames(path, 0, 100)
    assert [sample.name for sample in found] == [f"c_{number:03d}" for number in (0, 1, 2, 8, 9, 10, 11)]
    assert all((sample.mask == BACKGROUND).all() for sample in found)
    with pytest.raises(ValueError, match="has 12 frames, none is number 12"):
        empty_frames(path, 12, 100)


def test_what_is_written_trains_as_it_is(tmp_path: Path) -> None:
    mask = np.array([[0, 2], [3, 255]], np.uint8)
    assert write_samples([Sample("x", np.full((2, 2, 3), 90, np.uint8), mask)], tmp_path) == 1
    (sample,) = read(DataSet("folder", tmp_path))
    assert np.array_equal(sample.mask, mask)
