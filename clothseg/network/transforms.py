"""Picture to network input and logits to probabilities: the one place, for training, inference and export."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor


def network_size(height: int, width: int, area_px: int, multiple_px: int) -> tuple[int, int]:
    """The (h, w) at which a picture enters the network: its aspect, about `area_px` pixels.

    Both sides are multiples of `multiple_px`, at least one. Raises ValueError for a picture without pixels.
    """
    if height < 1 or width < 1:
        raise ValueError(f"expected a picture with pixels, got {height}×{width}; check its source")
    scale = sqrt(area_px / (height * width)) / multiple_px
    h, w = (max(1, round(side * scale)) * multiple_px for side in (height, width))
    return h, w


def to_network(picture: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Resize a picture (H, W, 3) uint8 to the network's (h, w, 3), without aliasing."""
    h, w = size
    # Halved first: averaging areas of any other size is several times as slow, and within a grey level or two the same.
    while picture.shape[0] >= 2 * h and picture.shape[1] >= 2 * w:
        picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    shrinks = h * w < picture.shape[0] * picture.shape[1]
    resized = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def mask_to_network(mask: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Resize a class-index mask (H, W) uint8 to (h, w), nearest only: between two classes lies a third."""
    h, w = size
    return np.asarray(cv2.resize(mask, (w, h), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def normalise(pictures: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Pictures (B, h, w, 3) uint8 BGR to network input (B, 3, h, w) float32 RGB, `(x / 255 − mean) / std`."""
    from torch import float32, tensor

    scale = tensor([1 / (255 * s) for s in std], device=pictures.device).view(1, 3, 1, 1)
    shift = tensor([m / s for m, s in zip(mean, std, strict=True)], device=pictures.device).view(1, 3, 1, 1)
    return pictures.permute(0, 3, 1, 2).flip(1).to(float32) * scale - shift


def quantise(logits: Tensor) -> Tensor:
    """Logits (B, K, h, w) to class probabilities (B, K, h, w) uint8, 255 for certain."""
    from torch import uint8

    return (logits.softmax(1) * 255 + 0.5).to(uint8)


def probabilities_at(probabilities: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resize probabilities (K, h, w) uint8 to (K, H, W) float32, 0..1, bilinear; their argmax is the mask."""
    height, width = size
    planes = np.ascontiguousarray(probabilities.transpose(1, 2, 0)).astype(np.float32) / 255
    resized = cv2.resize(planes, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized.transpose(2, 0, 1), dtype=np.float32)
