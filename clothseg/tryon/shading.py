"""The light on a worn garment: how its folds darken and lighten it, apart from its colour."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.tryon.blend import Image

_MEDIAN = 80.0  # of 255: leaves room for what is three times as bright as the median
_SAMPLES = 2000  # pixels looked at to measure the light: enough for percentiles
_TIME_CONSTANT_MS = 400.0  # a hand passing before the garment must not change its colour
_REMEASURE_MS = 100  # so it is not measured in every picture
_FLOOR = 4.0  # grey levels added before the logarithm: below, there is noise, not light
_SPREAD = (0.30, 0.09)  # what a black and a white garment show of folds, as `Light.spread`
_GAIN = (0.2, 1.6)  # how far folds are flattened or deepened: more would show camera noise as folds
_SHADE = 1.4  # deepest fold, in logarithms of 8-bit values


class Light(NamedTuple):
    """A garment's own colour and the light on it.

    cloth: (3,) blue, green, red, the median of 0 to 255, plus `_FLOOR`. spread: half the way from the 10th to the 90th
    percentile of the logarithm of brightness relative to it. exposure: how bright white is in this picture,
    0 to 1.
    """

    cloth: NDArray[np.float64]
    spread: float
    exposure: float
    pts_ns: int


def follow_light(
    light: Light | None, picture: Image, foreground: Image, alpha: NDArray[np.uint8], pts_ns: int
) -> Light | None:
    """Measure the light on the garment that `alpha` (H, W) marks in `foreground` (H, W, 3) and average it
    over time.

    `picture` is the whole camera picture: its brightest parts give the brightness of white. The previous value stays,
    None to begin with, while too little of the garment is seen.
    """
    if light is not None and 0 <= pts_ns - light.pts_ns < _REMEASURE_MS * 1e6:
        return light
    step = max(round(math.sqrt(alpha.size / _SAMPLES)), 1)
    seen = foreground[::step, ::step][alpha[::step, ::step] > 250]
    if len(seen) < 16:
        return light
    cloth = np.median(seen, axis=0) + _FLOOR
    low, middle, high = np.log(np.percentile((seen + _FLOOR) @ (cloth / (cloth @ cloth)), (10, 50, 90)))
    white = np.percentile(picture[:: 8 * step, :: 8 * step].max(axis=2), 98)
    spread, exposure = min(float(high - middle), float(middle - low)), min(float(white) / 235, 1.0)
    if light is None:
        return Light(cloth, spread, exposure, pts_ns)
    weight = 1 - math.exp(-max(pts_ns - light.pts_ns, 0) / 1e6 / _TIME_CONSTANT_MS)
    return Light(
        light.cloth + weight * (cloth - light.cloth),
        light.spread + weight * (spread - light.spread),
        light.exposure + weight * (exposure - light.exposure),
        pts_ns,
    )


def fold_levels(foreground: Image, light: Light) -> NDArray[np.uint8]:
    """Return the brightness of each pixel of a worn garment, relative to its median: (H, W) uint8, the median at
    `_MEDIAN`.

    `foreground` is (H, W, 3) uint8 BGR. Channels count by how much of the garment's own colour is in them:
    there its folds show best.
    """
    weights = _MEDIAN * light.cloth / (light.cloth @ light.cloth)
    return np.asarray(cv2.blur(cv2.transform(foreground, weights[None].astype(np.float32)), (3, 3)), np.uint8)


def fold_gains(light: Light, brightness: float, print_spreads: float) -> NDArray[np.float64]:
    """Return the gains of a new cloth's 8-bit values at each of `fold_levels`: (256,), 1 at the median.

    `brightness`, 1 to 255, is the new cloth's brightest channel. Dark cloth shows more contrast than light
    cloth, which scatters light into its own folds and has no room above: the worn garment's spread is
    turned into the spread typical of the new one, and what is brighter than the median is bent to stay
    below white. What is brighter by more than `print_spreads` spreads is taken for a print or a logo and
    faded; infinite: nothing is. In powers of 8-bit values, which is linear light as `colour.GAMMA` has it.
    """
    floor = _MEDIAN * _FLOOR * float(light.cloth.sum() / (light.cloth @ light.cloth))
    fold = np.log((np.arange(256) + floor) / _MEDIAN)
    far = np.maximum(fold, 0) / (max(light.spread, 0.02) * print_spreads)
    fold *= np.exp(-(far**4))
    dark, bright = _SPREAD
    wanted = dark + (bright - dark) * brightness / 255
    fold *= np.clip(wanted / max(light.spread, 0.01), *_GAIN)
    room = max(math.log(255 / brightness), 0.02)
    up = room * (1 - np.exp(-np.maximum(fold, 0) / room))
    down = _SHADE * (np.exp(np.minimum(fold, 0) / _SHADE) - 1)
    return np.asarray(np.exp(up + down))
