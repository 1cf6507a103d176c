"""The flat, moving layers an animated clip is made of; each one's place is an invertible formula of time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, CLASSES, PERSON
from clothseg.training.video.scene import LabelledPhoto, Scene

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]
_NOMINAL_HZ: Final = 30.0


class Layer(NamedTuple):
    """Something flat that moves: its pixels, its coverage, and where it is at a time.

    picture: (h, w, 3) uint8. coverage: (h, w, K − 1) uint8, classes 1 and up. solid: (h, w) uint8, its shape.
    to_layer, to_frame: points (…, 2) float32 of the frame at a time in s to points of the layer, and back.
    """

    picture: Pixels
    coverage: Pixels
    solid: Pixels
    to_layer: Callable[[Points, float], Points]
    to_frame: Callable[[Points, float], Points]


def _similarity(
    pivot: Points, place: Callable[[float], tuple[float, float, float, float]]
) -> tuple[Callable[[Points, float], Points], Callable[[Points, float], Points]]:
    """Maps to the layer and to the frame for `place(time)` = (x, y, scale, angle in rad) of `pivot`."""

    def turned(time: float) -> NDArray[np.float64]:
        """The 2×3 matrix from layer to frame."""
        x, y, scale, angle = place(time)
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack((turn, np.array([x, y]) - turn @ pivot))

    def to_layer(points: Points, time: float) -> Points:
        moved: Points = cv2.transform(points, cv2.invertAffineTransform(turned(time)))
        return moved

    def to_frame(points: Points, time: float) -> Points:
        moved: Points = cv2.transform(points, turned(time))
        return moved

    return to_layer, to_frame


def walking_figure(person: LabelledPhoto, scene: Scene, rng: np.random.Generator) -> Layer:
    """The person, walking to and fro, leaning and bending."""
    labels = _largest(person.labels)
    left, top, wide, tall = cv2.boundingRect(np.uint8(labels != BACKGROUND))
    width, height = scene.size_px
    scale = scene.body * height / tall
    reach = 0.2 * width
    pace = scene.speed_px * _NOMINAL_HZ / reach
    phase = rng.uniform(0, 2 * math.pi, 6)
    pivot = np.array([left + wide / 2, top + tall / 2], np.float32)
    # A person taller than the picture shows the head and as much of the rest as fits.
    centre_y = 0.5 * height if scene.body <= 1 else 0.06 * height + scale * tall / 2
    lively = min(scene.speed_px, 1.0)

    def place(time: float) -> tuple[float, float, float, float]:
        return (
            0.5 * width + reach * math.sin(pace * time + phase[0]),
            centre_y + 0.02 * height * lively * math.sin(1.7 * time + phase[1]),
            scale * (1 + 0.05 * lively * math.sin(0.8 * time + phase[2])),
            0.06 * lively * math.sin(1.1 * time + phase[3]),
        )

    def sway(y: Points, time: float) -> Points:
        wave: Points = np.sin(y * (4.2 / tall) + (2.6 * time + float(phase[4])))
        return float(scene.bend * tall) * wave

    def nod(x: Points, time: float) -> Points:
        wave: Points = np.sin(x * (4.2 / tall) + (1.9 * time + float(phase[5])))
        return float(0.4 * scene.bend * tall) * wave

    stiff_to_layer, stiff_to_frame = _similarity(pivot, place)

    def to_layer(points: Points, time: float) -> Points:
        bent = stiff_to_layer(points, time)
        y = bent[..., 1] - nod(bent[..., 0], time)
        return np.stack((bent[..., 0] - sway(y, time), y), axis=-1)

    def to_frame(points: Points, time: float) -> Points:
        x = points[..., 0] + sway(points[..., 1], time)
        return stiff_to_frame(np.stack((x, points[..., 1] + nod(x, time)), axis=-1), time)

    solid = np.where(labels != BACKGROUND, np.uint8(255), np.uint8(0))
    # Colours from well inside, drawn outwards: at the label's edge the photo already shows its background.
    inside = cv2.erode(solid, np.ones((3, 3), np.uint8))
    picture = _fill(person.picture, inside if inside.any() else solid)
    planes = [np.where(labels == k, np.uint8(255), np.uint8(0)) for k in range(1, len(CLASSES))]
    known = cv2.merge([_fill(cv2.merge([plane] * 3), solid)[..., 0] for plane in planes])
    return Layer(picture, _soften(known), _soften(solid), to_layer, to_frame)


def _largest(labels: Pixels) -> Pixels:
    """Labels of the largest connected person only."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(np.uint8(labels != BACKGROUND), connectivity=8)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.where(parts == largest, labels, np.uint8(BACKGROUND))


