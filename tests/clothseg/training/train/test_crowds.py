"""Crowds: exact masks and identities, people as far and as hidden as asked, and things that are never people."""

from pathlib import Path

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clothseg.labels import BACKGROUND, BOTTOM, CLASSES, PERSON, TOP
from clothseg.training.samples import Sample
from clothseg.training.train.crowds import Crowd, CrowdMaker, Crowds

STANDING = Crowds(no_one=0, close_up=0, seated=0, things=0)
"""Nothing but people on a floor."""


def person(name: str = "figure", bottom: int = 220) -> Sample:
    """An upright figure of 200 pixels, or cut by its picture's lower edge where `bottom` is 240."""
    mask = np.zeros((240, 160), np.uint8)
    mask[20:bottom, 60:100] = PERSON
    mask[60:120, 60:100], mask[120:190, 60:100] = TOP, BOTTOM
    picture = (40 + 50 * mask)[:, :, None].repeat(3, 2).astype(np.uint8)
    return Sample(name, picture, mask)


def maker(crowds: Crowds, *samples: Sample) -> CrowdMaker:
    people = samples or (person(),)
    return CrowdMaker(crowds, people, np.full(len(people), 1 / len(people)))


def crowds_of(crowds: Crowds, *samples: Sample, size: tuple[int, int] = (120, 160), count: int = 12) -> list[Crowd]:
    made = maker(crowds, *samples)
    return [made.make(size, np.random.default_rng((3, number))) for number in range(count)]


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 2**32))
def test_whatever_is_made_each_pixel_of_a_person_has_a_class_and_an_owner(height: int, width: int, seed: int) -> None:
    crowd = maker(Crowds()).make((height, width), np.random.default_rng(seed))
    assert crowd.picture.shape == (height, width, 3)
    assert crowd.mask.shape == crowd.people.shape == (height, width)
    assert crowd.picture.dtype == crowd.mask.dtype == crowd.people.dtype == np.uint8
    assert ((crowd.mask != BACKGROUND) == (crowd.people > 0)).all()
    assert crowd.mask.max() < len(CLASSES)
    assert crowd.people.max() <= len(crowd.heights) <= 5


