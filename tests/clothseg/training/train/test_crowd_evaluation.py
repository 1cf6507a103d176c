"""Crowds to score on: always the same, and found-rates that say what a person would say."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from clothseg.labels import BACKGROUND, PERSON, TOP
from clothseg.training.eval.predictors import Prediction
from clothseg.training.samples import DataSet
from clothseg.training.train.crowd_evaluation import CrowdSet, found_people, make_crowds, read_crowd_set, score_crowds
from clothseg.training.train.crowds import Crowd, Crowds

CONFIG = Path(__file__).parents[4] / "configs/datasets/ccp-val-crowds.yaml"


@pytest.fixture
def made(tmp_path: Path) -> CrowdSet:
    """Eight crowds of one photo."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((240, 160), np.uint8)
    mask[20:220, 60:100], mask[60:190, 60:100] = PERSON, TOP
    cv2.imwrite(str(tmp_path / "images/a.png"), (40 + 50 * mask)[:, :, None].repeat(3, 2).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "masks/a.png"), mask)
    return CrowdSet(DataSet("folder", tmp_path), Crowds(), frames=8)


def truth(made: CrowdSet) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    return {f"crowd {number}": crowd.mask for number, crowd in enumerate(make_crowds(made))}


def nothing() -> None:
    """No one watches."""


def test_the_same_crowds_are_made_every_time(made: CrowdSet) -> None:
    one, again = list(make_crowds(made)), list(make_crowds(made))
    assert len(one) == 8
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(one, again, strict=True))


def test_who_is_right_about_all_of_it_finds_everybody(made: CrowdSet) -> None:
    masks = truth(made)
    ticks: list[int] = []
    report = score_crowds(
        made, lambda sample: Prediction(masks[sample.name], sample.mask), lambda: ticks.append(1)
    ).report
    assert report.pictures.person_iou == 1
    assert report.false_person == 0
    assert sum(report.people.values()) > 8
    assert {share for share in report.found.values() if share is not None} == {1.0}
    assert len(ticks) == 8


def test_who_sees_people_everywhere_finds_all_and_is_told_of_it(made: CrowdSet) -> None:
    report = score_crowds(
        made, lambda sample: Prediction(np.full_like(sample.mask, PERSON), sample.mask), nothing
    ).report
    assert report.false_person == 1
    assert report.pictures.person_iou is not None
    assert report.pictures.person_iou < 0.6


def half_seen(found: int) -> Crowd:
    """A far person of 40 pixels, in a frame of 100 × 100; `found` of them are."""
    people = np.zeros((100, 100), np.uint8)
    people[:10, :4] = 1
    mask = np.where(people > 0, np.uint8(PERSON), np.uint8(BACKGROUND))
    return Crowd(np.zeros((100, 100, 3), np.uint8), mask, people, (0.2,))


@pytest.mark.parametrize(("rows", "is_found"), [(4, False), (5, True)])
def test_somebody_is_found_by_half_of_what_is_seen_of_them(rows: int, is_found: bool) -> None:
    parts = np.zeros((100, 100), np.uint8)
    parts[:rows, :4] = TOP
    assert found_people(half_seen(rows), parts) == {"far": [is_found], "mid": [], "near": []}


def test_who_is_hidden_but_for_a_speck_is_not_asked_for() -> None:
    crowd = half_seen(0)
    crowd.people[1:] = 0
    crowd.people[0, 3:] = 0
    assert found_people(crowd, np.zeros((100, 100), np.uint8))["far"] == []


def test_the_crowds_that_ship_are_of_validation_photos_among_things_no_one_trains_on() -> None:
    made = read_crowd_set(CONFIG)
    assert made.data.split == Path("splits/val.txt")
    assert made.crowds.only


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "crowds.yaml"
    config.write_text("data: {layout: folder, root: .}\ncrowds: {peple: [1, 2]}\n")
    with pytest.raises(ValueError, match="peple"):
        read_crowd_set(config)
