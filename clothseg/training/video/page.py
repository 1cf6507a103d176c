"""One HTML page of a scored clip: the scores, curves over time and strips of frames, all inside the file."""

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from msgspec import structs

from clothseg.classes import Pixels
from clothseg.labels import BACKGROUND, CLASSES, PALETTE
from clothseg.training.pages import render_page
from clothseg.training.video.evaluation import ClipScores, KeptFrame
from clothseg.training.video.metrics import Scores

_GREEN: Final = (60, 190, 60)  # BGR behind cut-outs: any fringe of the old background shows
_COLOURS: Final = ("#b23a48", "#2364aa", "#3a7d44")


def page(title: str, clips: Mapping[str, ClipScores]) -> str:
    """The page of scored clips by name."""
    columns = ["class", "masks", *(field.name for field in structs.fields(Scores))]
    shown = [_clip(name, scored) for name, scored in clips.items()]
    return render_page("clips.html", {"title": title, "columns": columns, "clips": shown})


def strip(shown: Sequence[KeptFrame], maker: str | None) -> Pixels:
    """Frames side by side, BGR: the pictures, or where a maker is named its parts, drawn over the cut-out on green."""
    if maker is None:
        return np.hstack([frame.picture for frame in shown])
    return np.hstack([view(frame.picture, frame.masks[maker]) for frame in shown])


def view(picture: Pixels, masks: Pixels) -> Pixels:
    """A cut-out on green with its parts tinted (H, W, 3), of shares (K, H, W)."""
    colours = np.array(PALETTE, np.float32)
    weights = masks.astype(np.float32) / 255
    tint = np.tensordot(weights[1:], colours[1:], (0, 0))
    kept = picture * (1 - weights[BACKGROUND])[..., None]
    behind = weights[BACKGROUND][..., None] * np.array(_GREEN, np.float32)
    drawn: Pixels = np.clip(0.55 * kept + 0.45 * tint + behind, 0, 255).astype(np.uint8)
    return drawn


def number(value: float | None) -> str:
    """A score for a table: four digits, or a dash where it cannot be known."""
    return "–" if value is None else f"{value:.4g}"


def _clip(name: str, scored: ClipScores) -> dict[str, object]:
    """What the template shows of a clip."""
    frames = scored.kept_frames
    makers = (None, *scored.scores) if frames else ()
    return {
        "name": name,
        "rows": _rows(scored.scores),
        "strips": [(maker or "picture", _reduced(strip(frames, maker))) for maker in makers],
        "plots": [
            _plot(label, {maker: [point[0] for point in curves[label]] for maker, curves in scored.curves.items()})
            for label in CLASSES[1:]
            if any(point[0] is not None for curves in scored.curves.values() for point in curves[label])
        ],
    }


def _rows(scores: Mapping[str, Mapping[str, Scores]]) -> list[list[str]]:
    return [
        [label, maker, *(number(score) for score in structs.astuple(of_class[label]))]
        for label in CLASSES[1:]
        for maker, of_class in scores.items()
    ]


def _reduced(picture: Pixels) -> Pixels:
    width = min(picture.shape[1], 2400)
    height = max(round(picture.shape[0] * width / picture.shape[1]), 1)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _plot(label: str, curves: Mapping[str, Sequence[float | None]]) -> dict[str, object]:
    """Lines over the frames, one a maker, within 1100 × 120; the scale is the highest value's."""
    highest = max((v for curve in curves.values() for v in curve if v is not None), default=1.0) or 1.0
    lines = []
    for (maker, curve), colour in zip(curves.items(), _COLOURS, strict=False):
        step = 1100 / max(len(curve) - 1, 1)
        points = [(i * step, 115 - 110 * v / highest) for i, v in enumerate(curve) if v is not None]
        lines.append((maker, colour, points))
    return {"label": label, "highest": highest, "lines": lines}
