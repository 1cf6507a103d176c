"""Score a model by skin tone, light and clothes: `python tools/evaluate_fairness.py`.

Prints a table in Markdown for the model card: IoU of person and garments with 95 % intervals over the photos.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from clothseg.network.checkpoint import DEFAULT_WEIGHTS, write_atomically
from clothseg.training.eval.fairness import Group, by_group
from clothseg.training.eval.predictors import from_weights
from clothseg.training.samples import read_data_set

SHOWN = ("person", "top", "bottom", "dress")


def table(groups: list[Group]) -> str:
    """The groups as a table in Markdown."""
    lines = [f"| | photos | {' | '.join(SHOWN)} |", f"|---|---|{'---|' * len(SHOWN)}"]
    for group in groups:
        cells = " | ".join(_cell(group, name) for name in SHOWN)
        lines.append(f"| {group.name} | {group.photos} | {cells} |")
    return "\n".join(lines)


def _cell(group: Group, name: str) -> str:
    value = group.iou[name]
    if value is None:
        return "–"
    low, high = group.spread[name]
    return f"{_short(value)} ({_short(low)}–{_short(high)})"


def _short(value: float) -> str:
    """Three digits, without the naught before the point."""
    return f"{value:.3f}".removeprefix("0")


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path("configs/datasets/ccp-val.yaml"))
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="a checkpoint of ours")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16", "fp16", "int8"))
    parser.add_argument("--json", type=Path, help="write the measures here")
    options = parser.parse_args()
    try:
        predict = from_weights(options.weights, "auto", options.precision)
        groups = by_group(read_data_set(options.data), predict, lambda: None)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    if options.json:
        write_atomically(options.json, msgspec.json.format(msgspec.json.encode(groups), indent=2))
    print(table(groups))


if __name__ == "__main__":
    main()
