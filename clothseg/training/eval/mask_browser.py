"""A page for reviewing every labelled picture, the worst first, and writing corrections.

Picture, label and prediction side by side. A click into a picture adds a line for a file of corrections, which says the
height that was clicked at (`clothseg/training/corrections.py`).
"""

from collections.abc import Sequence

from clothseg.labels import CLASSES, GARMENTS
from clothseg.training.eval.evaluation import Case
from clothseg.training.pages import render_page


def browser(title: str, cases: Sequence[Case]) -> str:
    """The page as one file without outside parts. Raises ValueError where there is no case to look at."""
    if not cases:
        raise ValueError("no picture shows a garment; there is nothing to browse")
    shown = [(case.name, case.view, [("garments", case.iou), *_garment_scores(case)]) for case in cases]
    return render_page("cases.html", {"title": title, "garments": [CLASSES[i] for i in GARMENTS], "cases": shown})


def _garment_scores(case: Case) -> list[tuple[str, float]]:
    return [(name, iou) for name, iou in case.ious.items() if iou is not None]