def empty_room(room: LabelledPhoto, scene: Scene, rng: np.random.Generator) -> Layer:
    """The background of a still, its people painted out, as a lens behind the person would draw it."""
    near = cv2.dilate(np.uint8(room.labels != BACKGROUND), np.ones((25, 25), np.uint8))
    known = np.where(near == 0, np.uint8(255), np.uint8(0))
    picture = _fill(room.picture, known) if known.any() else room.picture
    width, height = scene.size_px
    scale = 1.15 * max(width / picture.shape[1], height / picture.shape[0])
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.004 * height)
    pivot = np.array([picture.shape[1] / 2, picture.shape[0] / 2], np.float32)
    phase = rng.uniform(0, 2 * math.pi, 2)
    # A hand-held camera when the person moves, a fixed one when not.
    shake = 0.01 * height * min(scene.speed_px / 5, 1)

    def place(time: float) -> tuple[float, float, float, float]:
        x, y = (shake * math.sin(rate * time + p) for rate, p in zip((1.3, 1.7), phase, strict=True))
        return 0.5 * width + x, 0.5 * height + y, 1.0, 0.0

    solid = np.full(picture.shape[:2], 255, np.uint8)
    return Layer(picture, np.zeros((*solid.shape, len(CLASSES) - 1), np.uint8), solid, *_similarity(pivot, place))


def swinging_arm(person: LabelledPhoto, figure: Layer, scene: Scene, rng: np.random.Generator) -> Layer:
    """A bare forearm and hand, swung across the clothes from where a shoulder would be."""
    _, height = scene.size_px
    length = max(round(0.3 * scene.body * height), 8)
    thick = length / 9
    x, y = np.meshgrid(
        np.arange(length + 1, dtype=np.float32), np.arange(-length // 4, length // 4 + 1, dtype=np.float32)
    )
    half = thick * (1.15 - 0.45 * x / length)
    hand = ((x - 0.88 * length) / (1.5 * thick)) ** 2 + (y / (1.05 * thick)) ** 2 < 1
    shape = ((np.abs(y) < half) & (x < 0.9 * length)) | hand
    tone = np.array([120.0, 150.0, 205.0]) * rng.uniform(0.55, 1.1)
    round_off = 1 - 0.35 * np.clip(np.abs(y) / (1.1 * thick), 0, 1) ** 2
    picture = np.clip(tone * round_off[..., None], 0, 255).astype(np.uint8)
    solid = np.where(shape, np.uint8(255), np.uint8(0))
    coverage = np.zeros((*solid.shape, len(CLASSES) - 1), np.uint8)
    coverage[..., PERSON - 1] = 255
    left, top, wide, tall = cv2.boundingRect(np.uint8(person.labels != BACKGROUND))
    shoulder = np.array([[[left + 0.3 * wide, top + 0.2 * tall]]], np.float32)
    phase = rng.uniform(0, 2 * math.pi)

    def place(time: float) -> tuple[float, float, float, float]:
        at = figure.to_frame(shoulder, time)[0, 0]
        angle = 0.5 * math.pi + 1.1 * math.sin(2 * math.pi * scene.arm_hz * time + phase) - 0.3
        return float(at[0]), float(at[1]), 1.0, angle

    pivot = np.array([0.02 * length, length // 4], np.float32)
    return Layer(picture, coverage, _soften(solid), *_similarity(pivot, place))


def crossing_object(scene: Scene, rng: np.random.Generator) -> Layer:
    """Something that is not the person, crossing in front at arm's length from left to right."""
    width, height = scene.size_px
    tall, wide = max(round(0.35 * height), 4), max(round(0.14 * width), 4)
    patches = rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)
    picture = cv2.resize(patches, (wide, tall), interpolation=cv2.INTER_LINEAR)
    solid = np.zeros((tall, wide), np.uint8)
    cv2.ellipse(solid, (wide // 2, tall // 2), (wide // 2 - 1, tall // 2 - 1), 0, 0, 360, 255, -1)
    phase = rng.uniform(0, 0.5)

    def place(time: float) -> tuple[float, float, float, float]:
        # From out of view to out of view takes half of a turn; for the other half nothing is there.
        turn = (scene.crossings_hz * time + phase) % 1
        return (-0.2 + 2.8 * turn) * width, 0.6 * height, 1.0, 0.0

    coverage = np.zeros((tall, wide, len(CLASSES) - 1), np.uint8)
    pivot = np.array([wide / 2, tall / 2], np.float32)
    return Layer(picture, coverage, _soften(solid), *_similarity(pivot, place))


def _soften(plane: Pixels) -> Pixels:
    """The edge of a shape as a lens draws it, about a pixel wide."""
    softened: Pixels = cv2.GaussianBlur(plane, (0, 0), 0.8)
    return softened


def _fill(picture: Pixels, known: Pixels) -> Pixels:
    """Extend colours from where `known` (255) into the rest, by averages over ever larger areas (push-pull).

    Gortler et al. 1996, "The Lumigraph".
    """
    weight = cv2.multiply(known, 1 / 255, dtype=cv2.CV_32F)[..., None]
    filled = cv2.convertScaleAbs(_pull(picture * weight, weight))
    return np.where(known[..., None] > 0, picture, filled)


def _pull(colour: Points, weight: Points) -> Points:
    """Premultiplied colour (h, w, 3), weight (h, w, 1) to colour, holes filled from a coarser level."""
    height, width = weight.shape[:2]
    if min(height, width) < 2:
        return np.broadcast_to(colour.sum((0, 1)) / max(float(weight.sum()), 1e-6), colour.shape)
    half = ((width + 1) // 2, (height + 1) // 2)
    small = cv2.resize(colour, half, interpolation=cv2.INTER_AREA)
    coarse = _pull(small, cv2.resize(weight, half, interpolation=cv2.INTER_AREA)[..., None])
    wide: Points = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return colour + wide * (1 - weight)
