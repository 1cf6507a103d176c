"""One HTML page of an evaluation: the table, and the worst and the typical cases as pictures."""

from typing import Final

from clothseg.labels import CLASSES
from clothseg.training.eval.evaluation import Evaluation
from clothseg.training.pages import render_page

_SHOWN: Final = 12  # cases of each kind


def page(title: str, evaluation: Evaluation) -> str:
    """The page as one file without outside parts: pictures are inside it."""
    cases = evaluation.cases
    middle = max(0, len(cases) // 2 - _SHOWN // 2)
    values = {
        "title": title,
        "measures": rows(evaluation),
        "confusion": list(zip(CLASSES, evaluation.report.confusion, strict=True)),
        "groups": [("Worst cases", cases[:_SHOWN]), ("Typical cases", cases[middle : middle + _SHOWN])],
    }
    return render_page("evaluation.html", values)


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
        *((name, number(value) + _spread(evaluation, name)) for name, value in named),
        ("mean garment IoU", number(report.mean_garment_iou)),
        ("boundary F at 2 px, garments", number(report.boundary_f)),
        ("calibration error", number(report.calibration_error)),
        ("matte max-F", number(report.max_f)),
        ("matte MAE", number(report.mae)),
    ]


def _spread(evaluation: Evaluation, name: str) -> str:
    """In which interval a class's IoU lies, over the pictures; nothing where it was not drawn."""
    interval = evaluation.spread.get(name.removesuffix(" IoU"))
    return f" ({interval.low:.3f}–{interval.high:.3f})" if interval else ""
