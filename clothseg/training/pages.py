"""HTML pages as single files: a template with values, all of them escaped, and pictures inside the file."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from clothseg.labels import CLASSES, PALETTE

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render_page(template: str, values: Mapping[str, object]) -> str:
    """Render a template of `templates/` with `values`. Raises jinja2.UndefinedError where it names another."""
    loader = FileSystemLoader(_TEMPLATES)
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters["jpeg"] = _jpeg_address
    legend = [(name, f"rgb({r},{g},{b})") for name, (b, g, r) in zip(CLASSES, PALETTE, strict=True)]
    return pages.get_template(template).render({"legend": legend, **values})


def _jpeg_address(picture: NDArray[np.uint8]) -> str:
    """A picture (H, W, 3) uint8 BGR as a `data:` address: what the filter `jpeg` makes."""
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}"
