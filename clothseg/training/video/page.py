"""One HTML page of a scored clip: the scores, curves over time and strips of frames, all inside the file."""

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, CLASSES, PALETTE
from clothseg.training.video.evaluation import ClipScores, KeptFrame
from clothseg.training.video.metrics import Scores

Pixels = NDArray[np.uint8]

_GREEN: Final = (60, 190, 60)  # BGR behind cut-outs: any fringe of the old background shows
_COLOURS: Final = ("#b23a48", "#2364aa", "#3a7d44")
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1280px; padding: 0 1rem; color: #1c2430 }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #dde3ea }
td:nth-child(-n+2), th:nth-child(-n+2) { text-align: left } img { max-width: 100%; border-radius: 4px }
figure { margin: 0 0 1rem } figcaption { color: #5a6675; font-size: .85rem } svg { background: #f6f8fa }
"""


def page(title: str, clips: Mapping[str, ClipScores]) -> str:
    """The page of scored clips by name."""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        + "".join(_clip(name, scored) for name, scored in clips.items())
        + "</html>"
    )


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


def _clip(name: str, scored: ClipScores) -> str:
    strips = "".join(
        f"<figure>{_image(strip(scored.kept_frames, maker))}<figcaption>{html.escape(maker or 'picture')}</figcaption>"
        "</figure>"
        for maker in (None, *scored.scores)
        if scored.kept_frames
    )
    plots = "".join(
        f"<h3>{label}: warp disagreement over time</h3>{_plot({m: c[label] for m, c in scored.curves.items()})}"
        for label in CLASSES[1:]
        if any(point[0] is not None for curve in scored.curves.values() for point in curve[label])
    )
    return f"<h2>{html.escape(name)}</h2>{_table(scored.scores)}{strips}{plots}"


def _table(scores: Mapping[str, Mapping[str, Scores]]) -> str:
    names = [field.name for field in structs.fields(Scores)]
    head = "".join(f"<th>{name}" for name in ("class", "masks", *names))
    body = "".join(
        f"<tr><td>{label}<td>{html.escape(maker)}"
        + "".join(f"<td>{number(getattr(of_class[label], name))}" for name in names)
        for label in CLASSES[1:]
        for maker, of_class in scores.items()
    )
    return f"<table><tr>{head}{body}</table>"


def _image(picture: Pixels) -> str:
    width = min(picture.shape[1], 2400)
    height = max(round(picture.shape[0] * width / picture.shape[1]), 1)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}" alt="">'


def _plot(curves: Mapping[str, Sequence[tuple[float | None, ...]]]) -> str:
    """Lines over the frames, one a maker, as SVG; the scale is the highest value's."""
    values = {maker: [point[0] for point in curve] for maker, curve in curves.items()}
    highest = max((v for line in values.values() for v in line if v is not None), default=1.0) or 1.0
    lines = ""
    for place, ((maker, line), colour) in enumerate(zip(values.items(), _COLOURS, strict=False)):
        step = 1100 / max(len(line) - 1, 1)
        points = " ".join(f"{i * step:.1f},{115 - 110 * v / highest:.1f}" for i, v in enumerate(line) if v is not None)
        lines += f'<polyline points="{points}" fill="none" stroke="{colour}"/>'
        lines += f'<text x="{10 + 120 * place}" y="14" fill="{colour}">{html.escape(maker)}</text>'
    return (
        f'<svg viewBox="0 0 1100 120" width="100%" height="120">{lines}<text x="1000" y="14">{highest:.3g}</text></svg>'
    )
