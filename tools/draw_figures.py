#!/usr/bin/env python3
"""Writes the drawn scene of `synthetic:` as labelled pictures to train on, its garments in many colours.

The labels are true to the pixel, so that a network also knows the figures that a first trial without a camera shows.

Example: tools/draw_figures.py runs/drawn
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clothseg.labels import GARMENTS
from clothseg.training.samples import Sample
from clothseg.training.train.pseudo_labels import write_samples
from stream.sources.synthetic import figure

_SIZE_PX = (640, 360)
_COUNT = 40
_APART_NS = 730_000_000  # far enough for another pose


def figures(rng: np.random.Generator) -> Iterator[Sample]:
    """The scene at several moments, half of them as they are shown, half with other garments."""
    for index in range(_COUNT):
        picture, mask = figure(index * _APART_NS, _SIZE_PX)
        if index % 2:
            for garment in GARMENTS:
                picture[mask == garment] = rng.integers(0, 256, 3, np.uint8)
        yield Sample(f"figure-{index:02}", picture, mask)


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a folder, made if there is none: images/ and masks/")
    out: Path = parser.parse_args().out
    print(f"wrote {write_samples(figures(np.random.default_rng(7)), out)} pictures to {out}")


if __name__ == "__main__":
    main()
