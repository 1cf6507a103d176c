"""What is labelled wrongly in a data set, by name: read from a small file that a person has reviewed."""

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
    """Corrections from a YAML list; ValueError where the file says something else."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=tuple[Correction, ...])
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}; a correction has name, labelled, is, why, and where needed above") from None


def corrected(name: str, mask: npt.NDArray[np.uint8], corrections: Sequence[Correction]) -> npt.NDArray[np.uint8]:
    """A mask (H, W) of class indices as the corrections of its name say, all of them from the mask as it is labelled.

    Raises ValueError where a correction finds nothing that is labelled so: it was written for another mask.
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
