from pathlib import Path

import cv2
import numpy as np
import pytest

from tools.draw_garments import DRAWINGS, draw

GARMENTS = Path(__file__).parents[2] / "configs" / "garments"


@pytest.mark.parametrize("name", ["tshirt-navy", "pleated-skirt"])
def test_the_library_is_what_the_tool_draws(name: str) -> None:
    shipped = cv2.imread(str(GARMENTS / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(draw(DRAWINGS[name]).astype(int) - shipped).mean() < 1


def test_every_drawing_ships_and_nothing_else() -> None:
    assert {path.stem for path in GARMENTS.glob("*.png")} == {path.stem for path in GARMENTS.glob("*.yaml")}
    assert {path.stem for path in GARMENTS.glob("*.yaml")} == set(DRAWINGS)
