"""Metrics of a segmentation: every measure we report, defined once, gathered over pictures and pooled by pixels."""

from typing import Final

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from clothseg.classes import USUAL, ClassMap
from clothseg.labels import BACKGROUND, CLASSES, IGNORE

Mask = npt.NDArray[np.uint8]

BOUNDARY_PX: Final = 2  # how far a boundary may lie off and still count
_BINS: Final = 15  # of confidence, for calibration
_THRESHOLDS: Final = 256  # of alpha, for max-F
_BETA_SQUARED: Final = 0.3  # precision counts more, as in the salient object literature


class Metrics(msgspec.Struct, frozen=True):
    """The measures of one model on one list of pictures; all in 0..1, none where there was nothing to measure."""

    pictures: int
    iou: dict[str, float | None]  # by class; none: absent from the labels
    mean_garment_iou: float | None  # over the garments that are present
    person_iou: float | None  # all that is not background, against background
    boundary_f: float | None  # of garments, at BOUNDARY_PX, mean over those present
    calibration_error: float | None  # expected, over confidence; none where masks came without probabilities
    max_f: float | None  # of the matte, β² = 0.3, at its best threshold
    mae: float | None  # of the matte
    confusion: list[list[int]]  # pixels, truth by row, prediction by column


def confusion(truth: Mask, parts: Mask, count: int = len(CLASSES)) -> npt.NDArray[np.int64]:
    """Pixels by (truth, prediction) of K = `count` classes, (K, K); those of `IGNORE` in the truth are not judged."""
    judged = truth != IGNORE
    pairs = truth[judged].astype(np.int64) * count + parts[judged]
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


def class_iou(table: npt.NDArray[np.int64]) -> list[float | None]:
    """Intersection over union of each class from a confusion table; none for a class the truth does not hold."""
    right = np.diag(table)
    union = table.sum(0) + table.sum(1) - right
    return [float(r / u) if row.any() else None for r, u, row in zip(right, union, table, strict=True)]


def person_iou(table: npt.NDArray[np.int64]) -> float | None:
    """Intersection over union of all that is not background; none where the truth holds only background."""
    both, either = table[1:, 1:].sum(), table.sum() - table[BACKGROUND, BACKGROUND]
    return float(both / either) if table[1:].any() else None


