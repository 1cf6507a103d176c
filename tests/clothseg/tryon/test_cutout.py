from __future__ import annotations

import numpy as np
import pytest

from clothseg.classes import USUAL
from clothseg.labels import BOTTOM, DRESS, PERSON, TOP
from clothseg.matting.matting import Matte
from clothseg.tryon.cutout import Cutout, cut_out

ROWS = {PERSON: (10, 30), TOP: (30, 60), BOTTOM: (60, 90)}


@pytest.fixture
def masks() -> Matte:
    """A person in columns 20 to 60 with a soft edge at the left: head, top and bottom one under the other."""
    alpha, parts = np.zeros((100, 80), np.uint8), np.zeros((100, 80), np.uint8)
    alpha[10:90, 20:60] = 255
    alpha[10:90, 19] = 128
    for label, (top, bottom) in ROWS.items():
        parts[top:bottom, 19:60] = label
    return Matte(alpha, parts, np.zeros((100, 80, 3), np.uint8), USUAL)


def test_the_person_is_all_of_it(masks: Matte) -> None:
    assert cut_out(masks, "person") is masks


@pytest.mark.parametrize(("cutout", "rows"), [("top", (30, 60)), ("bottom", (60, 90)), ("clothing", (30, 90))])
def test_a_garment_is_cut_out_alone(masks: Matte, cutout: Cutout, rows: tuple[int, int]) -> None:
    alpha = cut_out(masks, cutout).alpha
    first, last = rows
    assert (alpha[first + 3 : last - 3, 22:58] == 255).all()
    assert not alpha[: first - 3].any()
    assert not alpha[last + 3 :].any()


def test_its_edge_is_soft_towards_skin_and_the_persons_own_towards_the_background(masks: Matte) -> None:
    alpha = cut_out(masks, "top").alpha
    edge = alpha[26:34, 40].astype(int)
    assert (np.diff(edge) >= 0).all()
    assert len(set(edge)) > 3
    assert abs(int(alpha[45, 19]) - 128) <= 2
    assert not alpha[45, :19].any()


def test_top_and_bottom_share_what_lies_between_them(masks: Matte) -> None:
    both = cut_out(masks, "top").alpha[50:70, 40].astype(int) + cut_out(masks, "bottom").alpha[50:70, 40]
    assert np.abs(both - 255).max() <= 2


def test_what_is_not_worn_is_nowhere(masks: Matte) -> None:
    assert not (masks.parts == DRESS).any()
    assert not cut_out(masks, "dress").alpha.any()


def test_parts_stay(masks: Matte) -> None:
    assert cut_out(masks, "top").parts is masks.parts
