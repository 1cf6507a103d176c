from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from clothseg.tryon import BackgroundBlur, BackgroundColour, BackgroundImage, GarmentPhoto, Recolour, Texture
from stream.settings.config import ConfigError, Web
from stream.web.library import read_assets, read_library
from stream.web.outfit_effects import OutfitError, effects_of
from stream.web.page_protocol import BlurChoice, ColourChoice, LibraryChoice, Outfit, PhotoChoice

HOUSE = read_library(Web())


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
        read_assets(tmp_path, "garments")


def test_a_missing_library_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.textures: expected a folder"):
        read_assets(tmp_path / "missing", "textures")


def test_an_outfit_becomes_effects_background_first() -> None:
    wear = Outfit(
        BlurChoice(0.03),
        {"top": ColourChoice("#112233"), "bottom": LibraryChoice("jeans"), "dress": LibraryChoice("dots")},
    )
    assert effects_of(wear, HOUSE, {}) == (
        BackgroundBlur(0.03),
        Recolour("top", "#112233"),
        GarmentPhoto("bottom", HOUSE.garments["jeans"].image),
        Texture("dress", HOUSE.textures["dots"].image),
    )


def test_a_photo_of_the_visitors_own_is_used_where_it_was_sent_for(tmp_path: Path) -> None:
    photos = {"top": tmp_path / "top.png", "background": tmp_path / "wall.jpg"}
    wear = Outfit(PhotoChoice(), {"top": PhotoChoice()})
    made = effects_of(wear, HOUSE, photos)
    assert made == (BackgroundImage(photos["background"]), GarmentPhoto("top", photos["top"]))
    with pytest.raises(OutfitError, match="no photo for the bottom yet"):
        effects_of(Outfit(garments={"bottom": PhotoChoice()}), HOUSE, photos)


def test_backgrounds_and_colours() -> None:
    assert effects_of(Outfit(ColourChoice("#00ff00")), HOUSE, {}) == (BackgroundColour("#00ff00"),)
    assert effects_of(Outfit(LibraryChoice("studio")), HOUSE, {}) == (
        BackgroundImage(HOUSE.backgrounds["studio"].image),
    )
    assert effects_of(Outfit(), HOUSE, {}) == ()


@pytest.mark.parametrize("wear", [Outfit(LibraryChoice("nowhere")), Outfit(garments={"top": LibraryChoice("nothing")})])
def test_what_is_not_in_the_library_is_rejected(wear: Outfit) -> None:
    with pytest.raises(OutfitError, match="in the library"):
        effects_of(wear, HOUSE, {})
