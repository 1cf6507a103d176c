"""Animates labelled stills into clips with exact masks and exact motion: ground truth for garments in motion.

A cut-out person moves, turns, grows and bends smoothly in front of another still's background, waves an arm,
is crossed by an object, under sensor noise, drifting exposure and a camera that loses frames. Every layer's
place is a closed formula of time that can be inverted, so masks and motion are exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, CLASSES
from clothseg.training.video.layers import (
    Layer,
    Pixels,
    Points,
    crossing_object,
    empty_room,
    swinging_arm,
    walking_figure,
)
from clothseg.training.video.scene import LabelledPhoto, Scene


class AnimatedFrame(NamedTuple):
    """One frame and all that is true of it.

    picture: (H, W, 3) uint8 BGR.
    coverage: (K, H, W) uint8, each class's share of each pixel; the planes sum to 255.
    motion: (H, W, 2) float32; the surface seen at x was seen at x + motion (dx, dy in px) in the frame
    before. NaN where it was hidden or out of view, and everywhere in the first frame.
    pts_ns: presentation time.
    """

    picture: Pixels
    coverage: Pixels
    motion: Points
    pts_ns: int


def animate(person: LabelledPhoto, room: LabelledPhoto, scene: Scene, seed: int) -> Iterator[AnimatedFrame]:
    """Yield the frames of `scene`: `person` cut out and moved in front of `room` without its people.

    The same arguments yield the same bytes. Raises ValueError where `person` shows no one.
    """
    if not (person.labels != BACKGROUND).any():
        raise ValueError("expected a still with a person in it, got only background; choose another")
    rng = np.random.default_rng(seed)
    layers = [empty_room(room, scene, rng), figure := walking_figure(person, scene, rng)]
    if scene.arm_hz:
        layers.append(swinging_arm(person, figure, scene, rng))
    if scene.crossings_hz:
        layers.append(crossing_object(scene, rng))
    grid = np.stack(np.meshgrid(*(np.arange(side, dtype=np.float32) for side in scene.size_px)), axis=2)
    drift = rng.uniform(0, 2 * math.pi, 3)
    before: tuple[float, Pixels] | None = None
    for index in _delivered_frames(scene, rng):
        time = index / scene.rate_hz
        picture, coverage, top, sources = _stack(layers, grid, time)
        motion = np.full_like(grid, np.nan) if before is None else _motion(layers, grid, top, sources, before)
        yield AnimatedFrame(_expose(picture, scene, drift, time, rng), coverage, motion, round(time * 1e9))
        before = (time, top)


def _delivered_frames(scene: Scene, rng: np.random.Generator) -> Iterator[int]:
    """Indices of the frames that are not lost; the first never is."""
    index, frames = 0, max(round(scene.duration_s * scene.rate_hz), 1)
    while index < frames:
        yield index
        gap = int(rng.integers(1, 7)) if rng.random() < scene.lost / (1 + scene.lost) else 0
        index += 1 + gap


def _stack(layers: list[Layer], grid: Points, time: float) -> tuple[NDArray[np.float32], Pixels, Pixels, list[Points]]:
    """Layers over each other: picture float32, coverage, index of the layer seen, coordinates in each."""
    picture = np.zeros((*grid.shape[:2], 3), np.float32)
    share = np.zeros((*grid.shape[:2], len(CLASSES) - 1), np.float32)
    top = np.zeros(grid.shape[:2], np.uint8)
    sources = []
    for number, layer in enumerate(layers):
        source = layer.to_layer(grid, time)
        sources.append(source)
        x, y, wide, tall = cv2.boundingRect(_sample(layer.solid, source, cv2.BORDER_CONSTANT))
        if wide == 0:
            continue
        at = np.s_[y : y + tall, x : x + wide]
        points = np.ascontiguousarray(source[at])
        solid = _sample(layer.solid, points, cv2.BORDER_CONSTANT).astype(np.float32)[..., None] / 255
        picture[at] += solid * (_sample(layer.picture, points, cv2.BORDER_REFLECT_101) - picture[at])
        share[at] += solid * (_sample(layer.coverage, points, cv2.BORDER_REPLICATE) - share[at])
        top[at][solid[..., 0] >= 0.5] = number
    # Rounding the running sum, not each class, keeps the planes' sum at 255.
    sums = [cv2.convertScaleAbs(plane) for plane in itertools.accumulate(cv2.split(share))]
    return picture, np.stack((255 - sums[-1], sums[0], *map(np.subtract, sums[1:], sums))), top, sources


def _sample(plane: Pixels, points: Points, border: int) -> Pixels:
    """Sample a layer at points (H, W, 2), bilinear."""
    looked: Pixels = cv2.remap(plane, points, None, cv2.INTER_LINEAR, borderMode=border)
    return looked


def _motion(
    layers: list[Layer],
    grid: Points,
    top: Pixels,
    sources: list[Points],
    before: tuple[float, Pixels],
) -> Points:
    """Return where what is visible now was `before` (its time and visible layers): see AnimatedFrame."""
    time_before, top_before = before
    motion = np.full_like(grid, np.nan)
    for number, (layer, source) in enumerate(zip(layers, sources, strict=True)):
        x, y, wide, tall = cv2.boundingRect(np.uint8(top == number))
        if wide == 0:
            continue
        at = np.s_[y : y + tall, x : x + wide]
        was = layer.to_frame(source[at], time_before)
        # Outside the picture lies the border's value, which is no layer's number.
        seen_before = cv2.remap(top_before, was, None, cv2.INTER_NEAREST, borderValue=255)
        same = (top[at] == number) & (seen_before == number)
        motion[at][same] = (was - grid[at])[same]
    return motion


def _expose(
    picture: NDArray[np.float32],
    scene: Scene,
    drift: NDArray[np.float64],
    time: float,
    rng: np.random.Generator,
) -> Pixels:
    """Simulate the sensor: slow drift of exposure and white balance, then noise."""
    gain = 1 + scene.exposure * np.sin(0.9 * time + drift[0])
    balance = gain * (1 + 0.3 * scene.exposure * np.sin(np.array([0.7, 0.0, -0.7]) * time + drift[1]))
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(scene.noise)
    seen: Pixels = cv2.convertScaleAbs(np.maximum(picture * balance.astype(np.float32) + noise, 0))
    return seen
