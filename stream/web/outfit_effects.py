"""What a visitor wants to wear, as the effects that show it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clothseg.tryon import BackgroundBlur, BackgroundColour, BackgroundImage, Effect, GarmentPhoto, Recolour, Texture
from clothseg.tryon.part import Garment
from stream.web.library import Asset, Library
from stream.web.page_protocol import (
    BackgroundChoice,
    BlurChoice,
    ColourChoice,
    GarmentChoice,
    LibraryChoice,
    Outfit,
    PhotoChoice,
    PhotoUse,
)

BACKGROUND: Final = "background"
"""The slot of a photo that is put behind people."""

UploadedPhotos = Mapping[PhotoUse, Path]
"""Where the photos are that a visitor has sent."""


class OutfitError(ValueError):
    """Something is asked for that is not there; the text says what."""


def effects_of(wear: Outfit, wardrobe: Library, photos: UploadedPhotos) -> tuple[Effect, ...]:
    """The effects for `wear`, in the order in which they are drawn; raises LookError."""
    behind = [_background_effect(wear.background, wardrobe, photos)] if wear.background is not None else []
    return (*behind, *(_garment_effect(part, cloth, wardrobe, photos) for part, cloth in wear.garments.items()))


def _background_effect(behind: BackgroundChoice, wardrobe: Library, photos: UploadedPhotos) -> Effect:
    match behind:
        case ColourChoice(colour):
            return BackgroundColour(colour)
        case BlurChoice(strength):
            return BackgroundBlur(strength)
        case LibraryChoice(name):
            return BackgroundImage(_library_image(wardrobe.backgrounds, name))
        case PhotoChoice():
            return BackgroundImage(_photo(photos, BACKGROUND))


def _garment_effect(part: Garment, cloth: GarmentChoice, wardrobe: Library, photos: UploadedPhotos) -> Effect:
    match cloth:
        case ColourChoice(colour):
            return Recolour(part, colour)
        case PhotoChoice():
            return GarmentPhoto(part, _photo(photos, part))
        case LibraryChoice(name) if name in wardrobe.garments:
            return GarmentPhoto(part, wardrobe.garments[name].image)
        case LibraryChoice(name):
            return Texture(part, _library_image(wardrobe.textures, name))


def _library_image(shelf: Mapping[str, Asset], name: str) -> Path:
    if name not in shelf:
        raise OutfitError(f"there is no {name} on the shelf: reload the page")
    return shelf[name].image


def _photo(photos: UploadedPhotos, slot: PhotoUse) -> Path:
    if slot not in photos:
        raise OutfitError(f"there is no photo for the {slot} yet: choose one first")
    return photos[slot]
