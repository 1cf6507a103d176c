"""Predictors to score in one table: one of our models, a folder of masks, any ONNX person segmenter."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.engines import EngineName, Precision
from clothseg.labels import BACKGROUND, CLASSES, PERSON
from clothseg.network.transforms import probabilities_at, to_network
from clothseg.segmenter import Segmenter
from clothseg.training.samples import Sample, read_index_mask

Pixels = npt.NDArray[np.uint8]


class Prediction(NamedTuple):
    """A prediction of one picture, all (H, W) uint8 at the picture's size.

    parts: class indices. alpha: the person's share of a pixel, 0..255. confidence: the winner's probability,
    0..255; none where the predictor gives no probabilities. tells_garments: False for one that finds people alone.
    """

    parts: Pixels
    alpha: Pixels
    confidence: Pixels | None = None
    tells_garments: bool = True


Predictor = Callable[[Sample], Prediction]


def from_probabilities(planes: Pixels, size: tuple[int, int]) -> Prediction:
    """The prediction that class probabilities (K, h, w) uint8 make at the size (H, W)."""
    full = probabilities_at(planes, size)
    parts = full.argmax(0).astype(np.uint8)
    alpha = np.rint((1 - full[BACKGROUND]) * 255).clip(0, 255).astype(np.uint8)
    confidence = np.rint(full.max(0) * 255).clip(0, 255).astype(np.uint8)
    return Prediction(parts, alpha, confidence)


def from_weights(weights: Path, engine: EngineName, precision: Precision) -> Predictor:
    """Return one of our models on one of its engines, as a stream runs it but for smoothing and matting."""
    segmenter = Segmenter.load(weights, engine, precision)
    return lambda sample: from_probabilities(segmenter.probabilities(sample.picture), sample.mask.shape)


def remembered(predict: Predictor) -> Predictor:
    """Return a predictor that caches by the sample's name: for scoring one prediction by two truths."""
    predictions: dict[str, Prediction] = {}

    def recall(sample: Sample) -> Prediction:
        if sample.name not in predictions:
            predictions[sample.name] = predict(sample)
        return predictions[sample.name]

    return recall


def from_masks(folder: Path) -> Predictor:
    """Masks made elsewhere: `NAME.png` with indices of `CLASSES`, each of its picture's size."""

    def predict(sample: Sample) -> Prediction:
        parts = read_index_mask(folder / f"{sample.name}.png")
        if parts.max(initial=0) >= len(CLASSES):
            raise ValueError(f"{sample.name}: the mask holds index {parts.max()}, expected 0..{len(CLASSES) - 1}")
        return Prediction(parts, np.where(parts == BACKGROUND, 0, 255).astype(np.uint8))

    return predict


def from_mattes(folder: Path) -> Predictor:
    """Person mattes made elsewhere: `NAME.png`, grey, 255 for the person; without garment classes."""
    return lambda sample: from_matte(read_index_mask(folder / f"{sample.name}.png"))


def from_matte(alpha: Pixels) -> Prediction:
    """The prediction a person matte (H, W) uint8 makes: a person where it is over a half."""
    parts = np.where(alpha > 127, PERSON, BACKGROUND).astype(np.uint8)
    return Prediction(parts, alpha, tells_garments=False)


def from_onnx_person(model: Path, mean: float, std: float) -> Predictor:
    """An ONNX person or salient-object segmenter: one RGB input (1, 3, h, w), `(x / 255 − mean) / std`.

    Its first output is the matte, 0..1; a model of free size is given 1024 × 1024.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    h, w = (side if isinstance(side, int) else 1024 for side in entry.shape[2:4])

    def predict(sample: Sample) -> Prediction:
        rgb = to_network(sample.picture, (h, w))[None, :, :, ::-1].transpose(0, 3, 1, 2)
        matte = session.run(None, {entry.name: ((rgb / np.float32(255) - mean) / std).astype(np.float32)})[0]
        height, width = sample.mask.shape
        full = cv2.resize(np.squeeze(matte), (width, height), interpolation=cv2.INTER_LINEAR)
        return from_matte(np.rint(full.clip(0, 1) * 255).astype(np.uint8))

    return predict
