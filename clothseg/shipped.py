"""Finds what ships beside the code: configurations, garments and the demo's clip, in a wheel as in a checkout."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

_CONFIGS: Final = "configs"


@cache
def configs() -> Path:
    """The folder `configs`: within the package where it was installed, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / _CONFIGS
    return installed if installed.is_dir() else package.parent / _CONFIGS


def find(path: Path) -> Path:
    """A path of the user's: where nothing is at `configs/…`, what ships under that name; any other as it is."""
    if path.parts[:1] != (_CONFIGS,) or ".." in path.parts or os.path.exists(path):
        return path
    shipped = configs().joinpath(*path.parts[1:])
    return shipped if os.path.exists(shipped) else path
