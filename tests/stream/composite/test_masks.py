"""Edges of the frames of one camera lean on those of the frame before, also where the network has not answered yet."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from clothseg.classes import USUAL
from stream.composite.masks import MaskState, make_masks
from stream.message import Picture, Pixels, PropagatedFrame, SegmentedFrame
from stream.settings.config import Run
from stream.settings.parse import parse
from stream.sources.synthetic import figure
from tests.stream.pictures import CLASSES, frame

SIZE_PX = (320, 192)


def settings(**groups: Any) -> Run:
    return parse({"cameras": {"front": {"source": "synthetic:"}}, **groups})


def grainy(seq: int) -> SegmentedFrame:
    """The drawn figure, standing still before a noisy camera, as a network sees it that is a little unsure at edges."""
    pixels, parts = figure(0, SIZE_PX)
    noise = np.random.default_rng(seq).normal(0, 6, pixels.shape)
    seen = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    small = parts[::2, ::2]
    planes = np.stack([(small == index).astype(np.uint8) * 235 for index in range(len(CLASSES))])
    planes[0] += 255 - planes.sum(0).astype(np.uint8)
    return SegmentedFrame(dataclasses.replace(frame(seq), picture=Picture(seen, seq * 33_333_333, seq)), USUAL, planes)


def alphas(items: list[Any], run: Run) -> list[Pixels]:
    past, made = MaskState(), []
    for item in items:
        past, masks = make_masks(item, past, run)
        made.append(masks.matte.alpha)
    return made


def flicker(made: list[Pixels]) -> float:
    """Mean change of alpha at the edges, of 255."""
    edge = (np.min(made, 0) < 255) & (np.max(made, 0) > 0)
    return float(np.abs(np.diff(np.asarray(made, np.int16)[:, edge], axis=0)).mean())


@pytest.mark.parametrize("carried", [False, True])
def test_edges_flicker_less_than_each_frames_own(carried: bool) -> None:
    """Whether the network answers each frame, or only the first and the others go ahead of their masks."""
    items: list[Any] = [grainy(seq) for seq in range(6)]
    if carried:
        items[1:] = [PropagatedFrame(item.frame, "ahead") for item in items[1:]]
    led, alone = (alphas(items, settings(matting={"edge_memory_ms": ms})) for ms in (150, 0))
    assert flicker(led) < 0.75 * flicker(alone)


def test_edges_are_each_frames_own_where_nothing_is_smoothed() -> None:
    items: list[Any] = [grainy(seq) for seq in range(3)]
    led, alone = (alphas(items, settings(smoothing="off", matting={"edge_memory_ms": ms})) for ms in (150, 0))
    assert all((one == two).all() for one, two in zip(led, alone, strict=True))
