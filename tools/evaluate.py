"""Score a model, or masks made elsewhere: `python tools/evaluate.py configs/datasets/ccp-val.yaml`.

The model that ships is scored unless another is named. All measures are at the labels' native size, pixels pooled.
"""

import argparse
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from clothseg.network.checkpoint import DEFAULT_WEIGHTS, write_atomically
from clothseg.training.eval.evaluation import Evaluation, evaluate
from clothseg.training.eval.predictors import Predictor, from_masks, from_mattes, from_onnx_person, from_weights
from clothseg.training.eval.report_page import number, page, rows
from clothseg.training.eval.webcam import WebcamReport, score_clips
from clothseg.training.samples import read, read_data_set

CCP = Path("configs/datasets/ccp-val.yaml")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    parser.add_argument("--json", type=Path, help="write the measures here")
    parser.add_argument("--html", type=Path, help="write a page with the worst and typical cases here")
    return parser.parse_args()


def predictor(options: argparse.Namespace) -> tuple[str, Predictor]:
    """What is scored, and its name."""
    if options.masks:
        return str(options.masks), from_masks(options.masks)
    if options.mattes:
        return str(options.mattes), from_mattes(options.mattes)
    if options.onnx:
        return options.onnx.name, from_onnx_person(options.onnx, options.onnx_mean, options.onnx_std)
    return options.weights.name, from_weights(options.weights, options.engine, options.precision)


def main() -> None:
    """Score and report."""
    options = arguments()
    try:
        report(options, Console())
    except (ValueError, OSError) as error:
        sys.exit(str(error))


def report(options: argparse.Namespace, console: Console) -> None:
    """Score what the options name, and say it."""
    name, predict = predictor(options)
    written: dict[str, object] = {"model": name}
    table = Table("measure", name, title=str(options.data))
    evaluation = _scored(options.data, predict, console)
    for row in rows(evaluation):
        table.add_row(*row)
    written["pictures"] = evaluation.report
    if options.html:
        write_atomically(options.html, page(f"{name} on {options.data.stem}", evaluation).encode())
    if options.clips:
        clips = score_clips(sorted(options.clips.glob("*.mkv")), predict, options.peer)
        for label, value in _clip_rows(clips):
            table.add_row(label, value)
        written["clips"] = clips
    if options.json:
        write_atomically(options.json, msgspec.json.format(msgspec.json.encode(written), indent=2))
    console.print(table)


def _scored(data: Path, predict: Predictor, console: Console) -> Evaluation:
    samples = read(read_data_set(data))
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("scoring", total=None)
        return evaluate(samples, predict, lambda: progress.advance(task))


def _clip_rows(report: WebcamReport) -> list[tuple[str, str]]:
    return [
        ("webcam frames", str(report.frames)),
        ("webcam person IoU where the peer is sure", number(report.person_iou)),
        ("webcam frames with a top and no dress", number(report.top_and_no_dress)),
    ]


if __name__ == "__main__":
    main()
