#!/usr/bin/env python3
"""Draws the textures and backgrounds that the page offers: all made here, so that they are ours to give away.

Example: tools/draw_scenes.py configs
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
_TILE_PX = 256
_SCENE_PX = (960, 1280)


def main() -> None:
    """Write every picture and its YAML."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where textures/ and backgrounds/ are made")
    folder: Path = parser.parse_args().folder
    for kind, scenes, ending in (("textures", TEXTURES, ".png"), ("backgrounds", BACKGROUNDS, ".jpg")):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, (title, draw) in scenes.items():
            cv2.imwrite(str(folder / kind / f"{name}{ending}"), draw(np.random.default_rng(7)))
            card = f"title: {title}\nimage: {name}{ending}\nlicence: Apache-2.0\n"
            (folder / kind / f"{name}.yaml").write_text(card, encoding="utf-8")


def _eight_bit(picture: NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _woven(picture: NDArray[np.float32], rng: np.random.Generator, depth: float) -> Picture:
    """A flat pattern with the grain of threads."""
    size = picture.shape[:2]
    grain = rng.normal(0, 1, (*size, 1)).astype(np.float32)
    threads = cv2.blur(grain, (1, 5))
    return _eight_bit(picture * (1 + depth * threads.reshape(*size, 1)))


def _filled(colour: tuple[int, int, int]) -> NDArray[np.float32]:
    return np.full((_TILE_PX, _TILE_PX, 3), colour, np.float32)


def tartan(rng: np.random.Generator) -> Picture:
    """Bands crossing bands, three colours."""
    weave = _filled((42, 38, 120))
    for start, width, colour in ((20, 60, (60, 92, 30)), (120, 20, (210, 220, 230)), (180, 40, (70, 50, 30))):
        band = np.array(colour, np.float32)
        weave[:, start : start + width] = 0.5 * weave[:, start : start + width] + 0.5 * band
        weave[start : start + width] = 0.5 * weave[start : start + width] + 0.5 * band
    return _woven(weave, rng, 0.06)


def denim(rng: np.random.Generator) -> Picture:
    """Indigo twill: fine diagonals."""
    row, column = np.mgrid[:_TILE_PX, :_TILE_PX]
    twill = 1 + 0.16 * np.sin(2 * np.pi * (row + column) * 32 / _TILE_PX)
    return _woven(_filled((128, 84, 48)) * twill[..., None].astype(np.float32), rng, 0.10)


def dots(rng: np.random.Generator) -> Picture:
    """White dots on navy, every second row between those above."""
    cloth = _filled((96, 48, 28))
    step = _TILE_PX // 4
    for i in range(-1, 5):
        for j in range(-1, 5):
            middle = (j * step + (step // 2 if i % 2 else 0) + step // 4, i * step + step // 2)
            cv2.circle(cloth, middle, step // 5, (240, 240, 240), -1, cv2.LINE_AA)
    return _woven(cloth, rng, 0.03)


def stripes(rng: np.random.Generator) -> Picture:
    """A Breton shirt's stripes."""
    cloth = _filled((232, 238, 240))
    for top in range(0, _TILE_PX, 64):
        cloth[top : top + 22] = (92, 44, 30)
    return _woven(cloth, rng, 0.04)


def floral(rng: np.random.Generator) -> Picture:
    """Small flowers on sage; those at an edge come in again at the other."""
    cloth = _filled((120, 140, 118))
    for _ in range(26):
        x, y = rng.integers(0, _TILE_PX, 2)
        petal = [(120, 120, 230), (180, 200, 250), (230, 235, 245)][int(rng.integers(0, 3))]
        for dx in (-_TILE_PX, 0, _TILE_PX):
            for dy in (-_TILE_PX, 0, _TILE_PX):
                for turn in range(5):
                    angle = 2 * np.pi * turn / 5
                    at = (int(x + dx + 9 * np.cos(angle)), int(y + dy + 9 * np.sin(angle)))
                    cv2.circle(cloth, at, 7, petal, -1, cv2.LINE_AA)
                cv2.circle(cloth, (int(x + dx), int(y + dy)), 5, (60, 190, 235), -1, cv2.LINE_AA)
    return _woven(cloth, rng, 0.04)


def _shaded(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> NDArray[np.float32]:
    """A wall lit from above, falling off towards the corners."""
    height, width = _SCENE_PX
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    wall = (1 - down) * np.array(top, np.float32) + down * np.array(bottom, np.float32)
    row, column = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot((column - width / 2) / width, (row - 0.4 * height) / height)
    return np.asarray(wall * (1.06 - 0.55 * distance[..., None] ** 2), np.float32)


def studio(rng: np.random.Generator) -> Picture:
    """Paper sweep of a photo studio, warm grey."""
    scene = _shaded((214, 220, 224), (196, 202, 208))
    scene[int(0.8 * _SCENE_PX[0]) :] *= 0.97
    soft = cv2.GaussianBlur(scene, (0, 0), 24)
    return _eight_bit(soft + rng.normal(0, 1.2, soft.shape))


def evening(rng: np.random.Generator) -> Picture:
    """A street at dusk out of focus: lights as discs."""
    scene = _shaded((92, 58, 46), (46, 40, 66))
    for _ in range(90):
        at = (int(rng.integers(0, _SCENE_PX[1])), int(rng.normal(0.55, 0.16) * _SCENE_PX[0]))
        colour = [(70, 170, 255), (120, 200, 255), (200, 160, 120), (90, 90, 240)][int(rng.integers(0, 4))]
        disc = np.zeros_like(scene)
        cv2.circle(disc, at, int(rng.integers(12, 44)), colour, -1, cv2.LINE_AA)
        scene += float(rng.uniform(0.12, 0.5)) * disc
    return _eight_bit(cv2.GaussianBlur(scene, (0, 0), 3))


def terrace(rng: np.random.Generator) -> Picture:
    """Sky, sea and a pale terrace."""
    height, width = _SCENE_PX
    scene = _shaded((236, 206, 150), (250, 236, 214))
    scene[int(0.46 * height) : int(0.66 * height)] = (176, 142, 62)
    waves = cv2.GaussianBlur(
        rng.normal(0, 60, (int(0.2 * height) + 1, width)).astype(np.float32), (0, 0), 14, sigmaY=1.5
    )
    sea = scene[int(0.46 * height) : int(0.66 * height)]
    sea += 3.0 * waves[: len(sea), :, None]
    scene[int(0.66 * height) :] = (206, 222, 232)
    return _eight_bit(cv2.GaussianBlur(scene, (0, 0), 5))


def plaster(rng: np.random.Generator) -> Picture:
    """A plastered wall in terracotta with the shadow of a window."""
    height, width = _SCENE_PX
    scene = _shaded((128, 152, 206), (112, 136, 192))
    clouds = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 40)
    scene *= 1 + 1.6 * clouds[..., None]
    light = np.zeros((height, width), np.float32)
    for column in range(2):
        for row in range(2):
            x, y = 640 + 250 * column, 120 + 290 * row
            pane = np.array([(x, y), (x + 210, y + 60), (x + 210, y + 310), (x, y + 250)])
            cv2.fillConvexPoly(light, pane, 1.0, cv2.LINE_AA)
    scene *= 1 + 0.22 * cv2.GaussianBlur(light, (0, 0), 9)[..., None]
    return _eight_bit(scene)


Draw = Callable[[np.random.Generator], Picture]
TEXTURES: dict[str, tuple[str, Draw]] = {
    "tartan": ("Tartan", tartan),
    "denim": ("Denim", denim),
    "dots": ("Dots", dots),
    "stripes": ("Stripes", stripes),
    "floral": ("Flowers", floral),
}
BACKGROUNDS: dict[str, tuple[str, Draw]] = {
    "studio": ("Studio", studio),
    "plaster": ("Sunlit wall", plaster),
    "terrace": ("By the sea", terrace),
    "evening": ("Evening lights", evening),
}

if __name__ == "__main__":
    main()
