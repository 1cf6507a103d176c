"""The effects of an outfit."""

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
"""Use of a photo that is put behind people."""

UploadedPhotos = Mapping[PhotoUse, Path]
"""Paths of a visitor's own photos."""


class OutfitError(ValueError):
    """An outfit names something that does not exist; the text says what."""


def effects_of(outfit: Outfit, library: Library, photos: UploadedPhotos) -> tuple[Effect, ...]:
    """Return the effects of `outfit`, in the order in which they are drawn; raises OutfitError."""
    background = [_background_effect(outfit.background, library, photos)] if outfit.background is not None else []
    return (*background, *(_garment_effect(part, cloth, library, photos) for part, cloth in outfit.garments.items()))


def _background_effect(choice: BackgroundChoice, library: Library, photos: UploadedPhotos) -> Effect:
    match choice:
        case ColourChoice(colour):
            return BackgroundColour(colour)
        case BlurChoice(strength):
            return BackgroundBlur(strength)
        case LibraryChoice(name):
            return BackgroundImage(_library_image(library.backgrounds, name))
        case PhotoChoice():
            return BackgroundImage(_photo(photos, BACKGROUND))


def _garment_effect(part: Garment, choice: GarmentChoice, library: Library, photos: UploadedPhotos) -> Effect:
    match choice:
        case ColourChoice(colour):
            return Recolour(part, colour)
        case PhotoChoice():
            return GarmentPhoto(part, _photo(photos, part))
        case LibraryChoice(name) if name in library.garments:
            return GarmentPhoto(part, library.garments[name].image)
        case LibraryChoice(name):
            return Texture(part, _library_image(library.textures, name))


def _library_image(assets: Mapping[str, Asset], name: str) -> Path:
    if name not in assets:
        raise OutfitError(f"there is no {name} in the library: reload the page")
    return assets[name].image


def _photo(photos: UploadedPhotos, use: PhotoUse) -> Path:
    if use not in photos:
        raise OutfitError(f"there is no photo for the {use} yet: choose one first")
    return photos[use]
