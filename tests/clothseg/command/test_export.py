"""Exports are calibrated, compared with torch and judged; what does not agree is not written."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from clothseg.command import export
from clothseg.engines import open_engine
from clothseg.labels import CLASSES
from clothseg.network.architecture import ARCHITECTURES
from clothseg.network.checkpoint import Metadata, load, save
from clothseg.network.u2net import U2Net
from clothseg.training.train.export import ParityBound

Run = Callable[..., int]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    metadata = Metadata(CLASSES, "u2netp", 2, area_px=48 * 64)
    network = U2Net(ARCHITECTURES[metadata.architecture], len(CLASSES))
    save(tmp_path / "model.safetensors", metadata, network.state_dict())
    return tmp_path / "model.safetensors"


@pytest.fixture
def run(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command on a folder of four labelled pictures and a short video."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"images/{number}.png"), rng.integers(0, 256, (60, 80, 3), np.uint8))
        cv2.imwrite(str(tmp_path / f"masks/{number}.png"), rng.integers(0, 4, (60, 80), np.uint8))
    video = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (80, 60))
    for _ in range(8):
        video.write(rng.integers(0, 256, (60, 80, 3), np.uint8))
    video.release()
    folder_set = f"{{layout: folder, root: {tmp_path}}}"
    (tmp_path / "material.yaml").write_text(f"calibration: [{folder_set}]\nclips: [{tmp_path}]\njudged: {folder_set}\n")

    def run(form: str, *options: str) -> int:
        command = ["export", form, str(weights), "--material", str(tmp_path / "material.yaml"), *options]
        monkeypatch.setattr(sys, "argv", command)
        return export.main()

    return run


@pytest.mark.timeout(180)
def test_int8_is_calibrated_and_belongs_to_its_weights(
    run: Run, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf")
    # Random weights have no margins between classes for int8 to stay within.
    monkeypatch.setitem(export.BOUNDS, "int8", ParityBound(20, 1))
    assert run("int8") == 0
    said = capsys.readouterr().out
    assert "points lost" in said
    assert "bottom" in said
    assert "dress" not in said, "a class no picture shows is left out"
    assert open_engine(weights, "openvino", "int8", 1).precision == "int8"

    metadata, state = load(weights)
    save(weights, metadata, {**state, "side1.bias": state["side1.bias"] + 1})
    with pytest.raises(ValueError, match=r"model\.int8\.xml was made from other weights; make it with clothseg export"):
        open_engine(weights, "openvino", "int8", 1)

    weights.with_suffix(".int8.xml").write_text("<net")
    with pytest.raises(ValueError, match=r"model\.int8\.xml is not a readable OpenVINO model"):
        open_engine(weights, "openvino", "int8", 1)


@pytest.mark.parametrize("form", ["onnx", "openvino", "safetensors"])
def test_float_exports_agree_with_torch(run: Run, weights: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    assert run(form) == 0
    assert "IoU torch" in capsys.readouterr().out
    assert weights.with_suffix(export.SUFFIXES[form]).exists()


def test_onnx_has_an_open_batch_and_a_size_open_or_fixed(run: Run, weights: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert run("onnx", "--size", "32", "48", "--out", str(tmp_path / "fixed.onnx")) == 0
    session = onnxruntime.InferenceSession(tmp_path / "fixed.onnx", providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["B", 32, 48, 3]
    assert session.get_modelmeta().custom_metadata_map["classes"] == json.dumps(CLASSES, separators=(",", ":"))
    found = session.run(None, {"pictures": np.zeros((3, 32, 48, 3), np.uint8)})[0]
    assert found.shape == (3, len(CLASSES), 32, 48)


def test_an_export_out_of_its_bound_is_refused_and_leaves_nothing(
    run: Run, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(export.BOUNDS, "openvino", ParityBound(-1, 0))
    before = set(weights.parent.iterdir())
    assert run("openvino") == 1
    assert "does not agree with torch within its bound and was not written" in capsys.readouterr().err
    assert set(weights.parent.iterdir()) == before


def test_what_cannot_be_is_one_sentence(
    run: Run, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("int8", "--size", "32", "48") == 1
    assert run("onnx", "--out", str(tmp_path / "no/such/folder.onnx")) == 1
    (tmp_path / "clip.avi").write_bytes(b"not a video")
    assert run("onnx") == 1
    material = (tmp_path / "material.yaml").read_text()
    (tmp_path / "material.yaml").write_text("judge: {}")
    assert run("onnx") == 1
    (tmp_path / "material.yaml").write_text(material)
    weights.unlink()
    assert run("onnx") == 1
    sentences = capsys.readouterr().err.splitlines()
    expected = ["only onnx is exported", "no/such", "expected a video", "judge", "no such weights"]
    for sentence, words in zip(sentences, expected, strict=True):
        assert words in sentence
