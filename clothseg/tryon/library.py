"""The garment library: a folder in which each garment is a picture and a small YAML file beside it."""

from pathlib import Path

import msgspec

from clothseg.tryon.asset import EffectError
from clothseg.tryon.garment import GarmentPhoto
from clothseg.tryon.part import Part

_MAX_FILE_BYTES = 64 * 1024


class Garment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One garment of the library, as its YAML file has it."""

    title: str
    """What people read under its picture."""
    part: Part
    """What it is put on."""
    image: str
    """The picture's name, in the same folder."""
    licence: str
    """Who may use the picture, e.g. an SPDX name."""


def read_library(folder: Path) -> dict[str, tuple[Garment, GarmentPhoto]]:
    """Every garment of `folder` by the name of its YAML file, in order, with the effect that puts it on.

    Raises EffectError if the folder or a file in it cannot be read, or a file says something else than `Garment`.
    """
    if not folder.is_dir():
        raise EffectError(f"{folder} is no folder: expected one with a YAML file for each garment")
    return {path.stem: _read(path) for path in sorted(folder.glob("*.yaml"))}


def _read(path: Path) -> tuple[Garment, GarmentPhoto]:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise EffectError(f"{path} is over {_MAX_FILE_BYTES} bytes, too long to describe a garment: shorten it")
        garment = msgspec.yaml.decode(path.read_bytes(), type=Garment)
    except OSError as error:
        raise EffectError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise EffectError(f"{path} does not describe a garment: {error}") from error
    if Path(garment.image).name != garment.image:
        raise EffectError(f"{path}: image is {garment.image!r}, expected the name of a file in the same folder")
    return garment, GarmentPhoto(part=garment.part, image=path.parent / garment.image)
