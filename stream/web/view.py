"""A visitor's view of a frame: one or two panels side by side, chosen classes tinted."""

from __future__ import annotations

import cv2
import numpy as np

from stream.message import Pixels
from stream.transport.protocol import PublishedFrame
from stream.web.page_protocol import ViewOptions

_TINT = 0.55


def render_view(frame: PublishedFrame, show: ViewOptions) -> Pixels:
    """The panels of `show` in a row: (H, n·W, 3) uint8 BGR.

    A composite of another size than the camera's picture (a run with several panels of its own) is shown alone.
    """
    composite = frame.composite
    if composite.shape[:2] != (frame.height, frame.width):
        return composite
    if show.masks:
        composite = tint_classes(composite, frame, show.masks)
    panels = [composite if panel == "composite" else frame.picture for panel in show.panels]
    return panels[0] if len(panels) == 1 else np.asarray(cv2.hconcat(panels), np.uint8)


def panel_count(frame: PublishedFrame, show: ViewOptions) -> int:
    """Return how many panels `render_view` makes of them."""
    return len(show.panels) if frame.composite.shape[:2] == (frame.height, frame.width) else 1


def tint_classes(picture: Pixels, frame: PublishedFrame, names: tuple[str, ...]) -> Pixels:
    """`picture` (H, W, 3) with the pixels of the named classes in their colours; unknown names are ignored."""
    chosen = [index for index, name in enumerate(frame.classes.names) if name in names]
    colours = np.zeros((256, 1, 3), np.uint8)
    chosen_lut = np.zeros(256, np.uint8)
    for index in chosen:
        colours[index, 0] = frame.classes.palette[index]
        chosen_lut[index] = 255
    painted = cv2.LUT(cv2.cvtColor(frame.parts, cv2.COLOR_GRAY2BGR), colours)
    mixed = cv2.addWeighted(picture, 1 - _TINT, painted, _TINT, 0)
    return np.asarray(cv2.copyTo(mixed, cv2.LUT(frame.parts, chosen_lut), picture.copy()), np.uint8)
