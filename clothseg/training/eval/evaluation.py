"""Scores a predictor on a data set, and keeps the cases a person should look at."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from clothseg.classes import USUAL, ClassMap
from clothseg.labels import IGNORE
from clothseg.training.eval.metrics import Report, Scores, class_iou, confusion, person_alone
from clothseg.training.eval.predictors import Prediction, Predictor
from clothseg.training.samples import Sample

_SHOWN_PX: Final = 320  # height of a picture in the report


class Case(NamedTuple):
    """One picture of a report: its mean garment IoU, and picture | truth | prediction side by side (BGR)."""

    name: str
    iou: float
    view: npt.NDArray[np.uint8]


class Evaluation(NamedTuple):
    """The measures, and all cases, the worst first."""

    report: Report
    cases: list[Case]


def evaluate(
    samples: Iterable[Sample], predict: Predictor, tick: Callable[[], None], classes: ClassMap = USUAL
) -> Evaluation:
    """Score every sample at its native size. Raises ValueError where there is none."""
    scores = Scores(classes)
    cases: list[Case] = []
    tells_garments = True
    for sample in samples:
        found = predict(sample)
        scores.add(sample.mask, found.parts, found.alpha, found.confidence)
        tells_garments &= found.tells_garments
        present = [value for value in _garment_ious(sample, found, classes) if value is not None]
        if present:
            cases.append(Case(sample.name, float(np.mean(present)), case_view(sample, found, classes)))
        tick()
    report = scores.report() if tells_garments else person_alone(scores.report())
    return Evaluation(report, sorted(cases, key=lambda case: case.iou))


def _garment_ious(sample: Sample, found: Prediction, classes: ClassMap) -> list[float | None]:
    ious = class_iou(confusion(sample.mask, found.parts, len(classes.names)))
    return [ious[index] for index in classes.garments]


def case_view(sample: Sample, found: Prediction, classes: ClassMap = USUAL) -> npt.NDArray[np.uint8]:
    """Picture, truth and prediction (H, 3 W, 3) uint8 BGR, at a size for looking."""
    width = round(_SHOWN_PX * sample.mask.shape[1] / sample.mask.shape[0])
    views = [cv2.resize(sample.picture, (width, _SHOWN_PX), interpolation=cv2.INTER_AREA)]
    for mask in (sample.mask, found.parts):
        small = cv2.resize(mask, (width, _SHOWN_PX), interpolation=cv2.INTER_NEAREST_EXACT)
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


def to_json(report: Report) -> bytes:
    """The report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2)
