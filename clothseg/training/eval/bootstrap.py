"""Bootstrap intervals of pooled measures: the pictures are drawn again and again (Efron 1979)."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.classes import USUAL, ClassMap
from clothseg.training.eval.metrics import class_iou, person_iou

DRAWS: Final = 1000
_LEVEL: Final = (2.5, 97.5)  # percentiles


class Interval(NamedTuple):
    """Interval that holds a measure in 95 of 100 draws."""

    low: float
    high: float


def intervals(tables: npt.NDArray[np.int64], classes: ClassMap = USUAL, seed: int = 1) -> dict[str, Interval]:
    """Intervals of each class's IoU and of `person`'s, all that is not background, from tables (N, K, K) of N pictures.

    A class that a draw does not show is left out of it; one that no picture shows is not in the answer.
    """
    rng = np.random.default_rng(seed)
    values: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        table = tables[rng.integers(len(tables), size=len(tables))].sum(axis=0)
        for name, value in measures(table, classes).items():
            if value is not None:
                values.setdefault(name, []).append(value)
    return {name: Interval(*np.percentile(drawn, _LEVEL).tolist()) for name, drawn in values.items()}


def measures(table: npt.NDArray[np.int64], classes: ClassMap = USUAL) -> dict[str, float | None]:
    """IoU by class from a table of pixels (K, K), truth by row; `person` is all that is not background."""
    return {**dict(zip(classes.names, class_iou(table), strict=True)), "person": person_iou(table)}
