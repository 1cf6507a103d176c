"""Models that others made run by a YAML beside them: small networks of the same shapes stand for the real files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.engines import open_engine
from clothseg.model_file import read_metadata
from clothseg.segmenter import Segmenter
from stream.run import command

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

RECIPES = Path("configs/models")

# What each is made of here: planes, size (None: open), shrink of its output, outputs, colours last, end of the graph.
SHAPES: dict[str, dict[str, Any]] = {
    "u2netp": {"planes": 1, "size": 320, "outputs": 7, "end": "Sigmoid"},
    "cloth-segmentation": {"planes": 4, "size": 768, "outputs": 7},
    "segformer-b2-clothes": {"planes": 18, "size": None, "shrink": 4},
    "fashn-human-parser": {"planes": 18, "size": None, "shrink": 4},
    "selfie-multiclass": {"planes": 6, "size": 256, "last": True},
}


def model(
    path: Path, planes: int, size: int | None, *, shrink: int = 1, outputs: int = 1, last: bool = False, end: str = ""
) -> Path:
    """A network that answers plane k at the brightness (k + ½) / planes of a grey picture; a single plane if bright."""
    levels = (np.arange(planes) + 0.5) / planes
    # −(x − level)², but for x², which is the same in every plane: linear in the picture.
    weight = 800.0 * levels if planes > 1 else np.array([40.0])
    bias = -400.0 * levels**2 if planes > 1 else np.array([-20.0])
    kernel = np.repeat((weight / 3).astype(np.float32).reshape(-1, 1, 1, 1), 3, axis=1)
    constants = [
        numpy_helper.from_array(kernel, "weight"),
        numpy_helper.from_array(bias.astype(np.float32), "bias"),
    ]
    nodes, at = [], "pictures"
    if last:
        nodes.append(helper.make_node("Transpose", ["pictures"], ["first"], perm=[0, 3, 1, 2]))
        at = "first"
    if shrink > 1:
        sides = [shrink] * 2
        nodes.append(helper.make_node("AveragePool", [at], ["small"], kernel_shape=sides, strides=sides))
        at = "small"
    ending = end or ("Transpose" if last else "Identity")
    nodes.append(helper.make_node("Conv", [at, "weight", "bias"], ["logits"]))
    last_node = helper.make_node(ending, ["logits"], ["0"])
    if ending == "Transpose":
        last_node.attribute.append(helper.make_attribute("perm", [0, 2, 3, 1]))
    nodes.append(last_node)
    nodes += [helper.make_node("Neg", ["logits"], [str(number)]) for number in range(1, outputs)]
    open_or_not = [size or "h", size or "w"]
    entry = helper.make_tensor_value_info(
        "pictures", TensorProto.FLOAT, [1, *open_or_not, 3] if last else [1, 3, *open_or_not]
    )
    given = [helper.make_tensor_value_info(str(number), TensorProto.FLOAT, [None] * 4) for number in range(outputs)]
    graph = helper.make_graph(nodes, path.stem, [entry], given, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def grey(level: float, height: int = 120, width: int = 160) -> NDArray[np.uint8]:
    return np.full((height, width, 3), round(255 * level), np.uint8)


@pytest.fixture(params=sorted(SHAPES))
def named(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A model of each kind with its recipe beside it, but for the normalisation, which its test network has none of."""
    name = str(request.param)
    text = (RECIPES / f"{name}.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("mean:", "std:"))]
    (tmp_path / f"{name}.yaml").write_text("\n".join([*lines, "mean: [0, 0, 0]", "std: [1, 1, 1]", ""]))
    return name, model(tmp_path / f"{name}.onnx", **SHAPES[name])


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_every_label_of_every_recipe_becomes_its_class(named: tuple[str, Path], engine: Any) -> None:
    name, path = named
    labels = read_metadata(path).labels
    segmenter = Segmenter.load(path, engine, "fp32", 1)
    planes = SHAPES[name]["planes"]
    for number, of in enumerate(labels.values()):
        level = (number + 0.5) / planes if planes > 1 else number
        probabilities = segmenter.probabilities(grey(level))
        assert probabilities.shape[0] == len(segmenter.classes.names)
        found = segmenter.classes.names[int(probabilities.mean((1, 2)).argmax())]
        assert found == of, f"label {number}"
        assert abs(probabilities.sum(0, dtype=int) - 255).max() <= 4
    size = SHAPES[name]["size"]
    assert probabilities.shape[1:] == ((size, size) if size else probabilities.shape[1:])


def test_a_recipes_normalisation_and_order_of_colours_are_obeyed(tmp_path: Path) -> None:
    path = model(tmp_path / "two.onnx", 1, None, end="Sigmoid")
    described = "classes: [background, person]\nactivation: none\nmean: [0.2, 0.2, 0.2]\nstd: [0.5, 0.5, 0.5]\n"
    (tmp_path / "two.yaml").write_text(described)
    # The network turns over at 0.5; (x − 0.2) / 0.5 is that at 0.45.
    for level, person in ((0.40, False), (0.50, True)):
        assert (open_engine(path, "openvino", "fp32", 1)(grey(level)[None])[0, 1] > 127).all() == person
    red = np.zeros((1, 32, 32, 3), np.uint8)
    red[..., 2] = 255
    first = described.replace("[0.2, 0.2, 0.2]", "[0, 1, 1]").replace("[0.5, 0.5, 0.5]", "[0.25, 1, 1]")
    (tmp_path / "two.yaml").write_text(first)
    assert (open_engine(path, "openvino", "fp32", 1)(red)[0, 1] > 127).all()
    (tmp_path / "two.yaml").write_text(first + "channels: bgr\n")
    assert (open_engine(path, "openvino", "fp32", 1)(red)[0, 1] < 127).all()


def test_a_model_that_tells_people_alone_streams_and_its_garments_are_absent(tmp_path: Path) -> None:
    path = model(tmp_path / "u2netp.onnx", **SHAPES["u2netp"])
    shutil.copy(RECIPES / "u2netp.yaml", tmp_path)
    cv2.imwrite(str(tmp_path / "bright.png"), grey(0.9))
    (tmp_path / "run.yaml").write_text(
        f"cameras: {{front: {{source: {tmp_path}/bright.png}}}}\ncutout: clothing\n"
        f"model: {{weights: {path}, threads: 1}}\n"
        f"outputs: [{{kind: recording, path: {tmp_path}/parts.png, shows: parts}},"
        f" {{kind: recording, path: {tmp_path}/cut.png, shows: cutout}}]\n"
    )
    assert command.main([str(tmp_path / "run.yaml"), "--inline"]) == 0
    person = cv2.imread(str(next(tmp_path.glob("parts*.png"))), cv2.IMREAD_UNCHANGED)
    assert person is not None
    assert (person == 1).all()
    cut = cv2.imread(str(next(tmp_path.glob("cut*.png"))), cv2.IMREAD_UNCHANGED)
    assert cut is not None
    assert not cut[..., 3].any()


@pytest.mark.parametrize(
    ("described", "sentence"),
    [
        (None, "says nothing of its classes; put two.yaml beside it"),
        ("classes: [background, coat]", "the role of class 'coat' is unknown"),
        ("labels: {wall: background, who: person}\nactivatoin: none", "unknown key activatoin"),
        (
            "classes: [background, person]\nlabels: {wall: background}",
            "labels for each class .*; wrong: person",
        ),
        ("classes: [background, person]\nstd: [0, 1, 1]", "standard deviations above 0"),
        ("classes: background", "does not describe a model"),
        ("[1, 2]", "does not describe a model"),
    ],
)
def test_a_file_that_cannot_be_told_is_refused_in_a_sentence(
    tmp_path: Path, described: str | None, sentence: str
) -> None:
    path = model(tmp_path / "two.onnx", 2, 32)
    if described is not None:
        (tmp_path / "two.yaml").write_text(described)
    with pytest.raises(ValueError, match=sentence) as caught:
        open_engine(path, "openvino", "fp32", 1)
    assert "\n" not in str(caught.value)


def test_another_number_of_planes_than_of_labels_is_refused(tmp_path: Path) -> None:
    path = model(tmp_path / "two.onnx", 3, None)
    (tmp_path / "two.yaml").write_text("classes: [background, person]\n")
    with pytest.raises(ValueError, match="expected an output of 2 planes, as the model's labels say, got"):
        open_engine(path, "openvino", "fp32", 1)(grey(0.5)[None])


@pytest.mark.parametrize("name", ["broken.onnx", "broken.xml", "model.pth", "missing.onnx"])
def test_what_is_no_model_is_refused(tmp_path: Path, name: str) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"\xff\x01<rt_info><clothseg>")
        (tmp_path / name).with_suffix(".yaml").write_text("classes: [background, person]\n")
    with pytest.raises((ValueError, FileNotFoundError), match=name.replace(".", r"\.")):
        open_engine(tmp_path / name, "auto", "auto", 1)
