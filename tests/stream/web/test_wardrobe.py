from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from clothseg.tryon import BackgroundBlur, BackgroundColour, BackgroundImage, GarmentPhoto, Recolour, Texture
from stream.settings.config import ConfigError, Web
from stream.web.look import LookError, effects_of
from stream.web.talk import AsBlur, AsPainted, AsPhoto, AsShelved, Wear
from stream.web.wardrobe import read_shelf, read_wardrobe

HOUSE = read_wardrobe(Web())


def test_the_wardrobe_that_ships_has_something_for_every_part() -> None:
    assert {piece.item.part for piece in HOUSE.garments.values()} == {"top", "bottom", "dress"}
    assert HOUSE.textures
    assert HOUSE.backgrounds
    for shelf in (HOUSE.garments, HOUSE.textures, HOUSE.backgrounds):
        for piece in shelf.values():
            thumbnail = cv2.imdecode(np.frombuffer(piece.thumbnail, np.uint8), cv2.IMREAD_UNCHANGED)
            assert max(thumbnail.shape[:2]) == min(320, max(cv2.imread(str(piece.image)).shape[:2]))


@pytest.mark.parametrize(
    ("card", "complaint"),
    [
        ("title: Coat\npart: a coat\nimage: a.png\nlicence: own\n", r"coat\.yaml: .*part"),
        ("title: Coat\npart: top\nimage: a.png\n", r"coat\.yaml: .*licence"),
        ("title: Coat\nimage: a.png\nlicence: own\n", "a garment names its part"),
        ("title: Coat\npart: top\nimage: ../a.png\nlicence: own\n", "expected a file name beside it"),
        ("title: Coat\npart: top\nimage: missing.png\nlicence: own\n", r"missing\.png"),
        ("title: Coat\npart: top\nimage: a.png\nlicence: own\nsize: 3\n", "size"),
        ("- a list", r"coat\.yaml"),
        ("a: [", r"coat\.yaml"),
    ],
)
def test_a_wrong_card_is_named(tmp_path: Path, card: str, complaint: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 4), np.uint8))
    (tmp_path / "coat.yaml").write_text(card, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        read_shelf(tmp_path, "garments")


def test_a_shelf_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.textures: expected a folder"):
        read_shelf(tmp_path / "missing", "textures")


def test_what_is_worn_becomes_effects_the_background_first() -> None:
    wear = Wear(AsBlur(0.03), {"top": AsPainted("#112233"), "bottom": AsShelved("jeans"), "dress": AsShelved("dots")})
    assert effects_of(wear, HOUSE, {}) == (
        BackgroundBlur(0.03),
        Recolour("top", "#112233"),
        GarmentPhoto("bottom", HOUSE.garments["jeans"].image),
        Texture("dress", HOUSE.textures["dots"].image),
    )


def test_a_photo_of_the_visitors_own_is_used_where_it_was_sent_for(tmp_path: Path) -> None:
    photos = {"top": tmp_path / "top.png", "background": tmp_path / "wall.jpg"}
    wear = Wear(AsPhoto(), {"top": AsPhoto()})
    made = effects_of(wear, HOUSE, photos)
    assert made == (BackgroundImage(photos["background"]), GarmentPhoto("top", photos["top"]))
    with pytest.raises(LookError, match="no photo for the bottom yet"):
        effects_of(Wear(worn={"bottom": AsPhoto()}), HOUSE, photos)


def test_backgrounds_and_colours() -> None:
    assert effects_of(Wear(AsPainted("#00ff00")), HOUSE, {}) == (BackgroundColour("#00ff00"),)
    assert effects_of(Wear(AsShelved("studio")), HOUSE, {}) == (BackgroundImage(HOUSE.backgrounds["studio"].image),)
    assert effects_of(Wear(), HOUSE, {}) == ()


@pytest.mark.parametrize("wear", [Wear(AsShelved("nowhere")), Wear(worn={"top": AsShelved("nothing")})])
def test_what_is_not_on_the_shelf_is_refused(wear: Wear) -> None:
    with pytest.raises(LookError, match="on the shelf"):
        effects_of(wear, HOUSE, {})
