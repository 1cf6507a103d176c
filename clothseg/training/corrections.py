"""Corrections of wrong labels in a data set, by name: read from a small, reviewed file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from clothseg.labels import CLASSES

ClassName = Literal["background", "person", "top", "bottom", "dress"]  # CLASSES, for msgspec to check


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"true": "is"}):
    """One label of one picture that is another: in all of it, or above a share of the picture's height."""

    name: str
    labelled: ClassName
    true: ClassName
    why: str
    above: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0


def read_corrections(path: Path) -> tuple[Correction, ...]:
    """Read corrections from a YAML list; ValueError for anything else."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=tuple[Correction, ...])
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}; a correction has name, labelled, is, why, and where needed above") from None


def corrected(name: str, mask: npt.NDArray[np.uint8], corrections: Sequence[Correction]) -> npt.NDArray[np.uint8]:
    """Correct a mask (H, W) of class indices by the corrections of its name, all applied to the mask as labelled.

    Raises ValueError where a correction finds no such label: it was written for another mask.
    """
    result = mask.copy()
    for correction in corrections:
        if correction.name != name:
            continue
        rows = slice(0, round(correction.above * len(mask)))
        wrong = mask[rows] == CLASSES.index(correction.labelled)
        if not wrong.any():
            raise ValueError(f"{name}: nothing is labelled {correction.labelled} where a correction says so; remove it")
        result[rows][wrong] = CLASSES.index(correction.true)
    return result
