"""Photos are put into groups by what is measured in them, and each group is scored with its spread."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from clothseg.labels import TOP
from clothseg.training.eval.bootstrap import intervals, measures
from clothseg.training.eval.fairness import cloth, labelled_skin, light, skin_tone, typology_angle
from clothseg.training.samples import DataSet, Sample
from tools.evaluate_fairness import table

ALL = np.ones((20, 20), np.bool_)


def of_colour(lightness: float, yellow: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A picture of one colour of CIE L*a*b*, a* 12."""
    lab = np.full((20, 20, 3), (lightness, 12, yellow), np.float32)
    return np.asarray((cv2.cvtColor(lab, cv2.COLOR_LAB2BGR) * 255).round(), np.uint8)


@pytest.mark.parametrize(
    ("lightness", "yellow", "degrees", "tone"),
    [
        (75, 15, 59, "very light"),
        (65, 18, 40, "intermediate"),
        (55, 20, 14, "tan"),
        (45, 20, -14, "brown"),
        (30, 15, -53, "dark"),
    ],
)
def test_a_skin_tone_is_the_angle_of_its_lightness_over_its_yellow(
    lightness: float, yellow: float, degrees: float, tone: str
) -> None:
    angle = typology_angle(of_colour(lightness, yellow), ALL)
    assert angle is not None
    assert angle == pytest.approx(degrees, abs=3)
    assert skin_tone(angle) == tone


def test_of_a_few_pixels_of_skin_no_tone_is_told() -> None:
    few = np.zeros((20, 20), np.bool_)
    few[:3] = True
    assert typology_angle(of_colour(60, 18), few) is None


def test_light_and_clothes_are_told_apart() -> None:
    assert light(of_colour(20, 5)) == "dark scene"
    assert light(of_colour(80, 5)) == "bright scene"
    mask = np.zeros((20, 20), np.uint8)
    assert cloth(Sample("a", of_colour(10, 5), mask)) is None
    mask[5:10] = TOP
    assert cloth(Sample("a", of_colour(10, 5), mask)) == "dark clothes"


def test_skin_is_asked_for_where_it_is_labelled() -> None:
    with pytest.raises(ValueError, match="Clothing Co-Parsing alone"):
        labelled_skin(DataSet("folder", Path()))


def pictures(hits: list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """One table a picture, in which `hits` of 100 pixels of top are found."""
    tables = np.zeros((len(hits), 5, 5), np.int64)
    for one, right in zip(tables, hits, strict=True):
        one[TOP, TOP], one[TOP, 0] = right, 100 - right
    return tables


def test_pictures_that_differ_give_a_wider_interval_around_the_pooled_measure() -> None:
    alike, mixed = pictures([50] * 30), pictures([10, 90] * 15)
    assert measures(mixed.sum(axis=0))["top"] == pytest.approx(0.5)
    low, high = intervals(mixed)["top"]
    assert 0.3 < low < 0.45
    assert 0.55 < high < 0.7
    assert intervals(alike)["top"] == (0.5, 0.5)
    assert "dress" not in intervals(mixed)
    assert intervals(mixed) == intervals(mixed)


def test_a_group_is_a_row_with_its_count_and_spread() -> None:
    from clothseg.training.eval.fairness import _group

    row = table([_group(("skin", "tan"), list(pictures([50] * 3)))]).splitlines()[-1]
    assert row == "| tan | 3 | .500 (.500–.500) | .500 (.500–.500) | – | – |"
