"""Scores a predictor on a data set, and keeps the cases a person should look at."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.classes import USUAL, ClassMap
from clothseg.labels import IGNORE
from clothseg.training.eval.bootstrap import Interval, intervals
from clothseg.training.eval.metrics import Metrics, MetricsAccumulator, class_iou, confusion, person_alone
from clothseg.training.eval.predictors import Prediction, Predictor
from clothseg.training.samples import Sample

_VIEW_PX: Final = 320  # height of a picture in the report


class Case(NamedTuple):
    """One picture of a report: mean garment IoU, picture | truth | prediction side by side (BGR), IoU by garment."""

    name: str
    iou: float
    view: npt.NDArray[np.uint8]
    ious: dict[str, float | None]


class Evaluation(NamedTuple):
    """The measures, all cases, the worst first, and each class's 95 % interval over the pictures."""

    report: Metrics
    cases: list[Case]
    spread: dict[str, Interval]


def evaluate(
    samples: Iterable[Sample], predict: Predictor, tick: Callable[[], None], classes: ClassMap = USUAL
) -> Evaluation:
    """Score every sample at its native size. Raises ValueError where there is none."""
    scores = MetricsAccumulator(classes)
    cases: list[Case] = []
    tables = []
    tells_garments = True
    for sample in samples:
        found = predict(sample)
        scores.add(sample.mask, found.parts, found.alpha, found.confidence)
        tables.append(confusion(sample.mask, found.parts, len(classes.names)))
        tells_garments &= found.tells_garments
        if (case := case_of(sample, found, classes)) is not None:
            cases.append(case)
        tick()
    report = scores.report() if tells_garments else person_alone(scores.report())
    spread = intervals(np.stack(tables), classes) if tells_garments else {}
    return Evaluation(report, sorted(cases, key=lambda case: case.iou), spread)


def case_of(sample: Sample, found: Prediction, classes: ClassMap = USUAL) -> Case | None:
    """A picture as a case for a person to look at; none where it shows no garment."""
    ious = class_iou(confusion(sample.mask, found.parts, len(classes.names)))
    by_garment = {classes.names[index]: ious[index] for index in classes.garments}
    present = [value for value in by_garment.values() if value is not None]
    return (
        Case(sample.name, float(np.mean(present)), case_view(sample, found, classes), by_garment) if present else None
    )


def case_view(sample: Sample, found: Prediction, classes: ClassMap = USUAL) -> npt.NDArray[np.uint8]:
    """Picture, truth and prediction (H, 3 W, 3) uint8 BGR, at a size for looking."""
    width = round(_VIEW_PX * sample.mask.shape[1] / sample.mask.shape[0])
    views = [cv2.resize(sample.picture, (width, _VIEW_PX), interpolation=cv2.INTER_AREA)]
    for mask in (sample.mask, found.parts):
        small = cv2.resize(mask, (width, _VIEW_PX), interpolation=cv2.INTER_NEAREST_EXACT)
        views.append(painted(views[0], np.asarray(small, np.uint8), classes))
    return np.hstack(views).astype(np.uint8)


def painted(
    picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], classes: ClassMap = USUAL
) -> npt.NDArray[np.uint8]:
    """The picture (H, W, 3) with each class in its colour; black where the mask is not judged."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(classes.palette)] = classes.palette
    blend = np.asarray(cv2.addWeighted(picture, 0.4, colours[mask], 0.6, 0), np.uint8)
    blend[mask == IGNORE] = 0
    return blend
