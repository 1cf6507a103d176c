"""A model with other classes, or the same in another order, is data: it trains, exports, streams and dresses."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
import torch

from clothseg.classes import USUAL, ClassEntry, ClassMap, class_map
from clothseg.command import export, train
from clothseg.labels import TOP
from clothseg.network.architecture import ARCHITECTURES
from clothseg.network.checkpoint import DEFAULT_WEIGHTS, load, read_metadata, save
from clothseg.segmenter import Segmenter
from stream.composite.compositor import Compositor
from stream.message import CompositedFrame, Pixels, SegmentedFrame
from stream.run import command
from stream.settings.config import Camera
from stream.settings.parse import parse
from stream.sources import open_source
from stream.sources.synthetic import figure
from tests.stream.pictures import frame

CLIP = Path("configs/clips/again.mkv")
GARMENTS = Path("configs/garments")
NAMES = ("background", "person", "outerwear", "top", "bottom", "dress")
ENTRIES = "[background, person, {name: outerwear, role: garment, region: upper}, top, bottom, dress]"
SIX = class_map([*USUAL.names, ClassEntry("outerwear", "garment", "upper")])


def composited(picture: Pixels, classes: ClassMap, probabilities: Pixels, **groups: Any) -> CompositedFrame:
    settings = parse({"cameras": {"front": {"source": "synthetic:"}}, **groups})
    made = frame()
    made = dataclasses.replace(made, picture=dataclasses.replace(made.picture, pixels=picture))
    (shown,) = Compositor(settings, print)(SegmentedFrame(made, classes, probabilities))
    assert isinstance(shown, CompositedFrame)
    return shown


def shuffled(weights: Path, out: Path, order: list[int]) -> Path:
    """The same network, its output planes in another `order`."""
    about, state = load(weights)
    fold = ARCHITECTURES[about.architecture].stem ** 2
    rows = torch.tensor([plane * fold + inner for plane in order for inner in range(fold)])
    for name in [name for name in state if name.startswith(("side", "outconv"))]:
        state[name] = state[name][rows]
    sides = state["outconv.weight"].shape[1] // len(rows)
    columns = torch.cat([rows + side * len(rows) for side in range(sides)])
    state["outconv.weight"] = state["outconv.weight"][:, columns]
    save(out, msgspec.structs.replace(about, classes=tuple(about.classes[plane] for plane in order)), state)
    return out


def test_a_file_whose_classes_stand_in_another_order_gives_the_same_pictures(tmp_path: Path) -> None:
    other = shuffled(DEFAULT_WEIGHTS, tmp_path / "other.safetensors", [4, 2, 0, 3, 1])
    assert read_metadata(other).classes == ("dress", "top", "background", "bottom", "person")
    dressed = {
        "cutout": "clothing",
        "view": {"panels": ["composite", "parts"]},
        "effects": [
            {"effect": "background_blur"},
            {"effect": "recolour", "part": "bottom", "colour": "#aa2233"},
            {"effect": "garment", "part": "top", "image": str(GARMENTS / "striped-top.png")},
        ],
    }
    picture = next(iter(open_source(Camera(source=str(CLIP))))).pixels
    shown = []
    for weights in (DEFAULT_WEIGHTS, other):
        segmenter = Segmenter.load(weights, "openvino", "fp32", 1)
        assert segmenter.classes == USUAL
        shown.append(composited(picture, segmenter.classes, segmenter.probabilities(picture), **dressed))
    usual, moved = shown
    assert (usual.parts == TOP).mean() > 0.05
    for name in ("probabilities", "parts", "alpha", "foreground", "composite"):
        assert np.array_equal(getattr(usual, name), getattr(moved, name)), name


def test_a_garment_that_the_usual_model_does_not_know_is_cut_out_and_dressed() -> None:
    pixels, parts = figure(0, (320, 192))
    worn = SIX.index("outerwear")
    places = np.array([0, 1, worn, SIX.index("bottom"), SIX.index("dress")], np.uint8)
    planes = np.stack([(places[parts] == index).astype(np.uint8) * 255 for index in range(6)])
    plain = composited(pixels, SIX, planes, cutout="outerwear", effects=[])
    assert (plain.parts == worn).mean() > 0.01
    assert plain.alpha[plain.parts == worn].mean() > 200
    assert not plain.alpha[plain.parts == SIX.index("dress")].any()
    for effect in (
        {"effect": "recolour", "part": "outerwear", "colour": "#20c020"},
        {"effect": "texture", "part": "outerwear", "image": "configs/textures/tartan.png"},
        {"effect": "garment", "part": "outerwear", "image": str(GARMENTS / "flannel.png")},
    ):
        shown = composited(pixels, SIX, planes, effects=[effect])
        changed = (shown.composite != pixels).any(2)
        assert changed[plain.parts == worn].mean() > 0.8, effect
        assert changed[plain.parts == SIX.index("bottom")].mean() < 0.1, "but for the soft edge between them"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures, each with a figure in the colours of its six classes."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (len(NAMES), 3))
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number in range(4):
        mask = np.zeros((64, 48), np.uint8)
        for index in range(1, len(NAMES)):
            mask[10 * index : 10 * index + 10, 8 + number : 40] = index
        cv2.imwrite(str(tmp_path / f"images/{number}.png"), colours[mask].astype(np.uint8))
        cv2.imwrite(str(tmp_path / f"masks/{number}.png"), mask)
    return tmp_path


@pytest.mark.timeout(360)
def test_a_network_with_six_classes_trains_exports_and_streams(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"{{layout: folder, root: {folder}}}"
    (folder / "six.yaml").write_text(
        f"architecture: u2netp-stem2\nclasses: {ENTRIES}\ndata: [{source}]\nvalidation: {source}\n"
        "aspects: [1.0]\nphases: [{steps: 2, area_px: 1024, batch: 2, learning_rate: 1.0e-3}]\n"
    )
    torch.set_num_threads(1)  # more would wait for each other where tests share the cores
    train.run(folder / "six.yaml", folder / "run")
    weights = folder / "run/weights.safetensors"
    assert read_metadata(weights).class_map == SIX
    assert set(read_metadata(weights).metrics["val"]) >= {"outerwear", "dress"}

    # Two steps teach nothing: all is made outerwear, so that something can be seen.
    about, state = load(weights)
    state["outconv.bias"][4 * SIX.index("outerwear") : 4 * SIX.index("outerwear") + 4] += 100
    save(weights, about, state)
    (folder / "material.yaml").write_text(f"calibration: [{source}]\njudged: {source}\n")
    monkeypatch.setattr(sys, "argv", ["export", "openvino", str(weights), "--material", str(folder / "material.yaml")])
    assert export.main() == 0

    (folder / "stream.yaml").write_text(
        f"cameras: {{front: {{source: {folder / 'images'}}}}}\ncutout: outerwear\nmatting: off\n"
        f"model: {{weights: {weights.with_suffix('.xml')}, threads: 1}}\n"
        "effects: [{effect: recolour, part: outerwear, colour: '#20c020'}]\n"
        f"outputs: [{{kind: recording, path: {folder}/cut.png, shows: cutout}},"
        f" {{kind: recording, path: {folder}/view.png, shows: composite}}]\n"
    )
    assert command.main([str(folder / "stream.yaml"), "--inline"]) == 0
    cut = cv2.imread(str(next(folder.glob("cut*.png"))), cv2.IMREAD_UNCHANGED)
    view = cv2.imread(str(next(folder.glob("view*.png"))))
    assert cut is not None
    assert view is not None
    assert (cut[..., 3] == 255).all(), "everything is outerwear"
    assert (view[..., 1] > view[..., 2].astype(int) + 20).mean() > 0.8, "and dyed green"


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ("[background, person, outerwear, top]", "the role of class 'outerwear' is unknown"),
        ("[person, background]", "expected the classes in the order background, person, got person, background"),
    ],
)
def test_training_on_classes_that_cannot_be_told_is_refused(tmp_path: Path, classes: str, sentence: str) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        f"architecture: u2netp-stem2\nclasses: {classes}\ndata: [{{layout: folder, root: {tmp_path}}}]\nphases: []\n"
    )
    with pytest.raises(ValueError, match=sentence):
        train.run(config, tmp_path / "out")


def test_a_stream_of_a_file_whose_roles_cannot_be_told_is_refused_at_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = DEFAULT_WEIGHTS.read_bytes()
    (tmp_path / "other.safetensors").write_bytes(content.replace(b'\\"dress\\"', b'\\"skirt\\"'))
    (tmp_path / "run.yaml").write_text(
        f"cameras: {{front: {{source: {CLIP}}}}}\nmodel: {{weights: {tmp_path / 'other.safetensors'}}}\n"
    )
    assert command.main([str(tmp_path / "run.yaml"), "--inline"]) == 2
    said = "".join(capsys.readouterr())
    assert "the role of class 'skirt' is unknown" in " ".join(said.split())


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ("cutout: hat", "cutout: expected one of person, clothing, top, bottom, dress, got hat"),
        (
            "effects: [{effect: recolour, part: hat, colour: '#ffffff'}]",
            "effects[0].part: expected one of top, bottom, dress, got hat",
        ),
    ],
)
def test_what_the_model_does_not_tell_is_refused_at_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], groups: str, sentence: str
) -> None:
    (tmp_path / "run.yaml").write_text(f"cameras: {{front: {{source: {CLIP}}}}}\n{groups}\n")
    assert command.main([str(tmp_path / "run.yaml"), "--inline"]) == 2
    assert sentence in " ".join("".join(capsys.readouterr()).split())
