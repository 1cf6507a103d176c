"""A page for reviewing every labelled picture, the worst first, and writing corrections.

Picture, label and prediction side by side. A click into a picture adds a line for a file of corrections, which says the
height that was clicked at (`clothseg/training/corrections.py`).
"""

import base64
import html
from collections.abc import Sequence
from typing import Final

import cv2

from clothseg.labels import CLASSES, GARMENTS, PALETTE
from clothseg.training.eval.evaluation import Case

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1280px; padding: 0 1rem; color: #1c2430 }
form { position: sticky; top: 0; background: #fff; padding: .6rem 0; border-bottom: 1px solid #dde3ea; z-index: 1 }
form label { margin-right: 1.2rem } textarea { width: 100%; height: 5rem; font: 13px/1.4 ui-monospace, monospace }
#cases { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0 } figure { margin: 0 }
img { height: 320px; border-radius: 4px; cursor: crosshair } figcaption { color: #5a6675; font-size: .85rem }
.swatch { display: inline-block; width: .9em; height: .9em; border-radius: 2px; margin: 0 .3em 0 1em }
"""

_SCRIPT: Final = """
const cases = document.querySelector('#cases'), form = document.forms[0], lines = form.elements.lines
const figures = [...cases.children]
function show() {
  const by = form.elements.by.value, name = form.elements.name.value
  const worst = figure => Number(figure.dataset[by])
  for (const figure of figures) figure.hidden = !figure.dataset.name.includes(name) || !(by in figure.dataset)
  cases.append(...figures.toSorted((a, b) => worst(a) - worst(b)))
}
form.addEventListener('input', event => event.target === lines || show())
cases.addEventListener('click', event => {
  if (event.target.localName !== 'img') return
  const above = (event.offsetY / event.target.clientHeight).toFixed(3)
  const {name} = event.target.closest('figure').dataset
  const {labelled, truth} = form.elements
  lines.value += `- {name: "${name}", labelled: ${labelled.value}, is: ${truth.value}, above: ${above}, why: ""}\\n`
})
show()
"""


def browser(title: str, cases: Sequence[Case]) -> str:
    """The page as one file without outside parts. Raises ValueError where there is no case to look at."""
    if not cases:
        raise ValueError("no picture shows a garment; there is nothing to browse")
    by = "".join(f"<option value={CLASSES[index]}>{CLASSES[index]}" for index in GARMENTS)
    classes = "".join(f"<option>{name}" for name in CLASSES)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(title)}</h1><form onsubmit='return false'>"
        f"<label>worst first by <select name=by><option value=garments>all garments{by}</select></label>"
        f"<label>name <input name=name size=8></label>"
        f"<label>a click says: labelled <select name=labelled>{classes}</select></label>"
        f"<label>is <select name=truth>{classes}</select> above it</label>{_legend()}"
        f"<textarea name=lines placeholder='lines for a file of corrections'></textarea></form>"
        f"<div id=cases>{''.join(_figure(case) for case in cases)}</div><script>{_SCRIPT}</script></html>"
    )


def _legend() -> str:
    return "".join(
        f'<span class=swatch style="background:rgb({r},{g},{b})"></span>{name}'
        for name, (b, g, r) in zip(CLASSES, PALETTE, strict=True)
    )


def _figure(case: Case) -> str:
    _, content = cv2.imencode(".jpg", case.view, [cv2.IMWRITE_JPEG_QUALITY, 80])
    data = base64.b64encode(content.tobytes()).decode()
    scores = {"garments": case.iou, **{name: value for name, value in case.ious.items() if value is not None}}
    name = html.escape(case.name)
    attributes = "".join(f' data-{key}="{value:.4f}"' for key, value in scores.items())
    caption = ", ".join(f"{key} {value:.2f}" for key, value in scores.items())
    return (
        f'<figure data-name="{name}"{attributes}><img loading=lazy src="data:image/jpeg;base64,{data}" alt="{name}">'
        f"<figcaption>{name}: {caption}</figcaption></figure>"
    )
