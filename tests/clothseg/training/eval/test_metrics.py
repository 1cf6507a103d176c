"""Every measure on cases whose answer is known by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clothseg.training.eval.metrics import MetricsAccumulator


def scored(*pairs: tuple[list[list[int]], list[list[int]]]) -> MetricsAccumulator:
    scores = MetricsAccumulator()
    for truth, parts in pairs:
        scores.add(np.array(truth, np.uint8), np.array(parts, np.uint8))
    return scores


def test_iou_is_pooled_over_pixels_of_all_pictures() -> None:
    report = scored(([[2, 2, 2, 0]], [[2, 2, 0, 0]]), ([[2, 0]], [[0, 2]])).report()
    assert report.iou["top"] == pytest.approx(2 / 5)
    assert report.pictures == 2


def test_the_person_is_all_that_is_not_background() -> None:
    report = scored(([[0, 1, 2, 3]], [[1, 4, 4, 0]])).report()
    assert report.person_iou == pytest.approx(2 / 4)


def test_a_class_the_labels_do_not_hold_is_absent_and_not_averaged() -> None:
    report = scored(([[2, 3, 0]], [[2, 0, 4]])).report()
    assert report.iou["dress"] is None
    assert report.mean_garment_iou == pytest.approx((1 + 0) / 2)


def test_ignored_pixels_are_not_scored() -> None:
    report = scored(([[2, 255, 255]], [[2, 3, 4]])).report()
    assert report.iou["top"] == 1
    assert np.sum(report.confusion) == 1


def test_rows_of_the_confusion_are_truth() -> None:
    report = scored(([[4, 4, 4]], [[3, 3, 2]])).report()
    assert report.confusion[4] == [0, 0, 1, 2, 0]


def test_calibration_compares_confidence_with_how_often_it_was_right() -> None:
    truth = np.array([[2, 2, 2, 2]], np.uint8)
    parts = np.array([[2, 2, 2, 3]], np.uint8)
    for confidence, error in ((191, 0.0), (255, 0.25)):
        scores = MetricsAccumulator()
        scores.add(truth, parts, None, np.full((1, 4), confidence, np.uint8))
        assert scores.report().calibration_error == pytest.approx(error, abs=0.002)


def test_masks_without_probabilities_have_no_calibration() -> None:
    assert scored(([[2]], [[2]])).report().calibration_error is None


def test_the_matte_is_judged_at_its_best_threshold_and_by_its_mean_error() -> None:
    scores = MetricsAccumulator()
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    scores.add(truth, truth, np.array([[0, 51, 204, 255]], np.uint8))
    report = scores.report()
    assert report.max_f == pytest.approx(1)
    assert report.mae == pytest.approx(0.1)


def test_a_mask_of_another_size_and_an_empty_list_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a mask of"):
        scored(([[2, 2]], [[2]]))
    with pytest.raises(ValueError, match="no picture was scored"):
        MetricsAccumulator().report()


@given(
    arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, 3, 4, 255])),
    arrays(np.uint8, (6, 7), elements=st.integers(0, 4)),
)
def test_all_measures_stay_between_zero_and_one(truth: np.ndarray, parts: np.ndarray) -> None:
    scores = MetricsAccumulator()
    scores.add(truth, parts, np.where(parts == 0, 0, 255).astype(np.uint8), np.full((6, 7), 200, np.uint8))
    report = scores.report()
    measures = [*report.iou.values(), report.person_iou, report.boundary_f, report.max_f, report.mae]
    assert all(0 <= value <= 1 for value in measures if value is not None)


@given(arrays(np.uint8, (6, 7), elements=st.integers(0, 4)))
def test_the_truth_itself_scores_one_wherever_it_is_present(truth: np.ndarray) -> None:
    scores = MetricsAccumulator()
    scores.add(truth, truth)
    report = scores.report()
    present = [value for value in [*report.iou.values(), report.boundary_f, report.max_f] if value is not None]
    assert present == pytest.approx([1.0] * len(present))
    assert report.mae == 0
