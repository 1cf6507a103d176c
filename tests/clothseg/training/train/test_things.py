"""Things are cut out by their masks or drawn, and are background whatever they look like."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from clothseg.labels import BACKGROUND
from clothseg.training.train.things import draw_thing, read_things

CLOTH = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


def test_a_thing_is_cut_to_its_own_box_and_kept_small(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    alpha = np.zeros((600, 800), np.uint8)
    alpha[100:500, 200:400] = 255
    picture = np.where(alpha[..., None] > 0, np.uint8(200), np.uint8(10)).repeat(3, axis=2)
    cv2.imwrite(str(tmp_path / "images/car.jpg"), picture)
    cv2.imwrite(str(tmp_path / "masks/car.png"), alpha)
    ((name, thing),) = read_things(tmp_path, "masks")
    assert name == "car"
    assert thing.picture.shape == (220, 110, 3)
    assert thing.alpha.min() > 250
    assert thing.picture.min() > 150
    assert not thing.mask.any()


def test_of_a_mask_that_shows_nothing_there_is_no_thing(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / "images/a.jpg"), np.zeros((9, 9, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "masks/a.png"), np.zeros((9, 9), np.uint8))
    assert not list(read_things(tmp_path, "masks"))


@pytest.mark.parametrize("seed", range(30))
def test_what_is_drawn_is_solid_somewhere_and_background_everywhere(seed: int) -> None:
    thing = draw_thing(CLOTH, np.random.default_rng(seed))
    assert thing.picture.shape[:2] == thing.alpha.shape == thing.mask.shape
    assert (thing.alpha > 127).mean() > 0.05
    assert (thing.mask == BACKGROUND).all()


def test_drawn_things_are_of_many_shapes_some_as_slim_as_a_person() -> None:
    slimness = []
    for seed in range(60):
        height, width = draw_thing(CLOTH, np.random.default_rng(seed)).mask.shape
        slimness.append(width / height)
    assert min(slimness) < 0.3
    assert max(slimness) > 0.9
