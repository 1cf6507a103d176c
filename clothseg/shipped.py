"""Finds what ships with the code: configurations, garments, weights, the demo's clip; in a wheel as in a checkout."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parent
_WEIGHTS: Final = Path("clothseg/weights")
_CONFIGS: Final = Path("configs")


@cache
def configs() -> Path:
    """The folder `configs`: within the package where it was installed, beside it in a checkout."""
    installed = _PACKAGE / _CONFIGS
    return installed if installed.is_dir() else _PACKAGE.parent / _CONFIGS


def find(path: Path) -> Path:
    """A path of the user's: where nothing is at `configs/…` or `clothseg/weights/…`, what ships under that name."""
    if ".." in path.parts or os.path.exists(path):
        return path
    for name, folder in ((_CONFIGS, configs()), (_WEIGHTS, _PACKAGE.parent / _WEIGHTS)):
        if path.is_relative_to(name) and os.path.exists(shipped := folder / path.relative_to(name)):
            return shipped
    return path
