"""One HTML page of an evaluation: the table, and the worst and the typical cases as pictures."""

import base64
import html
from typing import Final

import cv2

from clothseg.labels import CLASSES, PALETTE
from clothseg.training.eval.evaluation import Case, Evaluation

_SHOWN: Final = 12  # cases of each kind

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem; color: #1c2430 }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #dde3ea }
th:first-child, td:first-child { text-align: left }
.cases { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0 } img { height: 240px; border-radius: 4px }
figcaption { color: #5a6675; font-size: .85rem }
.swatch { display: inline-block; width: .9em; height: .9em; border-radius: 2px; margin: 0 .3em 0 1em }
"""


def page(title: str, evaluation: Evaluation) -> str:
    """The page as one file without outside parts: pictures are inside it."""
    worst = evaluation.cases[:_SHOWN]
    middle = max(0, len(evaluation.cases) // 2 - _SHOWN // 2)
    typical = evaluation.cases[middle : middle + _SHOWN]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>{_measures(evaluation)}"
        f"<h2>Where pixels of each class went</h2>{_confusion(evaluation)}"
        f"<p>Each case: picture, truth, prediction.{_legend()}</p>"
        f"<h2>Worst cases</h2>{_figures(worst)}<h2>Typical cases</h2>{_figures(typical)}</html>"
    )


def number(value: float | None) -> str:
    """A measure for a table: three digits, or `absent`."""
    return "absent" if value is None else f"{value:.3f}"


def rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The measures as (name, value), in the order of the table."""
    report = evaluation.report
    named = [(f"{name} IoU", report.iou[name]) for name in CLASSES[2:]]
    return [
        ("pictures", str(report.pictures)),
        ("person IoU (all but background)", number(report.person_iou)),
        *((name, number(value)) for name, value in named),
        ("mean garment IoU", number(report.mean_garment_iou)),
        ("boundary F at 2 px, garments", number(report.boundary_f)),
        ("calibration error", number(report.calibration_error)),
        ("matte max-F", number(report.max_f)),
        ("matte MAE", number(report.mae)),
    ]


def _measures(evaluation: Evaluation) -> str:
    cells = "".join(f"<tr><td>{name}<td>{value}" for name, value in rows(evaluation))
    return f"<table>{cells}</table>"


def _confusion(evaluation: Evaluation) -> str:
    head = "".join(f"<th>{name}" for name in CLASSES)
    body = ""
    for name, counts in zip(CLASSES, evaluation.report.confusion, strict=True):
        total = sum(counts)
        body += f"<tr><td>{name}" + "".join(f"<td>{c / total:.1%}" if total else "<td>–" for c in counts)
    return f"<table><tr><th>truth ↓ found →{head}{body}</table>"


def _legend() -> str:
    return "".join(
        f'<span class=swatch style="background:rgb({r},{g},{b})"></span>{name}'
        for name, (b, g, r) in zip(CLASSES, PALETTE, strict=True)
    )


def _figures(cases: list[Case]) -> str:
    return "<div class=cases>" + "".join(_figure(case) for case in cases) + "</div>"


def _figure(case: Case) -> str:
    _, content = cv2.imencode(".jpg", case.view, [cv2.IMWRITE_JPEG_QUALITY, 80])
    data = base64.b64encode(content.tobytes()).decode()
    caption = f"{html.escape(case.name)}: garments {case.iou:.2f}"
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt=""><figcaption>{caption}</figcaption></figure>'
