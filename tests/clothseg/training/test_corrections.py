"""Corrections change what they name, where they name it, and nothing else."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from clothseg.labels import BOTTOM, CLASSES, DRESS, TOP
from clothseg.training.corrections import ClassName, Correction, corrected, read_corrections

SHIPPED = Path(__file__).parents[3] / "configs/datasets/ccp-corrections.yaml"
MASK = np.repeat(np.array([[TOP], [BOTTOM], [BOTTOM], [DRESS]], np.uint8), 3, axis=1)


def test_a_label_is_corrected_above_a_row_in_the_picture_of_that_name() -> None:
    wrong = (Correction("a", "bottom", "top", "a shirt, labelled jeans", above=0.5),)
    assert corrected("a", MASK, wrong)[:, 0].tolist() == [TOP, TOP, BOTTOM, DRESS]
    assert np.array_equal(corrected("b", MASK, wrong), MASK)


def test_two_corrections_of_a_picture_both_start_from_what_is_labelled() -> None:
    swapped = (Correction("a", "bottom", "dress", ""), Correction("a", "dress", "bottom", ""))
    assert corrected("a", MASK, swapped)[:, 0].tolist() == [TOP, DRESS, DRESS, BOTTOM]


def test_a_correction_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="a: nothing is labelled dress"):
        corrected("a", MASK, (Correction("a", "dress", "top", "", above=0.5),))


def test_the_class_names_are_those_of_the_network() -> None:
    assert get_args(ClassName) == CLASSES


def test_those_that_ship_say_why() -> None:
    corrections = read_corrections(SHIPPED)
    assert len(corrections) == 5
    assert all(correction.why for correction in corrections)


def test_a_class_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("- {name: a, labelled: skirt, is: bottom, why: x}\n")
    with pytest.raises(ValueError, match="skirt"):
        read_corrections(path)
