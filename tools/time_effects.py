#!/usr/bin/env python3
"""Measures what each try-on effect costs a picture, and writes the table of docs/tryon.md.

Example: tools/time_effects.py --size 1280x720 --size 640x480
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
from numpy.typing import NDArray

from clothseg.matting.matting import Matte, Matting, matte, previous_matte
from clothseg.segmenter import Segmenter
from clothseg.temporal.smoothing import Smoothing, smooth
from clothseg.temporal.state import SmoothingState
from clothseg.tryon import (
    BackgroundBlur,
    BackgroundColour,
    BackgroundImage,
    BackgroundVideo,
    Effect,
    GarmentPhoto,
    Recolour,
    Texture,
    apply_effects,
)
from stream.composite.effects import open_camera_effects
from tools.benchmark.clip import SHIPPED, pictures

CONFIGS = Path(__file__).parents[1] / "configs"
EFFECTS: dict[str, Effect] = {
    "background colour": BackgroundColour(),
    "background image": BackgroundImage(CONFIGS / "backgrounds/terrace.jpg"),
    "background video of 640×480": BackgroundVideo(SHIPPED),
    "background blur": BackgroundBlur(),
    "recolour": Recolour("top", "#aa2233"),
    "texture, all over": Texture("top", CONFIGS / "textures/tartan.png"),
    "texture, once": Texture("top", CONFIGS / "textures/floral.png", 0.5, "once"),
    "garment photo on a top": GarmentPhoto("top", CONFIGS / "garments/striped-top.png"),
    "garment photo as a dress": GarmentPhoto("dress", CONFIGS / "garments/dotted-dress.png"),
}
GAP_NS = 33_333_333
WARM_UP = 4


def main(arguments: list[str] | None = None) -> None:
    """Print a table with a row for each effect and a column for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="append", help="WIDTHxHEIGHT of the pictures (1280x720); may be repeated")
    parser.add_argument("--count", type=int, default=48, help="pictures a size (%(default)s)")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    sizes = options.size or ["1280x720"]
    columns = [measure(tuple(int(side) for side in size.split("x")), options.count) for size in sizes]
    print("| effect | " + " | ".join(size.replace("x", "×") for size in sizes) + " |")
    print("|---|" + "---|" * len(sizes))
    for name in EFFECTS:
        print(f"| {name} | " + " | ".join(_cell(column[name]) for column in columns) + " |")


def measure(size_px: tuple[int, ...], count: int) -> dict[str, NDArray[np.float64]]:
    """CPU milliseconds of each effect on `count` pictures of the shipped webcam clip, the first few left out."""
    shown = masks(size_px, count)
    share = np.mean([(seen.parts == 2).mean() for _, seen in shown])
    print(f"{size_px[0]}×{size_px[1]}: the top is {share:.0%} of the picture", file=sys.stderr)
    return {name: timed(effect, shown) for name, effect in EFFECTS.items()}


def masks(size_px: tuple[int, ...], count: int) -> list[tuple[NDArray[np.uint8], Matte]]:
    """Pictures with the masks that the stream would have for them."""
    segmenter, past = Segmenter.load(threads=1), None
    classes = segmenter.classes
    made: list[tuple[NDArray[np.uint8], Matte]] = []
    for number, picture in zip(range(count), pictures((size_px[0], size_px[1])), strict=False):
        now_ns = number * GAP_NS
        seen: tuple[SmoothingState, NDArray[np.uint8]] = smooth(
            past,
            segmenter.probabilities(picture),
            picture,
            now_ns,
            Smoothing(),
            garments=len(classes.garments),
        )
        past = seen[0]
        held = previous_matte(made[-1][1], now_ns - GAP_NS, past, now_ns) if made else None
        made.append((picture, matte(seen[1], picture, classes, Matting(), held)))
    return made


def timed(effect: Effect, shown: Sequence[tuple[NDArray[np.uint8], Matte]]) -> NDArray[np.float64]:
    """CPU milliseconds of `effect` on each picture but the first few."""
    opened, states, taken_ms = open_camera_effects([effect]), None, []
    for number, (picture, seen) in enumerate(shown):
        began_ns = time.process_time_ns()
        states, _ = apply_effects(opened, states, picture, seen, number * GAP_NS)
        taken_ms.append((time.process_time_ns() - began_ns) / 1e6)
    return np.array(taken_ms[WARM_UP:])


def _cell(taken_ms: NDArray[np.float64]) -> str:
    return f"{np.median(taken_ms):.1f} ({taken_ms.min():.1f}–{np.percentile(taken_ms, 95):.1f})"


if __name__ == "__main__":
    main()
