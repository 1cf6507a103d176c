"""What a visitor wants to wear, as the effects that show it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clothseg.tryon import BackgroundBlur, BackgroundColour, BackgroundImage, Effect, GarmentPhoto, Recolour, Texture
from clothseg.tryon.part import Part
from stream.web.talk import AsBlur, AsPainted, AsPhoto, AsShelved, Behind, Cloth, Slot, Wear
from stream.web.wardrobe import Piece, Wardrobe

BACKGROUND: Final = "background"
"""The slot of a photo that is put behind people."""

Photos = Mapping[Slot, Path]
"""Where the photos are that a visitor has sent."""


class LookError(ValueError):
    """Something is asked for that is not there; the text says what."""


def effects_of(wear: Wear, wardrobe: Wardrobe, photos: Photos) -> tuple[Effect, ...]:
    """The effects for `wear`, in the order in which they are drawn; raises LookError."""
    behind = [_behind(wear.background, wardrobe, photos)] if wear.background is not None else []
    return (*behind, *(_worn(part, cloth, wardrobe, photos) for part, cloth in wear.worn.items()))


def _behind(behind: Behind, wardrobe: Wardrobe, photos: Photos) -> Effect:
    match behind:
        case AsPainted(colour):
            return BackgroundColour(colour)
        case AsBlur(strength):
            return BackgroundBlur(strength)
        case AsShelved(name):
            return BackgroundImage(_piece(wardrobe.backgrounds, name))
        case AsPhoto():
            return BackgroundImage(_photo(photos, BACKGROUND))


def _worn(part: Part, cloth: Cloth, wardrobe: Wardrobe, photos: Photos) -> Effect:
    match cloth:
        case AsPainted(colour):
            return Recolour(part, colour)
        case AsPhoto():
            return GarmentPhoto(part, _photo(photos, part))
        case AsShelved(name) if name in wardrobe.garments:
            return GarmentPhoto(part, wardrobe.garments[name].image)
        case AsShelved(name):
            return Texture(part, _piece(wardrobe.textures, name))


def _piece(shelf: Mapping[str, Piece], name: str) -> Path:
    if name not in shelf:
        raise LookError(f"there is no {name} on the shelf: reload the page")
    return shelf[name].image


def _photo(photos: Photos, slot: Slot) -> Path:
    if slot not in photos:
        raise LookError(f"there is no photo for the {slot} yet: choose one first")
    return photos[slot]
