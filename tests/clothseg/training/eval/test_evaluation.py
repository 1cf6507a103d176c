"""A model, masks made elsewhere, and any ONNX person segmenter stand in one table."""

from pathlib import Path

import cv2
import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from clothseg.labels import BACKGROUND, IGNORE, PERSON, TOP
from clothseg.network.checkpoint import DEFAULT_WEIGHTS
from clothseg.training.eval.evaluation import evaluate
from clothseg.training.eval.predictors import Prediction, from_masks, from_mattes, from_onnx_person, from_weights
from clothseg.training.eval.report_page import page
from clothseg.training.eval.webcam import read_clip, score_clips, sure_person
from clothseg.training.samples import DataSet, Sample, read

WEBCAM = Path(__file__).parents[4] / "data/webcam"
TRUTH = np.array([[0, 0, 2, 2]] * 4, np.uint8)
SAMPLE = Sample("a", np.where(TRUTH[:, :, None] > 0, 220, 20).repeat(3, 2).astype(np.uint8), TRUTH)


def nothing() -> None:
    """No one watches."""


def test_the_weights_that_ship_find_people_and_tops_at_a_webcam() -> None:
    samples = read(DataSet("folder", WEBCAM, split=Path("val.txt")))
    report = evaluate(samples, from_weights(DEFAULT_WEIGHTS, "openvino", "fp32"), nothing).report
    assert report.pictures == 4
    assert report.person_iou is not None
    assert report.person_iou > 0.96
    assert report.iou["top"] is not None
    assert report.iou["top"] > 0.8
    assert report.iou["dress"] is None
    assert report.calibration_error is not None


def test_masks_made_elsewhere_are_scored_by_name(tmp_path: Path) -> None:
    half = TRUTH.copy()
    half[:2] = 0
    cv2.imwrite(str(tmp_path / "a.png"), half)
    report = evaluate([SAMPLE], from_masks(tmp_path), nothing).report
    assert report.iou["top"] == pytest.approx(0.5)
    assert report.calibration_error is None


def test_a_mask_made_elsewhere_with_an_unknown_index_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 4), 9, np.uint8))
    with pytest.raises(ValueError, match="a: the mask holds index 9"):
        evaluate([SAMPLE], from_masks(tmp_path), nothing)


def test_a_matte_is_scored_as_a_person(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.where(TRUTH > 0, 200, 0).astype(np.uint8))
    report = evaluate([SAMPLE], from_mattes(tmp_path), nothing).report
    assert report.person_iou == 1
    assert report.mae == pytest.approx(55 / 255 / 2)
    assert report.mean_garment_iou is report.boundary_f is report.iou["top"] is None


def test_any_onnx_person_segmenter_stands_in_the_table(tmp_path: Path) -> None:
    # A person is what is bright: the mean over the channels, as a graph.
    shape = [1, 3, 8, 8]
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1)],
        "bright",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "m.onnx")
    found = from_onnx_person(tmp_path / "m.onnx", 0.0, 1.0)(SAMPLE)
    assert found.alpha.shape == TRUTH.shape
    assert np.array_equal(found.parts[:, [0, 3]], np.array([[BACKGROUND, PERSON]] * 4))


def test_cases_come_worst_first_and_are_shown() -> None:
    good, bad = SAMPLE, Sample("b<i>", SAMPLE.picture, TRUTH)
    answers = {"a": TRUTH, "b<i>": np.zeros_like(TRUTH)}

    def predict(sample: Sample) -> Prediction:
        return Prediction(answers[sample.name], np.where(answers[sample.name] > 0, 255, 0).astype(np.uint8))

    evaluation = evaluate([good, bad], predict, nothing)
    assert [case.name for case in evaluation.cases] == ["b<i>", "a"]
    text = page("a <title>", evaluation)
    assert "b&lt;i&gt;: garments 0.00" in text
    assert "<i>" not in text
    assert "http" not in text
    assert text.count("data:image/jpeg") == 4
    assert b'"mean_garment_iou"' in msgspec.json.encode(evaluation.report)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ValueError, match="no picture was scored"):
        evaluate([], from_masks(Path()), nothing)


def clip(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(frames):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    return path


def test_clips_count_frames_with_a_top_and_no_dress(tmp_path: Path) -> None:
    path = clip(tmp_path / "c.avi", 11)
    assert [sample.name for sample in read_clip(path)] == ["c_000", "c_005", "c_010"]

    def predict(sample: Sample) -> Prediction:
        parts = np.full((48, 64), TOP, np.uint8)
        if sample.name == "c_005":
            parts[:4] = 4
        return Prediction(parts, np.full_like(parts, 255))

    report = score_clips([path], predict, None)
    assert report.frames == 3
    assert report.top_and_no_dress == pytest.approx(2 / 3)
    assert report.person_iou is None


def test_a_peer_counts_only_where_it_is_certain() -> None:
    matte = np.array([[0, 25, 26, 128, 229, 230, 255]], np.uint8)
    expected = [BACKGROUND, BACKGROUND, IGNORE, IGNORE, IGNORE, PERSON, PERSON]
    assert sure_person(matte).ravel().tolist() == expected


def test_a_file_that_is_no_video_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.avi").write_bytes(b"no video")
    with pytest.raises(ValueError, match="not a video"):
        list(read_clip(tmp_path / "c.avi"))
    with pytest.raises(ValueError, match="no frame in the clips"):
        score_clips([], from_masks(tmp_path), None)
