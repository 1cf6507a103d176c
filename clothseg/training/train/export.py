"""Other forms of a checkpoint: written only when they agree with torch, and judged by what accuracy they lose."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.engines import Engine, open_engine
from clothseg.engines.graph import read_weights
from clothseg.network.checkpoint import Metadata, load, save
from clothseg.network.transforms import mask_to_network, network_size, to_network
from clothseg.training.eval.metrics import class_iou, confusion, person_iou
from clothseg.training.samples import DataSet, Sample, read

Pixels = NDArray[np.uint8]
Size = tuple[int, int] | None  # (h, w) of the network's input; none: by each picture's aspect


_VIDEOS: Final = {".avi", ".mkv", ".mov", ".mp4", ".webm"}


class CalibrationData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pictures an export is calibrated on and judged by.

    calibration: labelled data sets of which int8 sees the pictures, never those it is judged by.
    clips: videos, or folders of them, of which it sees `frames_per_clip` each, evenly spread.
    judged: labelled pictures, none used for calibration.
    """

    calibration: list[DataSet]
    judged: DataSet
    clips: list[Path] = []
    frames_per_clip: int = 4
    pictures: int = 160  # of each calibration set, the first


def with_classes(material: CalibrationData, names: tuple[str, ...]) -> CalibrationData:
    """The material for a model of these classes: what the indices in its masks mean."""
    calibration = [msgspec.structs.replace(data, classes=names) for data in material.calibration]
    judged = msgspec.structs.replace(material.judged, classes=names)
    return msgspec.structs.replace(material, calibration=calibration, judged=judged)


class ParityBound(NamedTuple):
    """Bounds of an export's error against torch: mean |Δ probability| of 255, share of pixels of another class."""

    difference: float
    share_changed: float


class Parity(NamedTuple):
    """An export's difference from torch, in the units of `ParityBound`."""

    difference: float
    share_changed: float

    def within(self, bound: ParityBound) -> bool:
        """Return whether neither measure is over its bound."""
        return self.difference <= bound.difference and self.share_changed <= bound.share_changed


def to_safetensors(weights: Path, out: Path) -> Engine:
    """Write the weights as float16 safetensors, as they ship."""
    metadata, state = load(weights)
    save(out, metadata, state)
    return open_engine(out, "torch", "fp32", 0)


def to_onnx(weights: Path, out: Path, size: Size) -> Engine:
    """Write float32 ONNX with an open batch, at a fixed size (h, w) or (none) an open one."""
    import onnx

    from clothseg.engines.export_onnx import model_of

    onnx.save(model_of(read_weights(weights), size), out)
    return open_engine(out, "onnxruntime", "fp32", 0)


def to_openvino(weights: Path, out: Path) -> Engine:
    """Write float32 OpenVINO IR, `out` (.xml) and a .bin beside it, at an open size."""
    import openvino as ov

    from clothseg.engines.export_openvino import model_of

    ov.save_model(model_of(read_weights(weights)), out, compress_to_fp16=False)
    return open_engine(out, "openvino", "fp32", 0)


def to_int8(weights: Path, out: Path, inputs: Sequence[Pixels]) -> Engine:
    """Write int8 OpenVINO IR, calibrated on `inputs` (h, w, 3), tied to the weights by their fingerprint.

    Post-training quantisation of NNCF: activations per tensor, weights per channel, fast bias correction.
    """
    import nncf
    import openvino as ov

    from clothseg.engines.cache import fingerprint
    from clothseg.engines.export_openvino import describe, model_of
    from clothseg.engines.openvino import FINGERPRINT

    content = read_weights(weights)
    batches = nncf.Dataset([picture[None] for picture in inputs])
    quantised = nncf.quantize(
        model_of(content),
        batches,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
    )
    describe(quantised, content.metadata)
    quantised.set_rt_info(fingerprint(weights), FINGERPRINT)
    ov.save_model(quantised, out, compress_to_fp16=False)
    return open_engine(out, "openvino", "fp32", 0)


def parity(engine: Engine, reference: Engine, inputs: Sequence[Pixels]) -> Parity:
    """Compare two engines on network inputs (h, w, 3)."""
    differences, changes = [], []
    for picture in inputs:
        engine_result, torch_result = (run(picture[None])[0] for run in (engine, reference))
        differences.append(cv2.absdiff(engine_result, torch_result).mean())
        changes.append((engine_result.argmax(0) != torch_result.argmax(0)).mean())
    return Parity(float(np.mean(differences)), float(np.mean(changes)))


def intersection_over_union(
    engine: Engine, samples: Sequence[Sample], metadata: Metadata, size: Size
) -> dict[str, float]:
    """IoU of the person (all that is not background) and of each garment, pixels pooled, at network size.

    A class no sample shows is left out.
    """
    classes = metadata.class_map
    table = np.zeros((len(classes.names),) * 2, np.int64)
    for sample in samples:
        picture = _input(sample.picture, metadata, size)
        truth = mask_to_network(sample.mask, (picture.shape[0], picture.shape[1]))
        table += confusion(truth, engine(picture[None])[0].argmax(0).astype(np.uint8), len(table))
    ious = class_iou(table)
    scores = {"person": person_iou(table)} | {classes.names[garment]: ious[garment] for garment in classes.garments}
    return {name: score for name, score in scores.items() if score is not None}


def calibration_inputs(material: CalibrationData, metadata: Metadata, size: Size) -> list[Pixels]:
    """The pictures to calibrate on, at network size; shuffled by a fixed seed, so that any part is a fair one."""
    samples = [sample for data in material.calibration for sample in islice(read(data), material.pictures)]
    frames = [frame for clip in _files(material.clips) for frame in _frames(clip, material.frames_per_clip)]
    pictures = [*(sample.picture for sample in samples), *frames]
    order = np.random.default_rng(0).permutation(len(pictures))
    return [_input(pictures[index], metadata, size) for index in order]


def _input(picture: Pixels, metadata: Metadata, size: Size) -> Pixels:
    height, width = picture.shape[:2]
    return to_network(picture, size or network_size(height, width, metadata.area_px, metadata.multiple_px))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(p for p in path.iterdir() if p.suffix in _VIDEOS) if path.is_dir() else [path]


def _frames(clip: Path, count: int) -> Iterator[Pixels]:
    """Frames evenly spread over a video; raises ValueError where it has none."""
    video = cv2.VideoCapture(str(clip))
    total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = {int(i) for i in np.linspace(0, total - 1, count + 2)[1:-1]}
    found = 0
    for index in range(total):
        if not video.grab():
            break
        if index in wanted:
            found += 1
            yield np.asarray(video.retrieve()[1], np.uint8)
    if not found:
        raise ValueError(f"{clip}: expected a video with frames, got none; remove it from the clips")