def test_the_same_generator_makes_the_same_crowd_and_another_another() -> None:
    made = maker(Crowds())
    one, again, other = (made.make((96, 128), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.picture, again.picture)
    assert np.array_equal(one.people, again.people)
    assert one.heights == again.heights
    assert not np.array_equal(one.picture, other.picture)


def test_people_are_as_many_and_as_high_as_asked() -> None:
    crowds = crowds_of(msgspec.structs.replace(STANDING, people=(2, 4), height=(0.2, 0.4)), count=30)
    assert {len(crowd.heights) for crowd in crowds} == {2, 3, 4}
    assert all(0.2 <= height <= 0.4 for crowd in crowds for height in crowd.heights)
    assert all(list(crowd.heights) == sorted(crowd.heights) for crowd in crowds)


def test_who_stands_alone_in_view_is_as_high_as_said() -> None:
    alone = msgspec.structs.replace(STANDING, people=(1, 1), height=(0.3, 0.3))
    for crowd in crowds_of(alone):
        rows = np.flatnonzero((crowd.people == 1).any(axis=1))
        if rows.size and rows[-1] < 119:
            assert rows[-1] - rows[0] + 1 == pytest.approx(0.3 * 120, abs=2)


def test_nearer_people_hide_farther_ones() -> None:
    hidden = 0
    for crowd in crowds_of(msgspec.structs.replace(STANDING, people=(5, 5), height=(0.5, 0.9)), count=30):
        for number in range(1, 5):
            seen = np.count_nonzero(crowd.people == number)
            hidden += int(seen < 0.8 * np.count_nonzero(crowd.people == 5))
    assert hidden > 10


def test_behind_a_table_nobody_is_seen_below_its_edge() -> None:
    for crowd in crowds_of(msgspec.structs.replace(STANDING, seated=1, height=(0.5, 1.0))):
        assert (crowd.people[-4:] == 0).all()
        lowest = np.flatnonzero(crowd.people.any(axis=1))[-1]
        assert not (crowd.mask[lowest - 6 : lowest + 1] == PERSON).all()  # no shoes


def test_a_close_up_shows_a_part_of_one_person() -> None:
    for crowd in crowds_of(msgspec.structs.replace(STANDING, close_up=1)):
        assert len(crowd.heights) == 1
        assert crowd.heights[0] >= 1.6
        assert (crowd.people == 1).any()


def test_where_no_one_is_nothing_is_a_person() -> None:
    for crowd in crowds_of(msgspec.structs.replace(STANDING, no_one=1)):
        assert crowd.heights == ()
        assert not crowd.mask.any()
        assert not crowd.people.any()


def test_a_figure_cut_by_its_picture_is_never_shown_standing() -> None:
    cut = person(bottom=240)
    for crowd in crowds_of(msgspec.structs.replace(STANDING, people=(1, 1), height=(0.3, 0.8)), cut):
        if crowd.people.any():
            assert crowd.people[-1].any()


def test_of_a_picture_without_a_whole_figure_no_crowd_is_made() -> None:
    nobody = Sample("nobody", np.zeros((90, 60, 3), np.uint8), np.zeros((90, 60), np.uint8))
    with pytest.raises(ValueError, match="whole labelled people"):
        maker(Crowds(), nobody)


def write_thing(root: Path, name: str, masks: str) -> None:
    for folder in ("images", masks):
        (root / folder).mkdir(exist_ok=True)
    alpha = np.zeros((80, 80), np.uint8)
    cv2.circle(alpha, (40, 40), 30, 255, -1)
    cv2.imwrite(str(root / f"images/{name}.jpg"), np.full((80, 80, 3), (0, 0, 255), np.uint8))
    cv2.imwrite(str(root / f"{masks}/{name}.png"), alpha)


def red(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return np.asarray((picture[..., 2] > 110) & (picture[..., :2].max(axis=2) < 70))


def test_a_garment_that_no_one_wears_is_background(tmp_path: Path) -> None:
    write_thing(tmp_path, "Dress_1", "alpha")
    crowds = crowds_of(msgspec.structs.replace(STANDING, no_one=1, garments_from=tmp_path), count=20)
    assert any(red(crowd.picture).mean() > 0.01 for crowd in crowds)
    assert not any(crowd.mask.any() for crowd in crowds)


def test_things_kept_for_scoring_are_not_used(tmp_path: Path) -> None:
    write_thing(tmp_path, "dog_1", "masks")
    alone = msgspec.structs.replace(STANDING, no_one=1)
    without = crowds_of(alone)
    for chosen in ({"but": ("dog_*",)}, {"only": ("cat_*",)}):
        kept = crowds_of(msgspec.structs.replace(alone, things_from=tmp_path, **chosen))
        assert all(np.array_equal(a.picture, b.picture) for a, b in zip(without, kept, strict=True))
    used = crowds_of(msgspec.structs.replace(alone, things_from=tmp_path))
    assert not all(np.array_equal(a.picture, b.picture) for a, b in zip(without, used, strict=True))


def test_a_folder_without_things_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected masks"):
        maker(Crowds(things_from=tmp_path))


def test_places_are_those_beside_the_photos_named() -> None:
    grey = person("grey")
    green = Sample("green", np.full((240, 160, 3), (0, 200, 0), np.uint8), person().mask)
    crowds = msgspec.structs.replace(STANDING, no_one=1, surroundings=("green",))
    colours = [np.median(crowd.picture.reshape(-1, 3), axis=0) for crowd in crowds_of(crowds, grey, green, count=30)]
    assert sum(bool(colour[1] > 120 and colour[0] < 60) for colour in colours) > 10
    with pytest.raises(ValueError, match="correct them"):
        maker(msgspec.structs.replace(STANDING, surroundings=("blue",)))