def boundary_hits(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Boundary pixels as (found and right, found, true and met, true), within `BOUNDARY_PX`.

    The boundary F of Martin et al. 2004 and Csurka et al. 2013, with a disc in place of a matching.
    """
    reach = 2 * BOUNDARY_PX + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    edges = [_inner_edge(mask) for mask in (truth, found)]
    true, seen = edges
    near_true, near_seen = (cv2.dilate(edge, disc) for edge in edges)
    return np.array([(seen & near_true).sum(), seen.sum(), (true & near_seen).sum(), true.sum()], np.int64)


def f_measure(hits: npt.NDArray[np.int64]) -> float | None:
    """Harmonic mean of precision and recall from `boundary_hits`; none where there was no true boundary."""
    right, found, met, true = (float(count) for count in hits)
    if not true:
        return None
    precision, recall = right / max(found, 1), met / true
    return 2 * precision * recall / (precision + recall) if right and met else 0.0


def _inner_edge(mask: npt.NDArray[np.bool_]) -> Mask:
    """The pixels of a mask that touch what is not it; the picture's rim is no edge."""
    pixels = mask.astype(np.uint8)
    inside = cv2.erode(pixels, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(pixels - inside, np.uint8)


class MetricsAccumulator:
    """Gather pictures one by one; `report` computes the metrics of all."""

    def __init__(self, classes: ClassMap = USUAL) -> None:
        self._classes, count = classes, len(classes.names)
        self._pictures = 0
        self._confusion = np.zeros((count, count), np.int64)
        self._boundary = np.zeros((count, 4), np.int64)
        self._bins = np.zeros((3, _BINS))  # pixels, confidence, right
        self._alpha = np.zeros((2, _THRESHOLDS), np.int64)  # background and person pixels by alpha

    def add(self, truth: Mask, parts: Mask, alpha: Mask | None = None, confidence: Mask | None = None) -> None:
        """One picture: truth and parts (H, W) uint8 class indices, alpha and the winner's probability (H, W) uint8."""
        if truth.shape != parts.shape:
            raise ValueError(f"expected a mask of {truth.shape[::-1]}, got {parts.shape[::-1]}; do not resize it")
        self._pictures += 1
        judged = truth != IGNORE
        self._confusion += confusion(truth, parts, len(self._classes.names))
        for index in self._classes.garments:
            # Where no one vouches for the truth no boundary is drawn either.
            self._boundary[index] += boundary_hits((truth == index) & judged, (parts == index) & judged)
        person = truth[judged] != BACKGROUND
        matte = (np.where(parts == BACKGROUND, 0, 255) if alpha is None else alpha)[judged].astype(np.int64)
        pairs = person * _THRESHOLDS + matte
        self._alpha += np.bincount(pairs, minlength=2 * _THRESHOLDS).reshape(2, _THRESHOLDS)
        if confidence is not None:
            sure = confidence[judged].astype(np.float64) / 255
            place = np.minimum((sure * _BINS).astype(int), _BINS - 1)
            right = (truth == parts)[judged]
            for row, weights in enumerate((None, sure, right)):
                self._bins[row] += np.bincount(place, weights, minlength=_BINS)

    def report(self) -> Metrics:
        """The measures of all pictures added so far. Raises ValueError if there was none."""
        if not self._pictures:
            raise ValueError("no picture was scored; is the list empty?")
        ious = class_iou(self._confusion)
        count, sure, right = self._bins
        judged = count.sum()
        background, person = self._alpha
        return Metrics(
            pictures=self._pictures,
            iou=dict(zip(self._classes.names, ious, strict=True)),
            mean_garment_iou=_mean([ious[index] for index in self._classes.garments]),
            person_iou=person_iou(self._confusion),
            boundary_f=_mean([f_measure(self._boundary[index]) for index in self._classes.garments]),
            calibration_error=float(np.abs(sure - right).sum() / judged) if judged else None,
            max_f=_max_f(background, person),
            mae=_mae(background, person),
            confusion=self._confusion.tolist(),
        )


def person_alone(report: Metrics) -> Metrics:
    """Return the metrics of a model without garment classes: no measure of them, rather than a bad one."""
    nothing: dict[str, float | None] = dict.fromkeys(CLASSES)
    return msgspec.structs.replace(report, iou=nothing, mean_garment_iou=None, boundary_f=None)


def measured(report: Metrics) -> dict[str, float]:
    """The measures that go into the weights' header."""
    named = {**report.iou, "person": report.person_iou, "boundary_f": report.boundary_f}
    return {name: round(value, 4) for name, value in named.items() if value is not None}


def _mean(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def _max_f(background: npt.NDArray[np.int64], person: npt.NDArray[np.int64]) -> float | None:
    """The best F over all thresholds of alpha, from histograms of alpha on background and on person."""
    if not person.any():
        return None
    # Pixels at or above each threshold; at threshold 0 everything is person, which means nothing.
    hit, false = (np.cumsum(counts[::-1])[::-1][1:].astype(float) for counts in (person, background))
    precision, recall = hit / np.maximum(hit + false, 1), hit / person.sum()
    f = (1 + _BETA_SQUARED) * precision * recall / np.maximum(_BETA_SQUARED * precision + recall, 1e-12)
    return float(f.max())


def _mae(background: npt.NDArray[np.int64], person: npt.NDArray[np.int64]) -> float:
    """Mean absolute error of alpha."""
    alpha = np.arange(_THRESHOLDS) / (_THRESHOLDS - 1)
    wrong = (background * alpha).sum() + (person * (1 - alpha)).sum()
    return float(wrong / max(background.sum() + person.sum(), 1))
