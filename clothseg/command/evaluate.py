"""Score a model, or masks made elsewhere: `clothseg evaluate configs/datasets/ccp-val.yaml`.

The model that ships is scored unless another is named. All measures are at the labels' native size, pixels pooled.
Where labels are corrected, the score on the labels as they are stands beside. Among several people, near and far:
`clothseg evaluate --crowds configs/datasets/ccp-val-crowds.yaml`.
"""

import argparse
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from clothseg import shipped
from clothseg.network.checkpoint import DEFAULT_WEIGHTS, write_atomically
from clothseg.training.eval.evaluation import Evaluation, evaluate
from clothseg.training.eval.mask_browser import browser
from clothseg.training.eval.predictors import (
    Predictor,
    from_masks,
    from_mattes,
    from_onnx_person,
    from_weights,
    remembered,
)
from clothseg.training.eval.report_page import number, page, rows
from clothseg.training.eval.webcam import WebcamReport, score_clips
from clothseg.training.samples import as_labelled, read, read_data_set
from clothseg.training.train.crowd_evaluation import CrowdReport, read_crowd_set, score_crowds

CCP = Path("configs/datasets/ccp-val.yaml")


def parse(arguments: list[str] | None, program: str | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=CCP, help="a data set, YAML (default %(default)s)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="a checkpoint of ours")
    what.add_argument("--masks", type=Path, help="a folder of NAME.png with class indices")
    what.add_argument("--mattes", type=Path, help="a folder of NAME.png person mattes, grey")
    what.add_argument("--onnx", type=Path, help="an ONNX person segmenter")
    parser.add_argument("--onnx-mean", type=float, default=0.5, help="of its input in 0..1 (default %(default)s)")
    parser.add_argument("--onnx-std", type=float, default=1.0, help="of its input in 0..1 (default %(default)s)")
    parser.add_argument("--engine", default="auto", choices=("auto", "openvino", "onnxruntime", "torch"))
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16", "fp16", "int8"))
    parser.add_argument("--clips", type=Path, help="a folder of webcam clips in which all wear a top and no dress")
    parser.add_argument("--peer", type=Path, help="person mattes of the clips' frames, from tools/peer_selfie.py")
    parser.add_argument(
        "--crowds", type=Path, help="score made crowds in place of the data set: what they are made of, YAML"
    )
    parser.add_argument("--json", type=Path, help="write the measures here")
    parser.add_argument("--html", type=Path, help="write a page with the worst and typical cases here")
    parser.add_argument(
        "--browse", type=Path, help="write a page of all pictures, the worst first, to correct labels by"
    )
    return parser.parse_args(arguments)


def predictor(options: argparse.Namespace) -> tuple[str, Predictor]:
    """What is scored, and its name."""
    if options.masks:
        return str(options.masks), from_masks(options.masks)
    if options.mattes:
        return str(options.mattes), from_mattes(options.mattes)
    if options.onnx:
        return options.onnx.name, from_onnx_person(options.onnx, options.onnx_mean, options.onnx_std)
    return options.weights.name, from_weights(options.weights, options.engine, options.precision)


def main(arguments: list[str] | None = None, program: str | None = None) -> int:
    """Score and report; its exit code: 0. Exits with a sentence on what was wrong."""
    options = parse(arguments, program)
    try:
        report(options, Console())
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    return 0


def report(options: argparse.Namespace, console: Console) -> None:
    """Score what the options name, and say it."""
    name, predict = predictor(options)
    written: dict[str, object] = {"model": name}
    if options.crowds:
        title, evaluation, more = _crowds(shipped.find(options.crowds), predict, console, written)
    else:
        title, evaluation, more = _pictures(shipped.find(options.data), predict, console, written)
    table = Table("measure", name, title=str(title))
    for row in [*rows(evaluation), *more]:
        table.add_row(*row)
    if options.html:
        write_atomically(options.html, page(f"{name} on {title.stem}", evaluation).encode())
    if options.browse:
        write_atomically(options.browse, browser(f"{name} on {title.stem}", evaluation.cases).encode())
    if options.clips:
        clips = score_clips(sorted(options.clips.glob("*.mkv")), predict, options.peer)
        for label, value in _clip_rows(clips):
            table.add_row(label, value)
        written["clips"] = clips
    if options.json:
        write_atomically(options.json, msgspec.json.format(msgspec.json.encode(written), indent=2))
    console.print(table)


Rows = list[tuple[str, str]]


def _pictures(
    path: Path, predict: Predictor, console: Console, written: dict[str, object]
) -> tuple[Path, Evaluation, Rows]:
    """Score a data set, and on its labels as they are where it corrects them."""
    data = read_data_set(path)
    once = remembered(predict)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("scoring", total=None)
        evaluation = evaluate(read(data), once, lambda: progress.advance(task))
    written["pictures"] = evaluation.report
    if data == as_labelled(data):
        return path, evaluation, []
    uncorrected = evaluate(read(as_labelled(data)), once, lambda: None)
    written["as_labelled"] = uncorrected.report
    return path, evaluation, [(f"… labels as they are: {name}", value) for name, value in rows(uncorrected)[1:7]]


def _crowds(
    path: Path, predict: Predictor, console: Console, written: dict[str, object]
) -> tuple[Path, Evaluation, Rows]:
    """Score made crowds."""
    made = read_crowd_set(path)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("scoring", total=made.frames)
        report, cases = score_crowds(made, predict, lambda: progress.advance(task))
    written["crowds"] = report
    return path, Evaluation(report.pictures, cases, {}), _crowd_rows(report)


def _crowd_rows(report: CrowdReport) -> Rows:
    reach = [(f"{name}: found of {report.people[name]}", number(share)) for name, share in report.found.items()]
    count = [(f"person IoU, {n} in the frame", number(value)) for n, value in report.person_iou_by_people.items() if n]
    return [*reach, *count, ("called a person where no one is", number(report.false_person))]


def _clip_rows(report: WebcamReport) -> list[tuple[str, str]]:
    return [
        ("webcam frames", str(report.frames)),
        ("webcam person IoU where the peer is sure", number(report.person_iou)),
        ("webcam frames with a top and no dress", number(report.top_and_no_dress)),
    ]
